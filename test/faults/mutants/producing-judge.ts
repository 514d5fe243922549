/**
 * What producers promise, judged by what a broker has stored and by what was told; pure, and none of it is read with the code that
 * wrote it. I1, I2, I3, I5 and I8 are those of the ledger (judge.ts), of rows in place of inputs; no row may come twice, for no
 * send of these scenes is given up. Of sequences:
 * S1 those of one producer in one partition follow on one another, from 2³¹ - 1 to 0 · S2 no producer is left behind where
 * every send comes to an end, and one writes it all · S3 a row that is stored is the row that was given, byte by byte.
 */
import type { ReadBatch, ReadRecord } from '../../fixtures/kafka/read-batch.ts';

export interface Given {
  readonly partition: number;
  readonly key: string;
  /** Another one for each row. */
  readonly value: string;
  readonly timestampMs: number;
  told: 'acknowledged' | 'refused' | 'nothing';
}

export interface Produced {
  /** In the order in which they were given. */
  readonly given: readonly Given[];
  /** By partition, in the order of the log. */
  readonly logs: readonly (readonly ReadBatch[])[];
  /** Rows that were said to be possible duplicates. */
  readonly counted: number;
  /** Why producers were left behind, each. */
  readonly replaced: readonly string[];
  /** Why the pipeline would have ended. */
  readonly failures: readonly string[];
}

export type ProducingInvariant = 'I1' | 'I2' | 'I3' | 'I5' | 'I8' | 'S1' | 'S2' | 'S3';

export interface ProducingViolation {
  readonly invariant: ProducingInvariant;
  readonly what: string;
}

const SEQUENCES = 2 ** 31;

export function judgeProduced({ given, logs, counted, replaced, failures }: Produced): ProducingViolation[] {
  const violations: ProducingViolation[] = [];
  const violated = (invariant: ProducingInvariant, what: string): void => void violations.push({ invariant, what });
  const producers = new Set<bigint>();
  let copies = 0;
  for (const [partition, log] of logs.entries()) {
    const own = given.filter((row) => row.partition === partition);
    const stored = log.flatMap(({ records }) => records);
    const times = new Map<string, number>();
    for (const record of stored) times.set(String(record.value), (times.get(String(record.value)) ?? 0) + 1);
    for (const row of own) {
      const { value, told } = row;
      const n = times.get(value) ?? 0;
      if (told === 'acknowledged' && n === 0)
        violated('I1', `${value} is acknowledged, and not in partition ${partition}`);
      if (told === 'refused' && n > 0) violated('I2', `${value} is refused, and in partition ${partition}`);
      if (told === 'nothing') violated('I8', `nobody heard what became of ${value}: ${failures}`);
      copies += Math.max(0, n - 1);
    }
    const firsts = [...times.keys()];
    const expected = own.map(({ value }) => value).filter((value) => times.has(value));
    if (firsts.join() !== expected.join()) violated('I5', `partition ${partition} has ${firsts}, not ${expected}`);
    for (const record of stored) {
      const row = own.find(({ value }) => value === String(record.value));
      if (row === undefined || !isSame(row, record)) violated('S3', `nobody gave ${shown(record)}`);
    }
    const next = new Map<bigint, number>();
    for (const { producerId, sequence, records } of log) {
      producers.add(producerId);
      const due = next.get(producerId) ?? sequence;
      if (sequence < 0 || sequence !== due) violated('S1', `sequence ${sequence} of ${producerId}, not ${due}`);
      next.set(producerId, (sequence + records.length) % SEQUENCES);
    }
  }
  if (copies > 0) violated('I3', `${copies} rows came twice, of ${counted} that were said to be able to`);
  else if (counted > 0) violated('I3', `${counted} rows are said to be able to come twice, and cannot`);
  if (replaced.length > 0) violated('S2', `${replaced.length} producers were left behind: ${replaced}`);
  if (producers.size > 1 + replaced.length) violated('S2', `${producers.size} producers wrote`);
  return violations;
}

function isSame({ key, timestampMs }: Given, record: ReadRecord): boolean {
  return String(record.key) === key && record.timestamp === BigInt(timestampMs) && record.headers.length === 0;
}

const shown = ({ key, value, timestamp }: ReadRecord): string => `${key}=${value} of ${timestamp}`;
