/** Mutations of well-formed bytes. */
type Mutation = (bytes: Buffer, below: (limit: number) => number, seeds: readonly Buffer[]) => Buffer;

/** Zigzag varints of 2⁶⁰, −2⁶⁰, 2³¹ and −2³¹: counts and lengths that no machine has memory for. */
const BOMBS = [
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
  [0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
  [0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
].map((bytes) => Buffer.from(bytes));
/** Openings without an end, in Avro (a branch, a block of one) and in JSON. */
const OPENERS = ['\u0002', '[', '{"a":', '{"id":[', '"\\u', '1e'].map((text) => Buffer.from(text));
const LARGEST = 1 << 20;

const MUTATIONS: readonly Mutation[] = [
  (bytes, below) => bytes.subarray(0, below(bytes.length + 1)),
  (_, below) => Buffer.from(Array.from({ length: below(40) }, () => below(256))),
  (bytes, below, seeds) => {
    const other = seeds[below(seeds.length)];
    return Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1))]);
  },
  (bytes, below) => put(bytes, below, BOMBS[below(BOMBS.length)]),
  (bytes, below) => put(bytes, below, repeat(OPENERS[below(OPENERS.length)], 1 + below(3_000))),
  flip,
  flip,
  flip,
  flip,
];

/** One of the seeds with one to three mutations; now and then a part of it is repeated up to a megabyte. */
export function mutate(seeds: readonly Buffer[], random: () => number): Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  let bytes = seeds[below(seeds.length)];
  for (let n = below(3); n >= 0; n--) bytes = MUTATIONS[below(MUTATIONS.length)](bytes, below, seeds);
  if (below(2_000) !== 0 || bytes.length === 0) return bytes;
  const from = below(bytes.length);
  const part = bytes.subarray(from, from + 1 + below(8));
  return put(bytes, below, repeat(part, Math.floor((LARGEST - bytes.length) / part.length)));
}

function flip(bytes: Buffer, below: (limit: number) => number): Buffer {
  const mutant = Buffer.from(bytes);
  for (let k = 1 + below(4); k > 0 && mutant.length > 0; k--) {
    const at = below(mutant.length);
    mutant[at] = below(2) === 0 ? mutant[at] ^ (1 << below(8)) : [0, 1, 2, 0x7f, 0x80, 0xff][below(6)];
  }
  return mutant;
}

function put(bytes: Buffer, below: (limit: number) => number, inserted: Buffer): Buffer {
  const at = below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
}

function repeat(part: Buffer, times: number): Buffer {
  return Buffer.alloc(part.length * Math.max(1, times), part);
}
