import { decodeHeaders } from '../../../kernel/headers.ts';
import type { RecordSlab } from '../../../kernel/record-slab.ts';

/** A dead letter as a line of JSON: its `__dlq.errors.*` headers by name, and the value as text where it is text, else base64. */
export function deadLetterLines(rows: RecordSlab): string {
  let text = '';
  for (let i = 0; i < rows.count; i++) {
    const line: Record<string, unknown> = {};
    for (const { name, value } of decodeHeaders(rows.arena.subarray(rows.headersStart[i], rows.headersEnd[i]))) {
      line[name.replace(/^__dlq\.errors\./, '')] = value?.toString('utf8') ?? null;
    }
    if (rows.valueStart[i] < 0) line.value = null;
    else Object.assign(line, textOrBase64(rows.arena.subarray(rows.valueStart[i], rows.valueEnd[i])));
    text += `${JSON.stringify(line)}\n`;
  }
  return text;
}

function textOrBase64(bytes: Buffer): { value: string } | { valueBase64: string } {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { value: text } : { valueBase64: bytes.toString('base64') };
}
