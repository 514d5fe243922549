/** `did you mean X? `, or nothing if no known word is near. Of two equally near words, one that begins with `word` wins. */
export function didYouMean(word: string, known: readonly string[]): string {
  const { length } = word.slice(word.lastIndexOf('.') + 1);
  const limit = length <= 4 ? 1 : length <= 8 ? 2 : 3;
  const rank = (candidate: string): number => distance(word, candidate) - (candidate.startsWith(word) ? 0.5 : 0);
  const ranked = known.map((candidate) => ({ candidate, rank: rank(candidate) })).filter((one) => one.rank <= limit);
  const [best] = ranked.sort((a, b) => a.rank - b.rank);
  return best === undefined ? '' : `did you mean ${best.candidate}? `;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const plain = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(swapped ? Math.min(plain, beforeLast[j - 2] + 1) : plain);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
