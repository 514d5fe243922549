import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKafkaSource } from '../../../../src/adapters/kafka/source.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { Credit } from '../../../../src/kernel/credit.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { SourceListener } from '../../../../src/ports/source.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

/** Everything that a member asks for until its first fetch has come. */
const REQUESTS = 14;
const NAMES: Readonly<Record<number, string>> = {
  1: 'Fetch',
  2: 'ListOffsets',
  3: 'Metadata',
  8: 'OffsetCommit',
  9: 'OffsetFetch',
  10: 'FindCoordinator',
  11: 'JoinGroup',
  14: 'SyncGroup',
  18: 'ApiVersions',
};

const LISTENER: SourceListener = {
  onAssigned: () => undefined,
  onFrame: () => undefined,
  onAlone: async () => undefined,
  isHeld: () => false,
  onRevoking: async () => true,
  onRevoked: () => undefined,
  onEnd: () => undefined,
  onFailed: (error) => assert.fail(error),
};

/** A source, and a broker of its own that tells of each request. */
async function closable(asked: (apiKey: number) => void) {
  const broker = await createBroker({
    log: () => undefined,
    hooks: { onRequest: ({ apiKey }) => void asked(apiKey) },
  });
  broker.createTopic('events');
  const source = createKafkaSource(
    {
      credit: new Credit({ maxRecords: 10, maxBytes: 1_000 }),
      clock: createSystemClock(),
      telemetry: new RecordingTelemetry(),
      random: seeded(1),
    },
    { brokers: broker.brokers, clientId: 'c', groupId: 'g', topics: ['events'], from: 'earliest', drainMs: 100 },
  );
  return { broker, source };
}

/** A source that is closed while its broker has the `nth` request in work; returns which one that was. */
async function closedAt(nth: number) {
  let requests = 0;
  let reached: (apiKey: number) => void = () => undefined;
  const due = new Promise<number>((resolve) => {
    reached = resolve;
  });
  const { broker, source } = await closable((apiKey) => {
    if (++requests === nth) reached(apiKey);
  });
  const started = source.start(LISTENER).then(
    () => undefined,
    (error: Error) => error.message,
  );
  const kind = NAMES[await due];
  const ended = source.close();
  return { kind, broker, ended, started };
}

/** Resolves when no timer and no connection keeps this process alive. */
const nothingIsLeft = (): Promise<true> =>
  until('nothing is left', () => !/Timeout|TCPSocket/.test(process.getActiveResourcesInfo().join()), 15_000);

test('whatever a source waits for when it is closed, it asks nothing again, though its brokers are gone', async () => {
  const nths = Array.from({ length: REQUESTS }, (_, index) => index + 1);
  const kinds = await Promise.all(
    nths.map(async (nth) => {
      const { kind, broker, ended, started } = await closedAt(nth);
      await Promise.all([broker.close(), ended]);
      assert.match((await started) ?? 'started', /closed while it started|^started$/, kind);
      return kind;
    }),
  );
  assert.deepEqual(new Set(kinds), new Set(Object.values(NAMES)));
  await nothingIsLeft();
});

test('whatever a source waits for when it is closed, it keeps no connection to brokers that are there', async () => {
  const nths = Array.from({ length: REQUESTS }, (_, index) => index + 1);
  const closed = await Promise.all(nths.map(closedAt));
  await Promise.all(closed.map(({ ended }) => ended));
  try {
    await nothingIsLeft();
  } finally {
    await Promise.all(closed.map(({ broker }) => broker.close()));
  }
});

test('a source that is closed in the turn of the loop in which it has joined leaves its group', async () => {
  const { broker, source } = await closable(() => undefined);
  try {
    await source.start(LISTENER);
    await source.close();
    await nothingIsLeft();
  } finally {
    await broker.close();
  }
});
