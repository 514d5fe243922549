/**
 * Mutated payloads through everything that reads bytes from outside: Avro and JSON decoders, compiled for the example's schemas and
 * for random ones, and the reader of record batches. None may throw, none may hold the loop for more than 50 ms of processor
 * time, and memory may not grow.
 *
 * node test/faults/fuzz.ts [--seed 1] [--minutes 5 | --payloads 200000]
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { singly } from '../../src/adapters/kafka/record-batch/messages.ts';
import { decodeBatches, freshBudget } from '../../src/adapters/kafka/record-batch/read.ts';
import { compileAvroDecoder } from '../../src/codecs/avro/decoder.ts';
import { fieldsOf } from '../../src/codecs/avro/fields.ts';
import { compileJsonDecoder } from '../../src/codecs/json/decoder.ts';
import type { ColumnWant } from '../../src/codecs/types.ts';
import { batchOf, sealed } from '../fixtures/kafka/batches.ts';
import { seeded } from '../fixtures/random.ts';
import { RandomAvro } from '../unit/codecs/random-avro.ts';
import { columnsFor, oracle, want } from '../unit/codecs/support.ts';
import { mutate } from './mutations.ts';
import { record } from './report.ts';

/** Processor time that one payload may take. */
const LIMIT_MS = 50;
const PER_SUBJECT = 4_000;

export interface Fuzzed {
  payloads: number;
  taken: number;
  refused: number;
  slowestMs: number;
  /** Megabytes that the heap and its buffers had grown by at the end. */
  grownMiB: number;
}

interface Subject {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** Whether the payload was accepted as a value. */
  readonly read: (payload: Buffer) => boolean | Promise<boolean>;
}

const FLIGHT = JSON.parse(readFileSync(new URL('../../schemas/flight-departed.avsc', import.meta.url), 'utf8'));
const NODE = { type: 'record', name: 'Node', fields: [{ name: 'children', type: { type: 'array', items: 'Node' } }] };
const CELL = { type: 'record', name: 'Cell', fields: [{ name: 'next', type: ['null', 'Cell'] }] };
/** Nested values, repeated values, and repeated empty ones. */
const TANGLE = {
  type: 'record',
  name: 'Tangle',
  fields: [
    { name: 'tree', type: NODE },
    { name: 'list', type: ['null', CELL] },
    { name: 'nulls', type: { type: 'array', items: 'null' } },
    { name: 'map', type: { type: 'map', values: { type: 'array', items: { type: 'fixed', name: 'None', size: 0 } } } },
    { name: 'image', type: { type: 'array', items: 'float' } },
    { name: 'raw', type: 'bytes' },
    { name: 'id', type: 'long' },
  ],
};
const TANGLED = {
  tree: { children: [{ children: [] }, { children: [{ children: [] }] }] },
  list: { Cell: { next: { Cell: { next: null } } } },
  nulls: [null, null],
  map: { a: [Buffer.alloc(0)] },
  image: [1, 2, 3],
  raw: Buffer.alloc(8, 1),
  id: 12_345n,
};

/** Throws the failure that a payload caused, together with the payload. */
export async function fuzz(options: {
  readonly seed: number;
  readonly goOn: (payloads: number) => boolean;
}): Promise<Fuzzed> {
  const random = seeded(options.seed);
  const avro = new RandomAvro(random);
  const result: Fuzzed = { payloads: 0, taken: 0, refused: 0, slowestMs: 0, grownMiB: 0 };
  const before = held();
  for (let turn = 0; options.goOn(result.payloads); turn++) {
    const subject = await subjectOf(turn, avro);
    for (let n = 0; n < PER_SUBJECT && options.goOn(result.payloads); n++) {
      const payload = mutate(subject.seeds, random);
      const startedMs = performance.now();
      const taken = await attempt(subject, payload);
      const tookMs = performance.now() - startedMs;
      result.payloads++;
      result[taken ? 'taken' : 'refused']++;
      const slowestMs = tookMs > LIMIT_MS ? await alone(subject, payload) : tookMs;
      result.slowestMs = Math.max(result.slowestMs, slowestMs);
      if (slowestMs > LIMIT_MS)
        throw new Error(`${subject.name}: ${Math.round(slowestMs)} ms of processor time for ${shown(payload)}`);
    }
  }
  result.grownMiB = (held() - before) / 2 ** 20;
  return result;
}

async function attempt({ name, read }: Subject, payload: Buffer): Promise<boolean> {
  try {
    return await read(payload);
  } catch (error) {
    throw new Error(`${name} threw on ${shown(payload)}`, { cause: error });
  }
}

