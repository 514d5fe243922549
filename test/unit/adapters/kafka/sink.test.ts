import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKafkaSink } from '../../../../src/adapters/kafka/sink.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { createModelBroker, type Fate } from '../../../fixtures/kafka/model-broker.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const TOPIC = 'out';

function slabOf(...values: string[]): RecordSlab {
  const slab = new RecordSlab(4, 64);
  for (const value of values) slab.append(1_700_000_000_000, null, Buffer.from(value), null);
  return slab;
}

async function opened(partitions = 1, sendWithinMs = 15_000) {
  const model = createModelBroker(partitions);
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const sink = createKafkaSink(
    { clock, telemetry, random: seeded(3), createClient: () => model.kafka },
    { brokers: ['model:9092'], clientId: 'model', sendWithinMs },
  );
  await clock.run(sink.open([TOPIC]));
  const send = (values: readonly string[], partition = 0): Promise<void> =>
    clock.run(sink.send(TOPIC, partition, slabOf(...values)));
  const duplicates = (): number => telemetry.count('sluice_duplicates_possible_total');
  const replaced = (): number => telemetry.eventsNamed('producer-replaced').length;
  return { model, clock, telemetry, sink, send, duplicates, replaced };
}

/** Each of these befalls attempts one after the other; what follows is well. */
function fates(...list: Fate[]): () => Fate {
  return () => list.shift() ?? 'ok';
}

