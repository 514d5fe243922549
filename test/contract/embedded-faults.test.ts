import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { EmbeddedBroker } from '../../src/devstack/kafka/broker.ts';
import { createBroker } from '../../src/devstack/kafka/broker.ts';
import type { Fault, RequestInfo } from '../../src/devstack/kafka/server.ts';
import { until } from '../fixtures/until.ts';
import { lazyBench, numbered } from './bench-broker.ts';
import { slabOf } from './sink-conformance.ts';

/** What can only be tested on a broker with fault hooks: lost, refused or late answers, coordinators that move. */
const LIMIT = { timeout: 30_000 };
const PRODUCE = 0;
const FETCH = 1;
const OFFSET_COMMIT = 8;
const HEARTBEAT = 12;
const SYNC = 14;
const ERROR = {
  coordinatorNotAvailable: 15,
  notEnoughReplicas: 19,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  notLeader: 6,
  storage: 56,
  listener: 72,
  unknown: -1,
};

describe('faults', () => {
  let broker: EmbeddedBroker;
  let fault: (request: RequestInfo) => Fault | undefined = () => undefined;
  const bench = lazyBench(async () => {
    broker = await createBroker({ brokers: 3, log: () => {}, hooks: { onRequest: (request) => fault(request) } });
    return { brokers: broker.brokers.join(','), minSessionMs: 600, stop: () => broker.close() };
  });
  afterEach(() => {
    fault = () => undefined;
  });

  /** The fault for the first `times` requests of one kind that carry `clientId`. */
  function first(times: number, apiKey: number, what: Fault, clientId = 'contract'): () => number {
    let hit = 0;
    fault = (request) => {
      if (request.apiKey !== apiKey || request.clientId !== clientId || hit >= times) return undefined;
      hit++;
      return what;
    };
    return () => hit;
  }

  describe('sink', () => {
    test(
      'a lost answer is asked for again with the same bytes: written once, no producer replaced',
      LIMIT,
      async () => {
        const { topic, sink: makeSink } = await bench();
        const name = await topic(1);
        const { sink, telemetry } = makeSink({ requestTimeoutMs: 300 });
        await sink.open([name]);
        await sink.send(name, 0, slabOf(['a', 'b']));
        const hits = first(1, PRODUCE, { dropResponse: true });
        await sink.send(name, 0, slabOf(['c', 'd']));
        await sink.send(name, 0, slabOf(['e', 'f']));
        assert.equal(hits(), 1);
        assert.deepEqual(broker.endOffsets(name), [6]);
        assert.equal(telemetry.count('sluice_duplicates_possible_total'), 0);
        assert.deepEqual(telemetry.eventsNamed('producer-replaced'), []);
        assert.equal(telemetry.count('sluice_retries_total', { what: 'kafka-send', reason: 'broker-unavailable' }), 1);
      },
    );

    test(
      'after a send whose fate is unknown, different rows of equal number are written, and duplicates counted',
      LIMIT,
      async () => {
        const { topic, sink: makeSink } = await bench();
        const name = await topic(1);
        const { sink, telemetry } = makeSink({ requestTimeoutMs: 300, sendWithinMs: 0 });
        await sink.open([name]);
        await sink.send(name, 0, slabOf(['a', 'b']));
        first(1, PRODUCE, { dropResponse: true });
        await assert.rejects(sink.send(name, 0, slabOf(['c', 'd'])), { disposition: 'retry' });
        assert.equal(telemetry.count('sluice_duplicates_possible_total'), 2);
        await sink.send(name, 0, slabOf(['x', 'y']));
        assert.deepEqual(broker.endOffsets(name), [6], 'through the old producer x and y would pass for c and d');
        assert.equal(telemetry.eventsNamed('producer-replaced').length, 1);
      },
    );

    test('a refused write is retried, and counts no duplicates', LIMIT, async () => {
      const { topic, sink: makeSink } = await bench();
      const name = await topic(2);
      const { sink, telemetry } = makeSink({ sendWithinMs: 0 });
      await sink.open([name]);
      first(1, PRODUCE, { errorCode: ERROR.notEnoughReplicas });
      await assert.rejects(sink.send(name, 0, slabOf(['a'])), { code: 'broker-rejected', disposition: 'retry' });
      await sink.send(name, 0, slabOf(['a']));
      assert.deepEqual(broker.endOffsets(name), [1, 0]);
      assert.equal(telemetry.count('sluice_duplicates_possible_total'), 0);
    });

    test('calls in flight end on the producer they began with', LIMIT, async () => {
      const { topic, sink: makeSink } = await bench();
      const name = await topic(3);
      const { sink } = makeSink({ sendWithinMs: 0 });
      await sink.open([name]);
      let produced = 0;
      fault = ({ apiKey }) => {
        if (apiKey !== PRODUCE) return undefined;
        produced++;
        return produced === 1 ? { errorCode: ERROR.notEnoughReplicas, delayMs: 50 } : { delayMs: 100 };
      };
      const results = await Promise.allSettled([0, 1, 2].map((partition) => sink.send(name, partition, slabOf(['r']))));
      assert.equal(results.filter(({ status }) => status === 'rejected').length, 1);
      const refused = results.findIndex(({ status }) => status === 'rejected');
      await sink.send(name, refused, slabOf(['r']));
      assert.deepEqual(broker.endOffsets(name), [1, 1, 1]);
    });
  });

  describe('source', () => {
    test('when a coordinator moves, it is found again and commits go on in the same epoch', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(2);
      const groupId = fresh('group');
      await produce(name, numbered(20, 2));
      const reader = member({ topics: [name], groupId, heartbeatMs: 100, sessionTimeoutMs: 5_000 });
      await reader.start();
      await reader.until(() => reader.rows().length === 20);
      for (const node of [1, 2, 3]) {
        broker.moveCoordinator(groupId, node);
        await produce(name, numbered(2, 2));
        await reader.until(() => reader.rows().length === 20 + 2 * node);
        await reader.commit();
        assert.deepEqual(broker.groupOffsets(groupId)[name], { 0: 10 + node, 1: 10 + node });
      }
      assert.equal(reader.assigned.length, 2);
      assert.deepEqual(reader.revoked, []);
      assert.ok(reader.telemetry.eventsNamed('coordinator-moved').length >= 2);
    });

    test('when a leader moves, nothing is lost or duplicated', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(3);
      await produce(name, numbered(300, 3));
      const reader = member({ topics: [name], groupId: fresh('group'), frameRecords: 20, heartbeatMs: 100 });
      await reader.start();
      await reader.until(() => reader.rows().length > 100);
      for (const partition of [0, 1, 2]) broker.moveLeader(name, partition, 3 - partition);
      await produce(name, numbered(300, 3, 300));
      await reader.until(() => new Set(reader.rows()).size === 600);
      assert.equal(reader.rows().length, 600);
      assert.deepEqual(reader.failures, []);
    });

    test('a fenced member gives up its epochs undrained and restarts at the committed offsets', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(1);
      await produce(name, numbered(10, 1));
      const groupId = fresh('group');
      // The embedded group keeps the member that it disowned until its session is over.
      const reader = member({ topics: [name], groupId, heartbeatMs: 50, sessionTimeoutMs: 600, frameRecords: 5 });
      reader.settling = 'never';
      await reader.start();
      await reader.until(() => reader.rows().length === 10);
      reader.settle(reader.frames[0]);
      await reader.commit();
      first(1, HEARTBEAT, { errorCode: ERROR.unknownMember });
      await reader.until(() => reader.rows().length === 15);
      assert.deepEqual(reader.rows().slice(10), reader.rows().slice(5, 10));
      assert.equal(reader.assigned.length, 2);
      assert.equal(reader.telemetry.eventsNamed('group-fenced').length, 1);
      assert.equal(reader.telemetry.eventsNamed('group-drained').length, 0);
      reader.settleHeld();
      await reader.commit();
      assert.equal(reader.telemetry.count('sluice_commits_left_out_total'), 1);
    });

    test('a commit that the coordinator fences does not count as stored', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(1);
      const groupId = fresh('group');
      await produce(name, numbered(10, 1));
      const reader = member({ topics: [name], groupId });
      await reader.start();
      await reader.until(() => reader.rows().length === 10);
      first(1, OFFSET_COMMIT, { errorCode: ERROR.rebalanceInProgress });
      await assert.rejects(reader.commit(), { code: 'broker-rejected', disposition: 'retry' });
      assert.equal(reader.telemetry.count('sluice_commits_fenced_total'), 1);
      await reader.commit();
      assert.deepEqual(broker.groupOffsets(groupId)[name], { 0: 10 });
    });

    test('a re-join that fails half-way is started again', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(2);
      await produce(name, numbered(10, 2));
      const reader = member({ topics: [name], groupId: fresh('group'), heartbeatMs: 50 });
      await reader.start();
      await reader.until(() => reader.rows().length === 10);
      let synced = 0;
      let beaten = 0;
      fault = ({ apiKey }) => {
        if (apiKey === HEARTBEAT && beaten++ === 0) return { errorCode: ERROR.rebalanceInProgress };
        if (apiKey === SYNC && synced++ < 2) return { errorCode: ERROR.coordinatorNotAvailable };
        return undefined;
      };
      await reader.until(() => reader.telemetry.eventsNamed('group-joined').length === 2);
      await produce(name, numbered(10, 2, 10));
      await reader.until(() => reader.rows().length === 20);
      assert.equal(new Set(reader.rows()).size, 20);
      assert.equal(synced, 3);
    });

    for (const [title, errorCode, times, restarts] of [
      ['a client that crashes and starts again drains before it leaves', ERROR.listener, 6, true],
      ['a client that gives up drains before it leaves, and says so', ERROR.unknown, 1, false],
    ] as const) {
      test(title, LIMIT, async () => {
        const { fresh, topic, produce, member } = await bench();
        const name = await topic(1);
        const groupId = fresh('group');
        await produce(name, numbered(10, 1));
        const reader = member({ topics: [name], groupId, heartbeatMs: 50 });
        reader.settling = 'drain';
        await reader.start();
        await reader.until(() => reader.rows().length === 10);
        const hits = first(times, FETCH, { errorCode });
        await reader.until(() => reader.revoked.length === 1);
        assert.equal(hits(), times);
        assert.deepEqual(broker.groupOffsets(groupId)[name], { 0: 10 });
        await produce(name, numbered(5, 1, 10));
        await reader.until(() => reader.rows().length === 15 || reader.failures.length > 0);
        assert.equal(new Set(reader.rows()).size, reader.rows().length, 'nothing came twice');
        assert.deepEqual(
          reader.failures.map(({ code }) => code),
          restarts ? [] : ['consumer-dead'],
        );
        assert.equal(reader.telemetry.eventsNamed('consumer-restarting').length, restarts ? 1 : 0);
      });
    }

    test(
      'a leader that cannot read its disk, or has moved, ends no membership, however often it says so',
      LIMIT,
      async () => {
        const { fresh, topic, produce, member } = await bench();
        const name = await topic(1);
        const reader = member({ topics: [name], groupId: fresh('group'), heartbeatMs: 50 });
        await reader.start();
        const hits = first(12, FETCH, { errorCode: ERROR.storage });
        await reader.until(() => hits() === 12);
        const moves = first(12, FETCH, { errorCode: ERROR.notLeader });
        await reader.until(() => moves() === 12);
        await produce(name, numbered(5, 1));
        await reader.until(() => reader.rows().length === 5);
        assert.deepEqual(reader.revoked, []);
        assert.equal(reader.telemetry.eventsNamed('group-joined').length, 1);
        assert.equal(reader.telemetry.eventsNamed('consumer-restarting').length, 0);
        assert.ok(
          reader.telemetry.count('sluice_retries_total', { what: 'kafka-fetch', reason: 'broker-rejected' }) >= 24,
        );
      },
    );

    test('records that arrive while the intake waits for credit show as lag', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(2);
      await produce(name, numbered(40, 2));
      const reader = member({
        topics: [name],
        groupId: fresh('group'),
        credit: { maxRecords: 10, maxBytes: 1 << 20 },
        frameRecords: 10,
        endsEveryMs: 50,
      });
      reader.settling = 'never';
      await reader.start();
      await reader.until(() => reader.rows().length === 10);
      const lag = (): number => reader.source.lag().reduce((sum, { records }) => sum + records, 0);
      await until('the lag of what a fetch has told', () => lag() === 30);
      await produce(name, numbered(100, 2));
      await until('the lag of what was produced since', () => lag() === 130);
      assert.ok(reader.source.lag().some(({ seconds }) => seconds > 0));
      await reader.source.halt();
      await produce(name, numbered(10, 2));
      await until('the lag after the gate was shut', () => lag() === 140);
    });
  });
});