/** Processor time, the least of three: other work on the machine and garbage collection do not count against the payload. */
async function alone(subject: Subject, payload: Buffer): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 3; n++) {
    const before = process.cpuUsage();
    await attempt(subject, payload);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

async function subjectOf(turn: number, avro: RandomAvro): Promise<Subject> {
  switch (turn % 6) {
    case 0:
      return avroSubject('flight', FLIGHT, avro, () => oracle(FLIGHT).toBuffer(flight(avro)));
    case 1:
      return avroSubject('tangle', TANGLE, avro, () => oracle(TANGLE).toBuffer(TANGLED));
    case 2:
      return jsonSubject(avro);
    case 3:
      return batchSubject(avro);
    default: {
      const schema = avro.schema();
      const type = oracle(schema);
      return avroSubject(JSON.stringify(schema), schema, avro, () => type.toBuffer(avro.value(schema)));
    }
  }
}

function flight(avro: RandomAvro): object {
  const place = (): object | null => (avro.below(4) === 0 ? null : { string: avro.pick(['ATL', 'JFK', '漢字']) });
  const distance = { int: avro.below(5_000) };
  return { id: BigInt(avro.below(1e9)), departed_at: 1n, origin: place(), destination: place(), distance };
}

function avroSubject(name: string, schema: unknown, avro: RandomAvro, value: () => Buffer): Subject {
  const wants: readonly ColumnWant[] = fieldsOf(schema).flatMap(({ name: field, kind }) =>
    kind === 'other' || avro.below(4) === 0 ? [] : [want(field, kind, kind === 'vector' ? 3 : 1)],
  );
  const decoder = compileAvroDecoder({ writer: schema, wants });
  const read = (payload: Buffer): boolean => decoder.bind(payload, columnsFor(wants, 1, payload))(0, payload.length, 0);
  return { name, seeds: Array.from({ length: 10 }, value), read };
}

function jsonSubject(avro: RandomAvro): Subject {
  const fields = [
    { name: 'id', type: 'long' },
    { name: 'origin', type: ['null', 'string'] },
    { name: 'x', type: ['null', 'double'] },
    { name: 'image', type: { type: 'array', items: 'float' } },
  ];
  const wants = [want('id', 'long'), want('origin', 'string'), want('x', 'number'), want('image', 'vector', 3)];
  const decoder = compileJsonDecoder({ schema: { type: 'record', name: 'Event', fields }, wants });
  const seeds = Array.from({ length: 10 }, (_, id) =>
    Buffer.from(
      JSON.stringify({
        id,
        origin: avro.pick(['ATL', 'Zürich', '\u{1f6eb}"\\', null]),
        x: avro.pick([1, -0.5, 1e300, null]),
        image: [1, 2, 3],
        more: { deep: [{ er: [[], {}] }] },
      }),
    ),
  );
  const read = (payload: Buffer): boolean => decoder.bind(payload, columnsFor(wants, 1, payload))(0, payload.length, 0);
  return { name: 'json', seeds, read };
}

/** Half of them with a valid checksum over the mutated bytes, as an attacker would send them. */
async function batchSubject(avro: RandomAvro): Promise<Subject> {
  const header = { h: Buffer.from('v'), __proto: [Buffer.from('a'), Buffer.from('b')] };
  const records = [
    { key: Buffer.from('k'), value: Buffer.from('v'), headers: header },
    { value: Buffer.alloc(200, 3) },
  ];
  const seeds = [await batchOf(records), await batchOf(records, { compression: 1 })];
  return {
    name: 'record batch',
    seeds,
    async read(payload) {
      const bytes = Buffer.from(payload);
      if (bytes.length > 61 && avro.below(2) === 0) {
        bytes.writeInt32BE(bytes.length - 12, 8);
        sealed(bytes);
      }
      const messages = await singly(await decodeBatches(bytes, freshBudget()));
      return messages.length > 0 && messages.every(({ unread }) => unread === undefined);
    },
  };
}

function shown(payload: Buffer): string {
  return `${payload.length} bytes ${payload.toString('base64', 0, 600)}`;
}

function held(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      payloads: { type: 'string', default: '1000000' },
    },
  });
  const untilMs = performance.now() + Number(values.minutes) * 60_000;
  const goOn = (payloads: number): boolean =>
    values.minutes === undefined ? payloads < Number(values.payloads) : performance.now() < untilMs;
  const done = await fuzz({ seed: Number(values.seed), goOn });
  process.stdout.write(`${JSON.stringify(done)}\n`);
  record({
    rows: [17],
    test: 'fuzz',
    faults: { payload: done.payloads },
    invariants: ['I12'],
    seed: Number(values.seed),
  });
}