for (const [title, first] of [
  ['a request that is lost', 'lost'],
  ['an answer that is lost', 'unanswered'],
  ['no connection', 'unreached'],
  ['a broker that does not lead any more', 6],
  ['a broker without enough replicas', 19],
  ['replicas that took too long, when it is written', { written: 7 }],
  ['replicas that were too few behind the append', { written: 20 }],
  ['a leader that changed behind the append', { written: 6 }],
] as const) {
  test(`${title}: the same bytes again, once in the log, no duplicates counted`, async () => {
    const { model, send, duplicates, replaced } = await opened();
    await send(['a', 'b']);
    const before = model.attempts.length;
    model.fate = fates(first, first, first);
    await send(['c', 'd']);
    await send(['e', 'f']);
    assert.deepEqual(model.values(TOPIC, 0), ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.deepEqual([duplicates(), replaced(), model.ids], [0, 0, 1]);
    const tries = model.attempts.slice(before, -1);
    assert.equal(tries.length, 4);
    assert.ok(tries.every(({ batch }) => batch.equals(tries[0].batch)));
    const open = typeof first === 'string' ? tries.slice(0, -1) : [];
    assert.ok(
      open.every(({ wire, sent }) => wire.equals(sent)),
      'what may still lie in a socket is not changed',
    );
  });
}

test('memory of an answered request is used again, of one that may still lie in a socket never', async () => {
  const { model, send } = await opened();
  for (const value of ['a', 'b', 'c']) await send([value]);
  assert.equal(new Set(model.attempts.map(({ wire }) => wire.buffer)).size, 1);
  model.fate = fates('unanswered');
  await send(['d']);
  const [lost] = model.attempts.slice(3);
  for (const value of ['e', 'f']) await send([value]);
  assert.ok(lost.wire.equals(lost.sent));
});

test('a leader that moved is found at the next attempt, under the same sequence', async () => {
  const { model, send } = await opened();
  await send(['a']);
  model.leader = 2;
  await send(['b']);
  assert.deepEqual(model.values(TOPIC, 0), ['a', 'b']);
  assert.deepEqual(
    model.attempts.map(({ nodeId }) => nodeId),
    [1, 1, 2],
  );
});

test('bytes that were sent before and are called a duplicate are written', async () => {
  const { model, send, duplicates, replaced } = await opened();
  model.fate = fates('unanswered', 46);
  await send(['a']);
  await send(['b']);
  assert.deepEqual(model.values(TOPIC, 0), ['a', 'b']);
  assert.deepEqual([duplicates(), replaced()], [0, 0]);
});

for (const [title, code] of [
  ['a duplicate that nobody sent', 46],
  ['out of order', 45],
  ['an unknown producer', 59],
  ['an old epoch', 47],
] as const) {
  test(`${title}: the producer is given up at once, nothing was written, and the next one begins anew`, async () => {
    const { model, send, duplicates, replaced } = await opened();
    await send(['a']);
    model.fate = fates(code);
    const before = model.attempts.length;
    await assert.rejects(send(['b']), { disposition: 'retry' });
    assert.equal(model.attempts.length, before + 1);
    assert.equal(duplicates(), code === 46 ? 1 : 0);
    assert.deepEqual([replaced(), model.ids], [1, 1]);
    await send(['c']);
    assert.equal(model.ids, 2);
    assert.deepEqual(model.values(TOPIC, 0), ['a', 'c']);
  });
}

test('a send given up in doubt leaves its sequence behind: other rows of equal number are written', async () => {
  const { model, send, duplicates, replaced } = await opened(1, 0);
  await send(['a', 'b']);
  model.fate = fates('unanswered');
  await assert.rejects(send(['c', 'd']), { disposition: 'retry' });
  assert.deepEqual([duplicates(), replaced()], [2, 1]);
  await send(['x', 'y']);
  assert.deepEqual(model.values(TOPIC, 0), ['a', 'b', 'c', 'd', 'x', 'y']);
});

test('doubt outlives what later attempts meet', async () => {
  const { model, send, duplicates } = await opened(1, 500);
  model.fate = fates('unanswered', ...Array.from({ length: 30 }, () => 'unreached' as const));
  await assert.rejects(send(['a']), { disposition: 'retry' });
  assert.equal(duplicates(), 1);
});

test('rows that never left are no duplicates, however often it was tried', async () => {
  const { model, send, duplicates } = await opened(1, 500);
  model.fate = () => 'unreached';
  await assert.rejects(send(['a']), { disposition: 'retry' });
  assert.equal(duplicates(), 0);
});

test('too large, or never to be taken: told as such; producer and sequence go on', async () => {
  const { model, send, replaced } = await opened();
  await send(['a']);
  model.maxBytes = 200;
  await assert.rejects(send(['b'.repeat(300)]), { code: 'record-too-large', disposition: 'dead-letter' });
  model.fate = fates(32);
  await assert.rejects(send(['c']), { code: 'record-refused' });
  await send(['d']);
  assert.deepEqual(model.values(TOPIC, 0), ['a', 'd']);
  assert.deepEqual([replaced(), model.ids], [0, 1]);
});

test('too large after an attempt in doubt: the sequence may be taken, so the producer is given up', async () => {
  const { model, send, duplicates, replaced } = await opened();
  model.fate = fates('lost', 10);
  await assert.rejects(send(['a']), { code: 'record-too-large' });
  assert.deepEqual([duplicates(), replaced()], [1, 1]);
});

test('a topic that was deleted holds what is sent there, for as long as it is gone, and nothing else', async () => {
  const { model, send, sink, clock } = await opened();
  await clock.run(sink.open([TOPIC, 'dead']));
  await clock.run(sink.send('dead', 0, slabOf('x')));
  model.missing.add('dead');
  await assert.rejects(clock.run(sink.send('dead', 0, slabOf('y'))), {
    code: 'broker-rejected',
    message: /what is sent there waits/,
  });
  await send(['a']);
  assert.deepEqual(model.values(TOPIC, 0), ['a']);
  model.missing.delete('dead');
  await clock.run(sink.send('dead', 0, slabOf('y')));
  assert.deepEqual(model.values('dead', 0), ['x', 'y']);
});

test('partitions share a producer, and each has sequences of its own', async () => {
  const { model, send, clock, sink } = await opened(3);
  const all = (...values: string[]) =>
    clock.run(Promise.all([0, 1, 2].map((partition) => sink.send(TOPIC, partition, slabOf(...values)))));
  await all('a', 'b');
  model.fate = ({ partition }) => (partition === 1 && model.attempts.length < 8 ? 19 : 'ok');
  await all('c');
  await send(['d'], 1);
  assert.deepEqual(
    [0, 1, 2].map((partition) => model.values(TOPIC, partition).join('')),
    ['abc', 'abcd', 'abc'],
  );
  assert.equal(model.ids, 1);
});

test('what is sent to a broker in one turn is one request; each partition hears its own answer', async () => {
  const { model, clock, sink, duplicates } = await opened(4, 0);
  const all = (...values: string[]) =>
    clock.run(Promise.allSettled([0, 1, 2, 3].map((partition) => sink.send(TOPIC, partition, slabOf(...values)))));
  await all('a');
  assert.equal(model.requests, 1);
  model.fate = ({ partition }) => [10, 'ok', 19, 45][partition] as Fate;
  const outcomes = await all('b');
  assert.deepEqual(
    outcomes.map((each) => (each.status === 'rejected' ? each.reason.code : 'written')),
    ['record-too-large', 'written', 'broker-rejected', 'broker-rejected'],
  );
  assert.deepEqual([model.requests, duplicates()], [2, 0]);
  model.fate = fates('unanswered');
  await all('c');
  assert.equal(duplicates(), 4, 'the answer to all of them is lost');
  assert.deepEqual(
    [0, 1, 2, 3].map((partition) => model.values(TOPIC, partition).join('')),
    ['ac', 'abc', 'ac', 'ac'],
  );
});

test('more than fits into one request goes in several', async () => {
  const { model, clock, sink } = await opened(3);
  await clock.run(Promise.all([0, 1, 2].map((partition) => sink.send(TOPIC, partition, slabOf('x'.repeat(600_000))))));
  assert.equal(model.requests, 3);
  assert.equal(model.values(TOPIC, 2).length, 1);
});

test('whatever happens: acknowledged rows are written in order; twice only as counted', async () => {
  const fate: fc.Arbitrary<Fate> = fc.oneof(
    { weight: 2, arbitrary: fc.constant('ok' as const) },
    fc.constantFrom<Fate>(
      'lost',
      'unanswered',
      'unreached',
      6,
      7,
      19,
      45,
      { written: 7 },
      { written: 6 },
      { written: 20 },
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { maxLength: 60 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()), { minLength: 1, maxLength: 12 }),
      async (list, calls) => {
        const { model, clock, sink, duplicates } = await opened(2, 60);
        model.fate = fates(...list);
        const persist = async (values: readonly string[], partition: number): Promise<void> => {
          for (let done = false; !done; ) {
            done = await sink.send(TOPIC, partition, slabOf(...values)).then(
              () => true,
              (thrown: unknown) => {
                assert.ok(thrown instanceof SluiceError && thrown.disposition === 'retry', String(thrown));
                return false;
              },
            );
          }
        };
        let serial = 0;
        const acknowledged: [string[], string[]] = [[], []];
        for (const [count, moves] of calls) {
          const rows = [0, 1].map(() => Array.from({ length: count }, () => `v${serial++}`));
          if (moves) model.leader = 3 - model.leader;
          const counted = duplicates();
          await clock.run(Promise.all(rows.map((values, partition) => persist(values, partition))));
          const copies = rows.flatMap((values, partition) => {
            acknowledged[partition].push(...values);
            return model.values(TOPIC, partition).filter((value) => values.includes(value));
          });
          assert.ok(
            copies.length - 2 * count <= duplicates() - counted,
            `${copies.length} copies of ${2 * count} rows`,
          );
        }
        for (const partition of [0, 1]) {
          assert.deepEqual([...new Set(model.values(TOPIC, partition))], acknowledged[partition]);
        }
      },
    ),
    { numRuns: 400 },
  );
});
