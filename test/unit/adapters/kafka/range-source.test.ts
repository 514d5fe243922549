/** Ranges of a topic as a source, against the embedded broker: whatever it answers, each record once, in order. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRangeSource, type RangeSourceOptions } from '../../../../src/adapters/kafka/range-source.ts';
import { createBroker, type EmbeddedBroker } from '../../../../src/devstack/kafka/broker.ts';
import type { Fault, RequestInfo } from '../../../../src/devstack/kafka/server.ts';
import { Answered } from '../../../../src/kernel/bounded-source.ts';
import { Credit } from '../../../../src/kernel/credit.ts';
import type { Frame } from '../../../../src/kernel/frame.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { SourceListener } from '../../../../src/ports/source.ts';
import { seeded } from '../../../fixtures/random.ts';
import { quietKafka } from '../../../fixtures/reader.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const FETCH = 1;
const ERROR = { outOfRange: 1, notLeader: 6 };
const LIMIT = { timeout: 60_000 };
const RECORDS = 200;

let broker: EmbeddedBroker;
let fault: () => Fault | undefined = () => undefined;
before(async () => {
  const onRequest = ({ apiKey, clientId }: RequestInfo): Fault | undefined =>
    apiKey === FETCH && clientId === 'range' ? fault() : undefined;
  broker = await createBroker({ brokers: 2, log: () => {}, hooks: { onRequest } });
  broker.createTopic('t', { partitions: 3 });
  const producer = quietKafka(broker.brokers.join(','), 'writer').producer();
  await producer.connect();
  for (let i = 0; i < RECORDS; i += 7) {
    const messages = Array.from({ length: Math.min(7, RECORDS - i) }, (_, k) => ({ value: `v${i + k}`, partition: 1 }));
    await producer.send({ topic: 't', messages: [...messages, { value: `w${i}`, partition: 2 }] });
  }
  await producer.disconnect();
});
after(() => broker?.close());

interface Read {
  /** `partition:offset value`, in the order in which they came. */
  readonly records: string[];
  readonly failed: string | undefined;
  readonly telemetry: RecordingTelemetry;
  readonly settled: ReadonlyMap<number, number>;
}

/** Takes frames as a pipeline does, and settles each a turn later. */
async function read(options: Partial<RangeSourceOptions> & Pick<RangeSourceOptions, 'ranges'>): Promise<Read> {
  const telemetry = new RecordingTelemetry();
  const credit = new Credit({ maxRecords: 50, maxBytes: 10_000 });
  const source = createRangeSource(
    { clock: createSystemClock(), telemetry, random: seeded(1), credit },
    {
      ...{ brokers: broker.brokers, clientId: 'range', topic: 't', limit: Number.POSITIVE_INFINITY },
      ...{ onProgress: () => undefined, frameRecords: 16, fetchMaxBytes: 400, reachWithinMs: 5_000 },
      ...options,
    },
  );
  const records: string[] = [];
  const positions: { readonly origin: Frame['origin']; readonly offset: number }[] = [];
  const take = async (frame: Frame): Promise<void> => {
    const { origin, offsets, arena, valueStart, valueEnd } = frame;
    for (let i = 0; i < frame.count; i++) {
      const value = arena.toString('utf8', valueStart[i], valueEnd[i]);
      records.push(`${origin.partition}:${offsets[i]} ${value}`);
    }
    await new Promise(setImmediate);
    frame.unsettled = 0;
    credit.give(frame.count, frame.bytes);
    frame.giveBack?.();
    positions.push({ origin, offset: frame.nextOffset });
  };
  const failed = await new Promise<string | undefined>((resolve) => {
    const listener: Partial<SourceListener> = {
      onAssigned: () => undefined,
      onFrame: (frame) => void take(frame),
      async onAlone(frame) {
        await take(frame);
        if (frame.count > 0) return;
        // Time enough for a partition that does not wait for the one before it.
        const { length } = records;
        for (let turn = 0; turn < 2_000 && records.length === length; turn++) await new Promise(setImmediate);
        records.push(`${frame.origin.partition}:end`);
      },
      onEnd: () => resolve(undefined),
      onFailed: (error) => resolve(`${error.code}: ${error.message}`),
    };
    void source.start(listener as SourceListener);
  });
  while (credit.records > 0) await new Promise(setImmediate);
  await source.commit(positions);
  await source.halt();
  await source.close();
  return { records, failed, telemetry, settled: source.settled() };
}

