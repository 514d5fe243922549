/**
 * Records of the workloads, as an upstream producer writes them: seeded, so that every run and every peer sees the same.
 * `row` is the model's input for a record; the peers and Sluice's bundle must produce the same.
 */
import { seeded } from '../../test/fixtures/random.ts';
import { type KeyValue, writeVarint } from '../harness/batches.ts';
import { FEATURES_A_KEY, featureTable, keyOf } from './features.ts';
import type { Workload } from './workloads.ts';

const SEED = 20_010_601;
/** Of the pool: past, and six bytes as a varint, as any time between 2004 and 2039. */
const FIRST_MS = 1_750_000_000_000;
const DAY_MS = 86_400_000;
const INPUT_SCHEMA = 1;
const NOTHING = new Float64Array(0);

/** Mean and spread of the twelve readings, in the order of sensor-reading.avsc. */
const READINGS = [
  [45, 12],
  [50, 15],
  [1010, 9],
  [0, 1],
  [0, 1],
  [0, 1],
  [230, 4],
  [12, 3],
  [1500, 300],
  [8, 2],
  [0.5, 0.15],
  [60, 8],
];

export interface Sample extends KeyValue {
  readonly id: string;
  readonly atMs: number;
  readonly row: Float32Array;
}

export function* samples(workload: Workload): Generator<Sample> {
  const random = seeded(SEED);
  const keys = workload.features?.keys ?? 0;
  const drawKey = keys === 0 ? undefined : zipf(keys, 0.99, random);
  const table = featureTable(keys);
  for (let i = 0; i < workload.pool; i++) {
    const key = drawKey?.() ?? (i * 7_919) % 100_000;
    const id = keyOf(key);
    const atMs = FIRST_MS + i * 37;
    const numbers = numbersOf(workload, random);
    const body = { id, atMs, numbers };
    const value = workload.codec === 'json' ? jsonOf(body) : avroOf(body, workload.codec);
    const known = keys === 0 ? NOTHING : table.subarray(key * FEATURES_A_KEY, (key + 1) * FEATURES_A_KEY);
    yield { id, atMs, key: Buffer.from(id), value, row: rowOf(body, workload, known) };
  }
}

interface Body {
  readonly id: string;
  readonly atMs: number;
  readonly numbers: readonly number[];
}

function numbersOf({ codec, width }: Workload, random: () => number): number[] {
  if (codec === 'light') return READINGS.map(([mean, spread]) => mean + spread * 2 * (random() + random() - 1));
  if (codec === 'enriched') return Array.from({ length: 4 }, () => random() * 2 - 1);
  return Array.from({ length: width }, () => Math.round(random() * 1e6) / 1e6);
}

function rowOf({ atMs, numbers }: Body, { codec }: Workload, known: Float64Array): Float32Array {
  if (codec !== 'light') return Float32Array.from([...numbers, ...known]);
  const [x, y, z, volts, amperes, rpm] = numbers.slice(3);
  const load = numbers[10];
  const made = [(atMs % DAY_MS) / DAY_MS, (volts * amperes) / 1000, x * x + y * y + z * z, load - rpm / 3000];
  return Float32Array.from([...numbers, ...made]);
}

function avroOf({ id, atMs, numbers }: Body, codec: Workload['codec']): Buffer {
  const value = Buffer.alloc(32 + 8 * numbers.length);
  let at = value.writeInt32BE(INPUT_SCHEMA, 1);
  at = writeVarint(value, at, id.length);
  at += value.write(id, at, 'latin1');
  at = writeVarint(value, at, atMs);
  if (codec !== 'avro') {
    for (const number of numbers) at = value.writeDoubleLE(number, at);
    return value.subarray(0, at);
  }
  at = writeVarint(value, at, numbers.length);
  for (const number of numbers) at = value.writeFloatLE(number, at);
  value[at++] = 0;
  return value.subarray(0, at);
}

function jsonOf({ id, atMs, numbers }: Body): Buffer {
  return Buffer.from(JSON.stringify({ id, at: atMs, values: numbers }));
}

/** Replaces the time in a value; the number of bytes stays the same. */
export function stamp(value: Buffer, codec: Workload['codec'], atMs: number): void {
  if (codec === 'json') value.write(String(atMs), value.indexOf('"at":') + 5, 'latin1');
  else writeVarint(value, 6 + value[5] / 2, atMs);
}

/** Rank by inverting the cumulated weights; which key has which rank is fixed. */
function zipf(keys: number, exponent: number, random: () => number): () => number {
  const cumulated = new Float64Array(keys);
  let sum = 0;
  for (let i = 0; i < keys; i++) {
    sum += (i + 1) ** -exponent;
    cumulated[i] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulated[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return (low * 7_919) % keys;
  };
}
