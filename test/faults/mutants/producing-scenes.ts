/**
 * Small scenes of the way from a chunk of rows to the log of a broker: the shipped accumulators, sink and producers over
 * the wire, against the embedded broker, whose hooks strike requests by their number and not by time. The shipped code passes
 * every one of them; each is made so that a mistake of producing-mutants.ts shows.
 */
import { createKafkaSink } from '../../../src/adapters/kafka/sink.ts';
import { createBroker, type EmbeddedBroker } from '../../../src/devstack/kafka/broker.ts';
import type { Fault } from '../../../src/devstack/kafka/server.ts';
import { Conditions } from '../../../src/kernel/conditions.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { Accumulator, type Chunk } from '../../../src/stages/delivery/accumulator.ts';
import { Linger } from '../../../src/stages/delivery/linger.ts';
import { emptyRecords } from '../../fixtures/frames.ts';
import { beginSequencesAt } from '../../fixtures/kafka/first-sequence.ts';
import { readBatch } from '../../fixtures/kafka/read-batch.ts';
import { seeded } from '../../fixtures/random.ts';
import { ORIGIN } from '../../fixtures/stage-deps.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { until } from '../../fixtures/until.ts';
import { type Given, judgeProduced, type ProducingViolation } from './producing-judge.ts';

const TOPIC = 'out';
const PRODUCE = 0;
const NOT_ENOUGH_REPLICAS = 19;
const INVALID_RECORD = 87;
const SOME_MS = 1_700_000_000_000;
const ROWS = 4_000;
const SEQUENCES = 2 ** 31;
/** Far more than a slow machine needs for a few attempts: nothing is given up for want of time. */
const PATIENCE_MS = 60_000;
/** A mutant may wait for ever; shipped code needs a second. */
const TOLD_WITHIN_MS = 60_000;
/** The broker does what it is asked, and hangs up before it answers. */
const UNANSWERED: Fault = { dropResponse: true, closeConnection: true };

interface Scene {
  readonly broker: EmbeddedBroker;
  /** Rows for a partition, on their way; nothing waits for them. */
  give(partition: number, rows: number): void;
  /** Resolves when every given row is answered, or never will be. */
  told(): Promise<void>;
  /** The next produce requests meet these faults, one each; later ones succeed. */
  strike(...faults: (Fault | undefined)[]): void;
}

export interface PlayedScene {
  readonly violations: readonly ProducingViolation[];
  /** Faults that no request met. */
  readonly unstruck: number;
}

type Act = (scene: Scene) => Promise<void>;

/** One record that no broker will ever take: nothing was written, so the sequence is the next one's. */
const refusedForGood: Act = async ({ give, told, strike }) => {
  give(0, 3);
  await told();
  strike({ errorCode: INVALID_RECORD });
  give(0, 1);
  await told();
  for (let n = 0; n < 3; n++) {
    give(0, 2);
    await told();
  }
};

/** What was written, and not answered, is sent again; so is what was never written. */
const answersLost: Act = async ({ give, told, strike }) => {
  for (const faults of [
    [UNANSWERED],
    [{ closeConnection: true }, UNANSWERED],
    [UNANSWERED, { errorCode: NOT_ENOUGH_REPLICAS }, UNANSWERED],
  ] as const) {
    give(0, 2);
    await told();
    strike(...faults);
    give(0, 3);
    await told();
  }
};

/** A leader moves between what the client knows and what it sends. */
const leaderMoves: Act = async ({ broker, give, told }) => {
  for (let round = 0; round < 4; round++) {
    for (const partition of [0, 1]) give(partition, 4);
    await told();
    broker.moveLeader(TOPIC, round % 2, 2 + (round % 2));
    if (round > 1) broker.moveLeader(TOPIC, round % 2, 1);
  }
  for (const partition of [0, 1]) give(partition, 4);
  await told();
};

/** Each partition at its own pace, in one request where they are sent in one turn. */
const partitionsTogether: Act = async ({ give, told, strike }) => {
  for (let round = 1; round <= 4; round++) {
    for (const partition of [0, 1, 2]) give(partition, round + partition);
    if (round === 3) strike(UNANSWERED);
    await told();
    give(round % 3, 2);
    await told();
  }
};

/** Of two partitions in one request the second one's leader has moved, and has nothing written. */
const oneRefusedBeside: Act = async ({ broker, give, told }) => {
  for (const partition of [0, 1]) give(partition, 2);
  await told();
  broker.moveLeader(TOPIC, 1, 2);
  for (const partition of [0, 1]) give(partition, 2);
  await told();
};

