/**
 * An upstream producer that keeps running while brokers come and go, and knows what was acknowledged.
 *
 * Promise: records of one partition are acknowledged in the order of their numbers; a batch is sent again, through a new
 * producer, until the brokers acknowledge it (so an event may be on the input topic twice: two inputs, of two offsets).
 * Open loop: the rate does not wait for acknowledgements, only for `maxBehind` events not yet sent.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { ended } from '../fixtures/until.ts';

export interface Load {
  /** `topic/partition/offset` of the events that are on the input topic for certain. */
  readonly acknowledged: ReadonlySet<string>;
  /** Sends that were tried again. */
  readonly repeats: number;
  /** Sends what is left, and resolves with the number of events, all acknowledged. */
  stop(): Promise<number>;
}

export interface LoadOptions {
  readonly brokers: string;
  readonly topic: string;
  readonly partitions: number;
  readonly perSecond: number;
  readonly value: (number: number) => Buffer;
}

const TICK_MS = 20;
const MAX_BATCH = 200;
const GIVE_UP_MS = 120_000;
/** The client's own time-outs are far below; a call that outlasts this never ends. */
const ATTEMPT_MS = 30_000;

export function startLoad(options: LoadOptions): Load {
  const { brokers, topic, partitions, perSecond, value } = options;
  const queues: number[][] = Array.from({ length: partitions }, () => []);
  const stopping = new AbortController();
  let producer: Promise<Producer> | undefined;
  const acknowledged = new Set<string>();
  let repeats = 0;
  let made = 0;

  function connected(): Promise<Producer> {
    producer ??= (async () => {
      const kafka = new Kafka({
        brokers: brokers.split(','),
        clientId: 'upstream',
        logLevel: logLevel.NOTHING,
        connectionTimeout: 1_000,
        requestTimeout: 5_000,
        retry: { retries: 1, initialRetryTime: 50 },
      });
      const made = kafka.producer({ idempotent: true, retry: { retries: 3, initialRetryTime: 50, maxRetryTime: 500 } });
      await made.connect();
      return made;
    })();
    return producer;
  }

  async function send(partition: number, numbers: readonly number[]): Promise<void> {
    const messages = numbers.map((n) => ({ partition, key: String(n), value: value(n) }));
    const begun = performance.now();
    for (;;) {
      const used = connected();
      try {
        const sent = used.then((producer) => producer.send({ topic, acks: -1, messages }));
        const [{ baseOffset }] = await ended(`send to ${topic}/${partition}`, ATTEMPT_MS, sent);
        if (Number(baseOffset) >= 0)
          numbers.forEach((_, i) => void acknowledged.add(`${topic}/${partition}/${Number(baseOffset) + i}`));
        return;
      } catch (error) {
        if (performance.now() - begun > GIVE_UP_MS) throw error;
        repeats++;
        // After an idempotent send that failed for good, this client counts its sequence back: never use it again.
        if (producer === used) {
          producer = undefined;
          used
            .then((old) => pause(10_000, undefined, { ref: false }).then(() => old.disconnect()))
            .catch(() => undefined);
        }
        await pause(50);
      }
    }
  }

  async function drive(partition: number): Promise<void> {
    const queue = queues[partition];
    while (!stopping.signal.aborted || queue.length > 0) {
      if (queue.length === 0) await pause(TICK_MS);
      else await send(partition, queue.splice(0, MAX_BATCH));
    }
  }

  async function make(): Promise<void> {
    const startedMs = performance.now();
    while (!stopping.signal.aborted) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
      for (; made < due; made++) queues[made % partitions].push(made);
      await pause(TICK_MS);
    }
  }

  const running = Promise.all([make(), ...queues.map((_, partition) => drive(partition))]);
  // The failure is reported when the load is stopped; until then it must not end the process.
  running.catch(() => undefined);
  return {
    acknowledged,
    get repeats() {
      return repeats;
    },
    async stop() {
      stopping.abort();
      await running;
      await producer?.then((each) => each.disconnect()).catch(() => undefined);
      return made;
    },
  };
}
