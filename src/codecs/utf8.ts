import { isUtf8 } from 'node:buffer';

/** From this length on, the native check beats our own loop, which needs no view. */
const NATIVE_FROM_BYTES = 48;

/** Whether bytes[start..end) are well-formed UTF-8. */
export function validUtf8(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < NATIVE_FROM_BYTES) {
    let at = start;
    while (at < end && bytes[at] < 0x80) at++;
    if (at === end) return true;
  }
  return isUtf8(bytes.subarray(start, end));
}