/** More rows come while a call is under way. */
const oneAfterTheOther: Act = async ({ give, told }) => {
  for (let round = 0; round < 3; round++) {
    give(0, 1);
    await told();
    give(0, 2);
    give(0, 3);
    await told();
  }
};

/** Across the last sequence there is: a batch that ends with it, one that lies on both sides of it, and a retry of such a one. */
const lastSequence: Act = async ({ give, told, strike }) => {
  const begun = beginSequencesAt(SEQUENCES - 5);
  try {
    give(0, 5);
    give(1, 3);
    give(2, 3);
    await told();
    strike(undefined, UNANSWERED);
    for (const partition of [0, 1]) {
      give(partition, 4);
      await told();
    }
    strike({ errorCode: NOT_ENOUGH_REPLICAS });
    give(2, 4);
    await told();
    for (const partition of [0, 1, 2]) give(partition, 3);
    await told();
  } finally {
    begun();
  }
};

export const PRODUCING_SCENES: Readonly<Record<string, Act>> = {
  refusedForGood,
  answersLost,
  leaderMoves,
  partitionsTogether,
  oneRefusedBeside,
  oneAfterTheOther,
  lastSequence,
};

/** Plays a scene to its end, and says which promises it broke. */
export async function playProducing(name: string): Promise<PlayedScene> {
  const act = PRODUCING_SCENES[name];
  const faults: (Fault | undefined)[] = [];
  const onRequest = ({ apiKey }: { readonly apiKey: number }): Fault | undefined => {
    if (apiKey !== PRODUCE) return undefined;
    return faults.shift();
  };
  const broker = await createBroker({ brokers: 3, log: () => {}, hooks: { onRequest } });
  broker.createTopic(TOPIC, { partitions: 3 });
  for (const partition of [0, 1, 2]) broker.moveLeader(TOPIC, partition, 1);
  const telemetry = new RecordingTelemetry();
  const clock = createSystemClock();
  const abandon = new AbortController();
  const deps = { clock, telemetry, random: seeded(7) };
  const sink = createKafkaSink(deps, {
    brokers: broker.brokers,
    clientId: 'producer',
    requestTimeoutMs: PATIENCE_MS,
    sendWithinMs: PATIENCE_MS,
  });
  await sink.open([TOPIC]);
  const given: Given[] = [];
  const failures: string[] = [];
  const frame = emptyRecords(ORIGIN, 0, ROWS);
  const rowsOf = ({ spans, records }: Chunk): Given[] =>
    spans.flatMap(({ firstRow, rows }) => Array.from(records.slice(firstRow, firstRow + rows), (row) => given[row]));
  const accumulators = [0, 1, 2].map(
    (partition) =>
      new Accumulator(
        { ...deps, sink, conditions: new Conditions(), abandon: abandon.signal },
        {
          topic: TOPIC,
          partition,
          maxRecords: 500,
          maxBytes: 1 << 16,
          linger: new Linger(deps.clock, { sparseMs: 0, denseMs: 0 }),
          spare: [],
          onAcknowledged(chunk) {
            for (const row of rowsOf(chunk)) row.told = 'acknowledged';
          },
          onUnpublishable(_frame, row) {
            given[row].told = 'refused';
          },
          onFailed: (thrown) => failures.push(String(thrown)),
        },
      ),
  );
  try {
    await act({
      broker,
      give(partition, rows) {
        const accumulator = accumulators[partition];
        for (let n = 0; n < rows; n++) {
          const row = given.length;
          const made: Given = {
            partition,
            key: `k${row % 3}`,
            value: `v${row}`,
            timestampMs: SOME_MS + row,
            told: 'nothing',
          };
          given.push(made);
          accumulator.slab().append(made.timestampMs, Buffer.from(made.key), Buffer.from(made.value), null);
          accumulator.appended(frame, row);
        }
        accumulator.pump();
      },
      // Rows that are never reported are judged, not waited for.
      told: () =>
        until(
          'an answer for every row',
          () => failures.length > 0 || given.every(({ told }) => told !== 'nothing'),
          TOLD_WITHIN_MS,
        ).then(undefined, () => undefined) as Promise<void>,
      strike: (...next) => void faults.splice(0, faults.length, ...next),
    });
    const violations = judgeProduced({
      given,
      logs: [0, 1, 2].map((partition) => broker.read(TOPIC, partition).map(readBatch)),
      counted: telemetry.count('sluice_duplicates_possible_total'),
      replaced: telemetry.eventsNamed('producer-replaced').map(({ error }) => String(error)),
      failures,
    });
    return { violations, unstruck: faults.length };
  } finally {
    abandon.abort();
    await sink.close();
    await broker.close();
  }
}
