/**
 * Whether a contestant did the job: outputs equal ONNX Runtime's for the same rows, with keys and headers.
 * A sample from the beginning of each partition; duplicates are allowed by contract and not a fault here.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Workload } from '../workloads/workloads.ts';
import { Cursor, type ReadRecord, readBatches } from './batches.ts';
import { PARTITIONS, type Pool } from './stage.ts';
import type { Wire } from './wire.ts';

const PER_PARTITION = 2_000;
const TOLERANCE = 1e-5;
const RUN_ROWS = 512;

/** Predictions by `ID@TIME`. */
export type Expected = ReadonlyMap<string, Float32Array>;

export async function expectedOf(workload: Workload, pool: Pool): Promise<Expected> {
  const session = await InferenceSession.create(workload.model, { intraOpNumThreads: 1 });
  const expected = new Map<string, Float32Array>();
  for (let from = 0; from < pool.samples.length; from += RUN_ROWS) {
    const part = pool.samples.slice(from, from + RUN_ROWS);
    const rows = new Float32Array(part.length * workload.width);
    for (const [i, { row }] of part.entries()) rows.set(row, i * workload.width);
    const tensor = new Tensor('float32', rows, [part.length, ...(workload.shape ?? [workload.width])]);
    const scores = (await session.run({ [workload.input]: tensor }))[workload.output].data as Float32Array;
    const each = scores.length / part.length;
    for (const [i, { id, atMs }] of part.entries()) {
      expected.set(`${id}@${atMs}`, scores.slice(i * each, (i + 1) * each));
    }
  }
  return expected;
}

/** Throws at the first wrong output; returns how many were compared. */
export async function verify(wire: Wire, topic: string, workload: Workload, expected: Expected): Promise<number> {
  let compared = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    // The other partitions are fetched at their ends, where there is nothing.
    const ends = await wire.ends(topic, PARTITIONS);
    if (ends[partition] === 0) continue;
    const fetched = await wire.fetch(
      topic,
      ends.map((end, p) => (p === partition ? 0 : end)),
    );
    const sources: number[] = [];
    let left = PER_PARTITION;
    readBatches(fetched.find((part) => part.partition === partition)?.records ?? Buffer.alloc(0), (record) => {
      if (left-- <= 0) return;
      compare(record, workload.codec, expected);
      sources.push(Number(record.headers['sluice-source'].split('/')[2]));
      compared++;
    });
    if (workload.skew === 0) checkGapless(sources, `${topic}/${partition}`);
  }
  if (compared === 0) throw new Error(`${topic} holds nothing to compare`);
  return compared;
}

/** Input and output are partitioned alike, so one output partition answers one input partition from its first record on. */
function checkGapless(offsets: readonly number[], where: string): void {
  const distinct = new Set(offsets);
  const last = offsets.reduce((most, offset) => Math.max(most, offset), -1);
  if (last + 1 !== distinct.size) throw new Error(`${where}: ${distinct.size} records answered up to offset ${last}`);
}

function compare(record: ReadRecord, codec: Workload['codec'], expected: Expected): void {
  const { id, atMs, scores } = readPrediction(record.value, codec);
  const wanted = expected.get(`${id}@${atMs}`);
  const where = `output ${record.offset} (${id} at ${atMs})`;
  if (wanted === undefined) throw new Error(`${where} answers no input`);
  if (record.key.toString() !== id) throw new Error(`${where} has the key ${record.key}`);
  if (record.headers['sluice-source'] === undefined || record.headers['sluice-model'] === undefined) {
    throw new Error(`${where} lacks a header: ${JSON.stringify(record.headers)}`);
  }
  for (const [i, score] of wanted.entries()) {
    if (!(Math.abs(scores[i] - score) <= TOLERANCE)) throw new Error(`${where} says ${scores[i]}, the model ${score}`);
  }
}

export function readPrediction(
  value: Buffer,
  codec: Workload['codec'],
): { id: string; atMs: number; scores: number[] } {
  if (codec === 'json') {
    const { id, at, scores } = JSON.parse(value.toString()) as { id: string; at: number; scores: number[] };
    return { id, atMs: at, scores };
  }
  const cursor = new Cursor(value, 5);
  const id = cursor.bytes().toString();
  const atMs = cursor.varint();
  const count = codec === 'avro' ? cursor.varint() : 1;
  const scores = Array.from({ length: count }, (_, i) => value.readFloatLE(cursor.at + 4 * i));
  return { id, atMs, scores };
}
