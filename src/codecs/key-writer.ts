import type { Column } from '../kernel/columns.ts';
import { OPEN } from '../kernel/fate.ts';
import { MAX_KEY_BYTES, putEntry } from './key-template.ts';
import type { KeyTemplate } from './types.ts';

/** Keys of records, side by side: record i's is bytes[starts[i]..ends[i]); its start is -1 if it is missing. */
export interface RecordKeys {
  bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Writes the keys of all records that are OPEN, as `writeKey` would one by one. May replace `bytes` with a larger buffer. */
export type KeysWriter = (columns: readonly Column[], fate: Uint8Array, count: number, keys: RecordKeys) => void;

/**
 * Generates a writer of the keys of a frame: constant text becomes stores, a text field a loop over its bytes, and which field is
 * which is decided before the first record. Generated again if a field's column changes its kind.
 *
 * Promise: the code contains only names made here and numbers; text of the template is in it as bytes.
 */
export function createKeysWriter({ parts }: KeyTemplate): KeysWriter {
  let kinds = '';
  let write: KeysWriter | undefined;
  return (columns, fate, count, keys) => {
    let found = '';
    for (const part of parts) if ('slot' in part) found += columns[part.slot].kind;
    if (write === undefined || found !== kinds) {
      kinds = found;
      write = new Function('putEntry', 'roomier', sourceOf(parts, columns))(putEntry, roomier) as KeysWriter;
    }
    write(columns, fate, count, keys);
  };
}

function sourceOf(parts: KeyTemplate['parts'], columns: readonly Column[]): string {
  const frame: string[] = [];
  const record: string[] = [];
  for (const [n, part] of parts.entries()) {
    if ('text' in part) {
      record.push(`if (${part.text.length} > limit - end) continue;`);
      for (const byte of part.text) record.push(`into[end++] = ${byte};`);
      continue;
    }
    frame.push(`const c${n} = columns[${part.slot}];`);
    if (columns[part.slot].kind === 'string') {
      frame.push(`const { bytes: b${n}, start: s${n}, end: e${n} } = c${n};`);
      record.push(`const p${n} = s${n}[i], q${n} = e${n}[i];`);
      record.push(`if (p${n} < 0 || q${n} <= p${n} || q${n} - p${n} > limit - end) continue;`);
      record.push(`for (let k = p${n}; k < q${n}; k++) into[end++] = b${n}[k];`);
    } else {
      record.push(`end = putEntry(c${n}, i, into, end, limit);`, 'if (end < 0) continue;');
    }
  }
  return `'use strict';
return function writeKeys(columns, fate, count, keys) {
  const { starts, ends } = keys;
  let into = keys.bytes;
  let at = 0;
  ${frame.join('\n  ')}
  for (let i = 0; i < count; i++) {
    starts[i] = -1;
    if (fate[i] !== ${OPEN}) continue;
    if (at + ${MAX_KEY_BYTES} > into.length) into = keys.bytes = roomier(into, at);
    const limit = at + ${MAX_KEY_BYTES};
    let end = at;
    ${record.join('\n    ')}
    starts[i] = at;
    ends[i] = at = end;
  }
};`;
}

/** The same bytes, with room for at least one more key. */
function roomier(bytes: Buffer, used: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, used + MAX_KEY_BYTES));
  bytes.copy(larger, 0, 0, used);
  return larger;
}
