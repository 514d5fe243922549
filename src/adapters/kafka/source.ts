import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { Position, Source, SourceListener } from '../../ports/source.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Ownership } from '../../ports/transactions.ts';
import { translate } from './client/errors.ts';
import { checkClient, type FetchedBatch } from './client/internals.ts';
import { endStoppedFetches } from './client/stopped-fetches.ts';
import { createKafkaClient, partitionCounts, persistently, reach, versionOf } from './connection.ts';
import { installFetch } from './fetch/client-fetch.ts';
import { createCommitter } from './group/committer.ts';
import { createGroupConsumer, type GroupConsumer } from './group/consumer.ts';
import { createDeletedTopics } from './group/deleted-topics.ts';
import { createEndOffsets } from './group/end-offsets.ts';
import { Gate } from './group/gate.ts';
import { createHandover } from './group/handover.ts';
import { healthOf, lagOf } from './group/health.ts';
import { createHeartbeats } from './group/heartbeats.ts';
import { Lanes } from './group/lanes.ts';
import { createLease } from './group/lease.ts';
import { createMembership } from './group/membership.ts';
import { createPositions } from './group/positions.ts';
import { createQuarantineNotes } from './group/quarantine-notes.ts';
import { createRecovery } from './group/recovery.ts';
import { createWaits } from './group/waits.ts';
import { createWatchdog } from './group/watchdog.ts';
import { installCodecs } from './record-batch/compression.ts';
import type { KafkaSourceOptions } from './source-options.ts';

/**
 * A member of a Kafka consumer group, on kafkajs 2.2.4, but with offsets, re-joins and resets under our own control.
 *
 * Promise: the port's (src/ports/source.ts), on any broker that the client can speak to.
 * Limits: a fetch (`fetchMaxBytes` per broker, compressed, and what it inflates to: record-batch/read.ts) is held in addition to the credit.
 */
export interface KafkaSourceDeps {
  readonly credit: Credit;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Set if transactions of another component commit the positions; it must know who owns which partition. */
  readonly ownership?: Ownership;
}

