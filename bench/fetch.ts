import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { FetchedMessage } from '../src/adapters/kafka/client/internals.ts';
import { BEGINNING, type CutLimits, cut, fill } from '../src/adapters/kafka/fetch/frames.ts';
import { singly } from '../src/adapters/kafka/record-batch/messages.ts';
import { decodeBatches, freshBudget } from '../src/adapters/kafka/record-batch/read.ts';
import type { Frame } from '../src/kernel/frame.ts';
import { batchOf } from '../test/fixtures/kafka/batches.ts';

/**
 * CPU per record from the bytes of a fetch to a frame: `node bench/fetch.ts`. `columns` is the path of the source; `messages`
 * makes one message per record, as other users of the client read; `stock` is the client's own decoder, up to messages only.
 * µs of processor time a record, the least of several rounds, garbage collection included; each in a process of its own, so
 * that none pays for another's garbage. The ratios carry over to other machines.
 */
const RECORDS = 20_000;
const RUNS = 5;
const FOR_MS = 2_000;
const ORIGIN = { topic: 't', partition: 0, epoch: 1 };
const LIMITS: CutLimits = { maxRecords: 512, maxBytes: 256 * 1024, maxRecordBytes: 64 << 20 };
const AT = { nextOffset: 0, receivedAtMs: 0, receivedMonotonicMs: 0 };

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const stockDecode = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: object,
) => Promise<readonly unknown[]>;

const HEADERS = { traceparent: Buffer.alloc(55, 'a'), source: Buffer.from('device') };

async function fetchOf(recordsABatch: number, options: { readonly compression?: number; readonly headers?: boolean }) {
  const batches: Buffer[] = [];
  for (let first = 0; first < RECORDS; first += recordsABatch) {
    const records = Array.from({ length: Math.min(recordsABatch, RECORDS - first) }, (_, i) => ({
      key: Buffer.from(`device-${(first + i) % 1000}`.padEnd(12)),
      value: Buffer.alloc(96, first + i),
      ...(options.headers && { headers: HEADERS }),
    }));
    const batch = await batchOf(records, { compression: options.compression ?? 0 });
    batch.writeBigInt64BE(BigInt(first), 0);
    batches.push(batch);
  }
  return Buffer.concat(batches);
}

/** The whole fetch: the bounds on one response are not measured here. */
const budget = () => ({ ...freshBudget(), records: 10 * RECORDS });

function toFrames(messages: readonly FetchedMessage[]): number {
  let records = 0;
  for (let from = BEGINNING; from.message < messages.length; ) {
    const next = cut(messages, from, LIMITS);
    const frame: Frame = fill(ORIGIN, messages, next, LIMITS, AT);
    records += frame.count;
    from = next.to;
  }
  return records;
}

const PATHS: Record<string, (bytes: Buffer) => Promise<number>> = {
  columns: async (bytes) => toFrames(await decodeBatches(bytes, budget())),
  messages: async (bytes) => toFrames(await singly(await decodeBatches(bytes, budget()))),
  stock: async (bytes) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes.length);
    return (await stockDecode(new Decoder(Buffer.concat([size, bytes])))).length;
  },
};

async function measure(name: string, bytes: Buffer): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const untilMs = performance.now() + FOR_MS;
  do {
    const before = process.cpuUsage();
    for (let run = 0; run < RUNS; run++) {
      if ((await PATHS[name](bytes)) !== RECORDS) throw new Error(`${name} lost records`);
    }
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / RUNS / RECORDS);
  } while (performance.now() < untilMs);
  return least;
}

const CASES: readonly (readonly [string, number, { readonly compression?: number; readonly headers?: boolean }])[] = [
  ['batches of 150', 150, {}],
  ['batches of 10', 10, {}],
  ['batches of 1', 1, {}],
  ['batches of 150, two headers', 150, { headers: true }],
  ['batches of 150, gzip', 150, { compression: 1 }],
];

if (process.argv.length > 2) {
  const [name, k] = process.argv.slice(2);
  const [, recordsABatch, options] = CASES[Number(k)];
  console.log(await measure(name, await fetchOf(recordsABatch, options)));
} else {
  const names = Object.keys(PATHS);
  console.log(`${RECORDS} records of 108 bytes of key and value; µs of processor time a record\n`);
  console.log(`${'fetch'.padEnd(30)}${names.map((name) => name.padStart(10)).join('')}   messages : columns`);
  for (const [k, [title]] of CASES.entries()) {
    const found = names.map((name) =>
      Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), name, String(k)])),
    );
    const figures = found.map((us) => us.toFixed(3).padStart(10));
    console.log(`${title.padEnd(30)}${figures.join('')}   ${(found[1] / found[0]).toFixed(1)}`);
  }
}
