/** Up to here a native call costs more than it saves. */
const SHORT_BYTES = 256;

/** Copies `bytes` bytes of `source` from `start` to `at`; both must be long enough. The last bytes may be written twice. */
export function copyBytes(into: DataView, at: number, source: DataView, start: number, bytes: number): void {
  if (bytes > SHORT_BYTES) {
    bytesOf(into).set(new Uint8Array(source.buffer, source.byteOffset + start, bytes), at);
    return;
  }
  if (bytes < 8) {
    for (let k = 0; k < bytes; k++) into.setUint8(at + k, source.getUint8(start + k));
    return;
  }
  // Big numbers by name only: the compiler moves eight bytes from here to there, and makes none of them.
  const last = bytes - 8;
  for (let k = 0; k < last; k += 8) into.setBigInt64(at + k, source.getBigInt64(start + k, true), true);
  into.setBigInt64(at + last, source.getBigInt64(start + last, true), true);
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
