/**
 * One connection to one Kafka broker, with hand-written requests: what a load generator needs, cheaper than any client.
 * Promise: a call resolves only when the broker has answered without an error for every partition.
 * Limits: a cluster of one node; no retries, no idempotence (topics are fresh and the connection is one, so nothing is sent twice).
 */
import { connect, type Socket } from 'node:net';

const PRODUCE = 0;
const FETCH = 1;
const LIST_OFFSETS = 2;
const LATEST = -1n;
const MAX_FETCH_BYTES = 16 << 20;

export interface Fetched {
  readonly partition: number;
  /** Record batches as stored in the log; the last one may be cut off. */
  readonly records: Buffer;
}

export interface Wire {
  /** One record batch a partition; undefined where there is none. */
  produce(topic: string, batches: readonly (Buffer | undefined)[]): Promise<void>;
  fetch(topic: string, offsets: readonly number[]): Promise<Fetched[]>;
  /** The next offset of each partition. */
  ends(topic: string, partitions: number): Promise<number[]>;
  close(): void;
}

export async function openWire(brokers: string): Promise<Wire> {
  const [host, port] = brokers.split(',')[0].split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const ask = requests(socket);

  return {
    async produce(topic, batches) {
      const present = batches.flatMap((batch, partition) => (batch === undefined ? [] : [{ batch, partition }]));
      const head = new Writer().i16(-1).i16(-1).i32(30_000).i32(1).string(topic).i32(present.length);
      const parts = present.flatMap(({ batch, partition }, i) => {
        const before = (i === 0 ? head : new Writer()).i32(partition).i32(batch.length);
        return [before.bytes(), batch];
      });
      const answer = new Reader(await ask(PRODUCE, 7, parts));
      forEachPartition(answer, topic, () => answer.skip(24));
    },

    async fetch(topic, offsets) {
      const request = new Writer().i32(-1).i32(100).i32(1).i32(MAX_FETCH_BYTES).i8(0).i32(1).string(topic);
      request.i32(offsets.length);
      for (const [partition, offset] of offsets.entries()) {
        request
          .i32(partition)
          .i64(BigInt(offset))
          .i32(MAX_FETCH_BYTES / offsets.length);
      }
      const answer = new Reader(await ask(FETCH, 4, [request.bytes()]));
      answer.skip(4);
      const found: Fetched[] = [];
      forEachPartition(answer, topic, (partition) => {
        answer.skip(16);
        answer.skip(16 * Math.max(0, answer.i32()));
        found.push({ partition, records: answer.slice(Math.max(0, answer.i32())) });
      });
      return found;
    },

    async ends(topic, partitions) {
      const request = new Writer().i32(-1).i32(1).string(topic).i32(partitions);
      for (let partition = 0; partition < partitions; partition++) request.i32(partition).i64(LATEST);
      const answer = new Reader(await ask(LIST_OFFSETS, 1, [request.bytes()]));
      const found = Array<number>(partitions).fill(0);
      forEachPartition(answer, topic, (partition) => {
        answer.skip(8);
        found[partition] = Number(answer.i64());
      });
      return found;
    },

    close: () => socket.destroy(),
  };
}

/** Kafka answers a connection's requests in their order. */
function requests(socket: Socket): (api: number, version: number, parts: readonly Buffer[]) => Promise<Buffer> {
  const waiting: { resolve(answer: Buffer): void; reject(error: Error): void }[] = [];
  let pieces: Buffer[] = [];
  let size = 0;
  const fail = (error: Error): void => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  socket.on('error', fail).on('close', () => fail(new Error('the broker closed the connection')));
  socket.on('data', (chunk: Buffer) => {
    pieces.push(chunk);
    size += chunk.length;
    while (size >= 4) {
      if (pieces[0].length < 4) pieces = [Buffer.concat(pieces)];
      const length = 4 + pieces[0].readInt32BE(0);
      if (size < length) return;
      const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      pieces = all.length === length ? [] : [all.subarray(length)];
      size -= length;
      waiting.shift()?.resolve(all.subarray(8, length));
    }
  });
  return (api, version, parts) => {
    const body = parts.reduce((sum, part) => sum + part.length, 0);
    const client = 'bench';
    const head = new Writer()
      .i32(10 + client.length + body)
      .i16(api)
      .i16(version)
      .i32(0)
      .string(client)
      .bytes();
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      socket.cork();
      socket.write(head);
      for (const part of parts) socket.write(part);
      socket.uncork();
    });
  };
}

/** The frame that produce, fetch and list-offsets answers share: one topic, partitions, an error each. */
function forEachPartition(answer: Reader, topic: string, read: (partition: number) => void): void {
  answer.skip(4);
  answer.skip(answer.i16());
  for (let left = answer.i32(); left > 0; left--) {
    const partition = answer.i32();
    const error = answer.i16();
    if (error !== 0) throw new Error(`the broker answered error ${error} for ${topic}/${partition}`);
    read(partition);
  }
}

class Writer {
  private readonly parts: Buffer[] = [];

  i8(value: number): this {
    return this.put(1, (buffer) => buffer.writeInt8(value));
  }
  i16(value: number): this {
    return this.put(2, (buffer) => buffer.writeInt16BE(value));
  }
  i32(value: number): this {
    return this.put(4, (buffer) => buffer.writeInt32BE(value));
  }
  i64(value: bigint): this {
    return this.put(8, (buffer) => buffer.writeBigInt64BE(value));
  }
  string(text: string): this {
    this.i16(Buffer.byteLength(text));
    this.parts.push(Buffer.from(text));
    return this;
  }
  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
  private put(size: number, write: (buffer: Buffer) => unknown): this {
    const buffer = Buffer.alloc(size);
    write(buffer);
    this.parts.push(buffer);
    return this;
  }
}

class Reader {
  private at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  skip(count: number): void {
    this.at += count;
  }
  i16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }
  i32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }
  i64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }
  slice(count: number): Buffer {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}
