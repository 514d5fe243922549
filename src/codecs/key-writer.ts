import type { Column } from '../kernel/columns.ts';
import { OPEN } from '../kernel/fate.ts';
import { MAX_KEY_BYTES, putEntry } from './key-template.ts';
import type { KeyTemplate } from './types.ts';

/** Keys of records, side by side: that of record i is bytes[starts[i]..ends[i]), and its start is -1 where it is missing. */
export interface RecordKeys {
  bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Writes the keys of all records that are OPEN, as `writeKey` would one by one. `bytes` may be another, larger one afterwards. */
export type KeysWriter = (columns: readonly Column[], fate: Uint8Array, count: number, keys: RecordKeys) => void;

/**
 * A writer of the keys of a frame, generated: a part that is text is stores, one that is a field of text is a loop over bytes,
 * and which field it is was decided before the first record. Made anew where a field's column is of another kind than before.
 *
 * Promise: the code consists of names made here and numbers; what a template says is in it as bytes.
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

/** The same bytes with room for one more key at least. */
function roomier(bytes: Buffer, used: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, used + MAX_KEY_BYTES));
  bytes.copy(larger, 0, 0, used);
  return larger;
}
