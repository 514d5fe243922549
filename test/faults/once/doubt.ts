import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { createKafkaTransactions } from '../../../src/adapters/kafka/transactions.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import type { Origin } from '../../../src/kernel/frame.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import type { Ownership, Part, Published, TransactionalSink } from '../../../src/ports/transactions.ts';
import { openRequestRoad, type RequestRoad } from '../../fixtures/kafka/request-road.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { until } from '../../fixtures/until.ts';
import { record } from '../report.ts';
import { type OnceBench, openOnceBench } from './bench.ts';

/** The requests of a transaction, by their keys in the protocol. */
const STEPS = { AddPartitionsToTxn: 24, AddOffsetsToTxn: 25, Produce: 0, TxnOffsetCommit: 28, EndTxn: 26 };
const INIT_PRODUCER_ID = 22;
const OFFSET_FETCH = 9;
const END_TXN = STEPS.EndTxn;

export interface BrokersUnderFault {
  /** host:port,host:port */
  readonly brokers: string;
  stop(): Promise<void>;
}

/** What happens to a transaction and to those who write it, one function each; to be called where tests are declared. */
export interface Doubt {
  lostOnce(what: 'request' | 'answer'): Promise<void>;
  ownerReplaced(): Promise<void>;
  successorHasSeen(): Promise<void>;
  refusedRow(): Promise<void>;
  futureRow(): Promise<void>;
}

interface Writer {
  readonly sink: TransactionalSink & Ownership;
  readonly telemetry: RecordingTelemetry;
  /** Publishes rows up to an offset, again and again while that may help. */
  publish(origin: Origin, from: number, to: number): Promise<Published>;
}

function rowsOf({ output }: OnceBench, from: number, to: number): Part[] {
  const parts = [0, 1].map((partition) => ({ topic: output, partition, rows: new RecordSlab(8, 1024) }));
  for (let at = from; at < to; at++) parts[at % 2].rows.append(Date.now(), null, Buffer.from(String(at)), null);
  return parts;
}

const originOf = (to: OnceBench, epoch = 1): Origin => ({ topic: to.input, partition: 0, epoch });

async function assertOnce(to: OnceBench, end: number): Promise<void> {
  const values = (await to.outputs()).map(({ value }) => Number(value)).sort((a, b) => a - b);
  assert.deepEqual(
    values,
    Array.from({ length: end }, (_, at) => at),
  );
  assert.deepEqual(await to.committed(), [end]);
  assert.deepEqual(await to.unstable(), []);
}