export function createKafkaSource(deps: KafkaSourceDeps, options: KafkaSourceOptions): Source {
  const { clock, telemetry, credit, ownership } = deps;
  const { groupId, topics, brokers } = options;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
  const heartbeatMs = options.heartbeatMs ?? Math.min(1_000, sessionTimeoutMs / 5);
  const maxWaitMs = options.maxWaitMs ?? 200;
  // Half a session: a draining member is alive, but the rest of the group waits for it.
  const drainMs = Math.min(options.drainMs, sessionTimeoutMs / 2);
  const rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? Math.max(30_000, 2 * sessionTimeoutMs);
  const deadAfterMs = Math.max(10 * sessionTimeoutMs, 180_000);

  const gate = new Gate();
  const closing = new AbortController();
  const isClosed = (): boolean => gate.reasons.includes('closed');
  let listener: SourceListener | undefined;
  let consumer: GroupConsumer | undefined;
  let failure: SluiceError | undefined;
  /** What the client last reported about a failed connection; undefined once a broker has answered. */
  let trouble: string | undefined;
  let answeredAtMs = 0;
  let joinedOnce = false;
  let first: { readonly resolve: () => void; readonly reject: (error: SluiceError) => void } | undefined;

  function fail(thrown: unknown): void {
    if (failure !== undefined || isClosed()) return;
    failure = classify(thrown);
    gate.close('failed');
    watchdog.stop();
    if (joinedOnce) listener?.onFailed(failure);
    else first?.reject(failure);
  }

  const lanes = new Lanes({
    onAssigned: (origin) => listener?.onAssigned(origin),
    onRevoked: (origin) => {
      ownership?.release(origin);
      listener?.onRevoked(origin);
    },
  });
  const ends = createEndOffsets({ clock, lanes, gate, telemetry }, { everyMs: options.endsEveryMs ?? 2_000 });
  const heartbeats = createHeartbeats({ clock, onBeat: () => watchdog.touch() }, { intervalMs: heartbeatMs });
  const frameRecords = options.frameRecords ?? 1024;
  // A note is a separate commit; between the offset and the end of a transaction it would undo the transaction's commit.
  const quarantine = (options.quarantine ?? true) && ownership === undefined;
  const note = quarantine ? createQuarantineNotes({ frameRecords, maxRecords: credit.maxRecords }) : undefined;
  const committer = createCommitter(
    { clock, lanes, telemetry, note, group: () => membership.group },
    { groupId, brokers },
  );
  const { store } = committer;
  const positions = createPositions(
    { lanes, telemetry, store, ownership },
    { groupId, from: options.from, quarantine },
  );
  const waits = createWaits({ gate, heartbeats, ends });
  const lease = createLease({ clock }, { sessionTimeoutMs });
  const handover = createHandover(
    {
      credit,
      clock,
      telemetry,
      lanes,
      gate,
      waits,
      lease,
      store,
      onFrame: (frame) => listener?.onFrame(frame),
      onAlone: async (frame) => listener?.onAlone(frame),
      isHeld: () => listener?.isHeld() ?? false,
    },
    { frameRecords, frameBytes: options.frameBytes ?? 512 * 1024 },
  );
  const membership = createMembership(
    {
      clock,
      telemetry,
      lanes,
      gate,
      heartbeats,
      ends,
      positions,
      handover,
      lease,
      recovery: createRecovery(
        {
          clock,
          telemetry,
          random: deps.random,
          deletedTopics: createDeletedTopics({ clock, telemetry, lanes }, { policy: options.from }),
          onTrouble: (message) => {
            trouble = message;
          },
        },
        { groupId, brokers },
      ),
      release: () => committer.release(),
      onRevoking: (deadline) => (listener as SourceListener).onRevoking(deadline),
      onFailed: fail,
      onJoined: () => {
        if (failure !== undefined) return;
        joinedOnce = true;
        first?.resolve();
      },
      onAnswered: () => {
        trouble = undefined;
        answeredAtMs = clock.monotonicMs();
      },
      onActivity: () => watchdog.touch(),
    },
    { groupId, drainMs, maxWaitMs },
  );
  const watchdog = createWatchdog(
    {
      clock,
      excused: () => !joinedOnce || waits.count > 0 || failure !== undefined,
      onDead: (silentMs) =>
        fail(
          new SluiceError(
            'consumer-dead',
            `the Kafka client of group ${groupId} has done nothing for ${Math.round(silentMs / 1000)} s: the process must be started anew`,
          ),
        ),
    },
    { deadAfterMs },
  );

  /** Errors of ours thrown inside the client's callbacks would end in its own crash handling, unseen. */
  async function eachBatch(batch: FetchedBatch): Promise<void> {
    const { group } = membership;
    if (group === undefined || failure !== undefined) return;
    try {
      await handover.deliver(group, batch);
    } catch (thrown) {
      if ((thrown as { name?: string }).name?.startsWith('KafkaJS')) throw thrown;
      fail(thrown);
    }
  }

  async function start(to: SourceListener): Promise<void> {
    checkClient({ version: versionOf(options), debugProtocolBuffers: options.debugProtocolBuffers ?? false });
    installCodecs();
    installFetch();
    endStoppedFetches();
    listener = to;
    watchdog.start();
    const kafka = createKafkaClient(options, telemetry, (message) => {
      trouble = message;
    });
    const starting = { clock, telemetry, random: deps.random, closing: closing.signal };
    const admin = await reach(starting, options, kafka);
    try {
      await persistently(starting, options, 'read about the topics', () => partitionCounts(admin, topics, brokers));
    } finally {
      await admin.disconnect();
    }
    // Closed meanwhile: `close` found no consumer to end → one made after this point would join, and nobody would end it.
    if (isClosed()) throw notJoined();
    consumer = createGroupConsumer(
      {
        ...starting,
        kafka,
        membership,
        closing: closing.signal,
        eachBatch,
        onCrash: () => watchdog.touch(),
        onFailed: fail,
      },
      { ...options, sessionTimeoutMs, rebalanceTimeoutMs, heartbeatMs, maxWaitMs },
    );
    const joined = new Promise<void>((resolve, reject) => {
      first = { resolve, reject };
    });
    consumer.run().catch((thrown: unknown) => fail(translate(thrown, `join group ${groupId}`, brokers)));
    const deadline = deadlineIn(clock, rebalanceTimeoutMs + (options.reachWithinMs ?? 30_000));
    if (await within(clock, deadline, joined)) return;
    throw new SluiceError(
      'broker-unavailable',
      `group ${groupId} took no new member for ${Math.round((rebalanceTimeoutMs + 30_000) / 1000)} s; brokers: ${brokers.join(', ')}`,
    );
  }

  function notJoined(): SluiceError {
    return new SluiceError(
      'broker-unavailable',
      `group ${groupId} was not joined: the source was closed while it started`,
    );
  }

  async function close(): Promise<void> {
    gate.close('closed');
    closing.abort();
    membership.closing();
    watchdog.stop();
    // Waiting for the join could take very long, and would keep the process alive.
    first?.reject(notJoined());
    const ended = consumer?.end();
    consumer = undefined;
    await ended;
  }

  return {
    start,
    commit: (list: readonly Position[]) => (ownership === undefined ? committer.commit(list) : Promise.resolve()),
    renew(origin) {
      const lane = lanes.ofOrigin(origin);
      if (lane !== undefined) lanes.renew(lane);
    },
    async halt() {
      gate.close('halted');
    },
    close,
    lag: () => [...lanes.all()].map((lane) => lagOf(lane, clock.wallMs())),
    health: () =>
      healthOf({
        failure,
        joining: joinedOnce ? undefined : groupId,
        shut: gate.reasons,
        isUnheard: lease.isOver,
        silentMs: waits.count > 0 ? 0 : watchdog.silentMs(),
        unansweredMs: waits.count > 0 || lanes.size === 0 ? 0 : clock.monotonicMs() - answeredAtMs,
        trouble: trouble === undefined ? undefined : `brokers ${brokers.join(', ')}: ${trouble}`,
        sessionTimeoutMs,
        maxWaitMs,
      }),
  };
}
