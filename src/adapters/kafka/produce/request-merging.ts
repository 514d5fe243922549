import { nextTick } from 'node:process';
import type { Payload } from './payload.ts';
import type { RequestBuffers } from './request-buffers.ts';
import {
  type Acknowledged,
  encodeProduce,
  errorOfCode,
  type ProduceBroker,
  type ProduceHead,
  type ProducePart,
  sendProduce,
} from './wire.ts';

/**
 * Merges what several partitions send to one broker in the same turn of the event loop into one request: a request costs as much as
 * hundreds of records, mostly in the kernel. Nothing waits: what is there when the turn ends is sent.
 *
 * Promise: each partition gets its own answer, or the error of the whole request. A request holds at most MAX_GATHERED_BYTES, or one
 * partition. Bytes are written once there is a connection, into memory that nobody else uses; unchanged rows give the same bytes at
 * every attempt.
 */
const MAX_GATHERED_BYTES = 1024 * 1024;
const RECORD_OVERHEAD = 32;

interface Waiting {
  readonly part: ProducePart;
  readonly onSending: () => void;
  readonly resolve: (acknowledged: readonly Acknowledged[]) => void;
  readonly reject: (thrown: unknown) => void;
}

interface Gathered {
  readonly waiting: Waiting[];
  bytes: number;
}

export class RequestMerger {
  private readonly head: ProduceHead;
  private readonly buffers: RequestBuffers;
  private readonly open = new Map<ProduceBroker, Gathered>();

  constructor(head: ProduceHead, buffers: RequestBuffers) {
    this.head = head;
    this.buffers = buffers;
  }

  /** Parts of one topic. `onSending`: from here on the bytes may reach the broker. */
  send(broker: ProduceBroker, part: ProducePart, onSending: () => void): Promise<readonly Acknowledged[]> {
    return new Promise((resolve, reject) => {
      const bytes = part.rows.used + RECORD_OVERHEAD * (part.to - part.from);
      let gathered = this.open.get(broker);
      if (gathered === undefined || gathered.bytes + bytes > MAX_GATHERED_BYTES) {
        const begun: Gathered = { waiting: [], bytes: 0 };
        this.open.set(broker, begun);
        nextTick(() => void this.leave(broker, begun));
        gathered = begun;
      }
      gathered.bytes += bytes;
      gathered.waiting.push({ part, onSending, resolve, reject });
    });
  }

  private async leave(broker: ProduceBroker, gathered: Gathered): Promise<void> {
    if (this.open.get(broker) === gathered) this.open.delete(broker);
    const { waiting } = gathered;
    let written: Payload | undefined;
    const payload = (): Payload => {
      const parts = waiting.map(({ part }) => part);
      written = encodeProduce(this.head, parts, (bytes) => this.buffers.take(bytes));
      for (const { onSending } of waiting) onSending();
      return written;
    };
    try {
      const acknowledged = await sendProduce(broker, payload);
      if (written !== undefined) this.buffers.give(written.buf);
      for (const { part, resolve, reject } of waiting) {
        const own = acknowledged.filter(
          ({ topicName, partition }) => topicName === part.topic && partition === part.partition,
        );
        const refused = own.find(({ errorCode }) => errorCode !== 0);
        if (refused === undefined) resolve(own);
        else reject(errorOfCode(refused.errorCode));
      }
    } catch (thrown) {
      for (const { reject } of waiting) reject(thrown);
    }
  }
}
