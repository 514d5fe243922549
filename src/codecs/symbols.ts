/** Index of the symbol that bytes[start..end) spell, or -1. */
export function symbolAt(symbols: readonly Buffer[], bytes: Buffer, start: number, end: number): number {
  for (let k = 0; k < symbols.length; k++) {
    const symbol = symbols[k];
    if (symbol.length !== end - start) continue;
    let same = 0;
    while (same < symbol.length && symbol[same] === bytes[start + same]) same++;
    if (same === symbol.length) return k;
  }
  return -1;
}