const all = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `1:${from + i} v${from + i}`);

test('a range comes whole, in order, one partition behind the other; empty ones too', LIMIT, async () => {
  const ranges = new Map([
    [0, { from: 0, to: 0 }],
    [1, { from: 3, to: 150 }],
    [2, { from: 27, to: 29 }],
  ]);
  const { records, failed, settled } = await read({ ranges });
  assert.equal(failed, undefined);
  assert.deepEqual(records, ['0:end', ...all(3, 150), '1:end', '2:27 w189', '2:28 w196', '2:end']);
  assert.deepEqual(settled, new Map([...ranges].map(([partition, { to }]) => [partition, to])));
});

test('brokers that hang up, and leaders that move, cost no record and bring none twice', LIMIT, async () => {
  const random = seeded(5);
  fault = () => {
    const dice = random();
    if (dice < 0.2) return { closeConnection: true };
    return dice < 0.4 ? { errorCode: ERROR.notLeader } : undefined;
  };
  try {
    const reading = read({ ranges: new Map([[1, { from: 0, to: RECORDS }]]), frameRecords: 7 });
    broker.moveLeader('t', 1, 2);
    const { records, failed, telemetry } = await reading;
    assert.equal(failed, undefined);
    assert.deepEqual(records, [...all(0, RECORDS), '1:end']);
    assert.ok([...telemetry.counters].some(([name, n]) => name.startsWith('sluice_retries_total') && n > 0));
  } finally {
    fault = () => undefined;
  }
});

test('what was answered before is passed over, and counts for the limit', LIMIT, async () => {
  const gone = [0, 1, 5, 16, 17, 31, 32, 33, 99];
  const answered = new Answered(new Map([[1, new Set(gone)]]));
  const ranges = new Map([[1, { from: 0, to: RECORDS }]]);
  const { records } = await read({ ranges, answered, limit: 60 });
  const rest = all(0, RECORDS).filter((_, offset) => !gone.includes(offset));
  assert.deepEqual(records, rest.slice(0, 60 - 8));
  assert.equal(answered.left, 1);
});

for (const [at, limit, settled] of [
  ['of its partition', Number.POSITIVE_INFINITY, RECORDS],
  ['that the limit allows', 150, 150],
] as const) {
  test(`behind the last record ${at} the position is behind what was passed over, too`, LIMIT, async () => {
    const last = settled - 1;
    const answered = new Answered(new Map([[1, new Set([3, last - 1, last])]]));
    const ranges = new Map([[1, { from: 0, to: RECORDS }]]);
    const { records, settled: reached } = await read({ ranges, answered, limit });
    const rest = all(0, last + 1).filter((_, offset) => ![3, last - 1, last].includes(offset));
    assert.deepEqual(records, [...rest, '1:end']);
    assert.deepEqual(reached, new Map([[1, settled]]));
    assert.equal(answered.isBefore(reached), true);
  });
}

test('an answered record that ends its partition is passed when the partition is', LIMIT, async () => {
  const answered = new Answered(new Map([[1, new Set([RECORDS - 1])]]));
  await read({
    ranges: new Map([
      [1, { from: 190, to: RECORDS }],
      [2, { from: 27, to: 29 }],
    ]),
    answered,
  });
  assert.equal(answered.left, 0);
});

test('stops come where everything before is settled, whatever the frames', LIMIT, async () => {
  const stops: number[] = [];
  let asked = 0;
  const { records } = await read({
    ranges: new Map([[1, { from: 0, to: RECORDS }]]),
    stops: {
      due: () => ++asked % 3 === 0,
      at: async (next) => void stops.push(next.get(1) as number),
    },
  });
  assert.deepEqual(records, [...all(0, RECORDS), '1:end']);
  assert.ok(stops.length > 2 && stops.every((offset, i) => offset > (stops[i - 1] ?? 0)), stops.join());
});

test('what is deleted while it is read ends the run, and is named', LIMIT, async () => {
  let n = 0;
  fault = () => (++n === 3 ? { errorCode: ERROR.outOfRange } : undefined);
  const { records, failed } = await read({ ranges: new Map([[1, { from: 0, to: RECORDS }]]) });
  fault = () => undefined;
  assert.match(
    failed ?? '',
    /^offset-out-of-range: t\/1 was read up to offset \d+, and begins at offset 0: what is between was deleted meanwhile, by retention or a purge; begin anew, which reads what is left$/,
  );
  assert.deepEqual(records, all(0, records.length));
});