export function openDoubt(start: () => Promise<BrokersUnderFault>): Doubt {
  let services: BrokersUnderFault;
  let road: RequestRoad;
  let made = 0;
  const opened: { close(): Promise<void> }[] = [];
  before(async () => {
    services = await start();
    road = await openRequestRoad();
  });
  after(async () => {
    for (const each of opened) await each.close();
    await road?.close();
    await services?.stop();
  });

  async function bench(): Promise<OnceBench> {
    const opened1 = await openOnceBench(services.brokers, {
      name: `once-doubt-${++made}`,
      inputPartitions: 1,
      outputPartitions: 2,
    });
    opened.push(opened1);
    return opened1;
  }

  /** As one process does: on the road where requests get lost, or by itself. */
  async function writer(to: OnceBench, onRoad: boolean): Promise<Writer> {
    const telemetry = new RecordingTelemetry();
    const kafka = (): Kafka =>
      new Kafka({
        brokers: to.brokers.split(','),
        clientId: 'once',
        logLevel: logLevel.NOTHING,
        retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 2 },
        ...(onRoad ? { socketFactory: road.socketFactory } : {}),
      });
    const sink = createKafkaTransactions(
      { clock: createSystemClock(), telemetry, random: () => 0.5, createClient: kafka },
      { brokers: to.brokers.split(','), clientId: 'once', groupId: to.group },
    );
    opened.push(sink);
    await sink.open([to.output, to.deadLetter]);
    return {
      sink,
      telemetry,
      async publish(origin, from, end) {
        const parts = rowsOf(to, from, end);
        for (;;) {
          try {
            return await sink.publish({ origin, parts, nextOffset: end });
          } catch (thrown) {
            if (!(thrown instanceof SluiceError) || thrown.disposition !== 'retry') throw thrown;
            await pause(20);
          }
        }
      },
    };
  }

  return {
    async lostOnce(what) {
      const to = await bench();
      const one = await writer(to, true);
      const origin = originOf(to);
      await one.sink.take([origin]);
      let end = 0;
      for (const [name, apiKey] of Object.entries(STEPS)) {
        assert.equal(await one.publish(origin, end, end + 6), 'committed');
        const lost = road.lost;
        road.loseNext(apiKey, what);
        assert.equal(await one.publish(origin, end + 6, end + 12), 'committed', name);
        assert.equal(road.lost, lost + 1, `${name} was lost`);
        end += 12;
      }
      // While the doubt about a commit is cleared up, the requests for that get lost as well.
      for (const apiKey of [INIT_PRODUCER_ID, OFFSET_FETCH]) {
        road.loseNext(END_TXN, what);
        const parts = rowsOf(to, end, end + 6);
        await assert.rejects(one.sink.publish({ origin, parts, nextOffset: end + 6 }), { disposition: 'retry' });
        road.loseNext(apiKey, what);
        assert.equal(await one.publish(origin, end, end + 6), 'committed');
        end += 6;
      }
      await assertOnce(to, end);
      assert.ok(one.telemetry.count('sluice_transactions_total', { result: 'failed' }) >= 7);
      assert.equal(one.telemetry.count('sluice_transactions_total', { result: 'lost' }), 0);
      record({
        rows: [8],
        test: `a transaction of which any ${what} is lost is committed once`,
        faults: { [`${what} lost`]: 9 },
        invariants: ['I1', 'I2', 'I3'],
        duplicates: 0,
      });
    },

    async ownerReplaced() {
      const to = await bench();
      const [old, next] = [await writer(to, true), await writer(to, false)];
      const first = originOf(to);
      await old.sink.take([first]);
      assert.equal(await old.publish(first, 0, 4), 'committed');
      // It dies within a transaction: everything is written but its end.
      road.loseNext(END_TXN, 'request');
      await assert.rejects(old.sink.publish({ origin: first, parts: rowsOf(to, 4, 8), nextOffset: 8 }));
      assert.notDeepEqual(await to.unstable(), [], 'readers wait for the end of what it left');
      const second = originOf(to, 2);
      await next.sink.take([second]);
      assert.deepEqual(await to.committed(), [4]);
      await until('what it left is aborted', async () => (await to.unstable()).length === 0);
      assert.equal(await next.publish(second, 4, 10), 'committed');
      // It comes back without knowing: under its new epoch it sees that another has gone on.
      assert.equal(await old.publish(first, 4, 8), 'lost');
      assert.equal(await old.publish(first, 4, 8), 'lost', 'and stays so');
      // That has disturbed the owner, which starts again from the committed offset.
      assert.equal(await next.publish(second, 10, 12), 'lost');
      const third = originOf(to, 3);
      await next.sink.take([third]);
      assert.deepEqual(await to.committed(), [10]);
      assert.equal(await next.publish(third, 10, 14), 'committed');
      await assertOnce(to, 14);
    },

    async successorHasSeen() {
      const to = await bench();
      const [old, next] = [await writer(to, true), await writer(to, false)];
      const first = originOf(to);
      await old.sink.take([first]);
      road.loseNext(END_TXN, 'answer');
      const doubtful = { origin: first, parts: rowsOf(to, 0, 5), nextOffset: 5 };
      await assert.rejects(old.sink.publish(doubtful), { disposition: 'retry' });
      const second = originOf(to, 2);
      await next.sink.take([second]);
      assert.deepEqual(await to.committed(), [5]);
      assert.equal(await old.sink.publish(doubtful), 'committed');
      assert.equal(await next.publish(second, 5, 8), 'lost', 'its epoch was raised by the one in doubt');
      const third = originOf(to, 3);
      await next.sink.take([third]);
      assert.equal(await next.publish(third, 5, 8), 'committed');
      assert.equal(await old.publish(first, 5, 8), 'lost');
      await assertOnce(to, 8);
    },

    async refusedRow() {
      const to = await bench();
      const one = await writer(to, false);
      const origin = originOf(to);
      await one.sink.take([origin]);
      const large = new RecordSlab(1, 2 << 20);
      large.append(Date.now(), null, Buffer.alloc(2 << 20), null);
      const tooLarge = [{ topic: to.deadLetter, partition: 0, rows: large }];
      await assert.rejects(one.sink.publish({ origin, parts: tooLarge, nextOffset: 2 }), { code: 'record-too-large' });
      assert.equal(await one.publish(origin, 0, 3), 'committed');
      assert.equal(await one.sink.publish({ origin, parts: [], nextOffset: 4 }), 'committed', 'a position by itself');
      assert.deepEqual(await to.committed(), [4]);
      assert.deepEqual((await to.outputs()).map(({ value }) => Number(value)).sort(), [0, 1, 2]);
      assert.deepEqual(await to.deadLetters(), []);
      assert.deepEqual(await to.unstable(), []);
    },

    async futureRow() {
      const to = await bench();
      const one = await writer(to, false);
      const origin = originOf(to);
      await one.sink.take([origin]);
      const rows = new RecordSlab(2, 1024);
      // Beyond the broker's limit on timestamps that lie ahead.
      rows.append(Date.now() + 3 * 3_600_000, null, Buffer.from('ahead'), null);
      const parts = [...rowsOf(to, 0, 1), { topic: to.deadLetter, partition: 0, rows }].filter(
        (part) => part.rows.count > 0,
      );
      await assert.rejects(one.sink.publish({ origin, parts, nextOffset: 2 }), { code: 'record-refused' });
      assert.equal(await one.publish(origin, 0, 3), 'committed');
      await assertOnce(to, 3);
    },
  };
}
