import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Answered, HandOver, type Stops } from '../../kernel/bounded-source.ts';
import { pause } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { Origin } from '../../kernel/frame.ts';
import { FramePool } from '../../kernel/frame-memory.ts';
import { retry } from '../../kernel/retry.ts';
import type { BoundedSource, SourceListener } from '../../ports/source.ts';
import type { Range } from '../../ports/topic-log.ts';
import { fetchMemory } from './client/fetch-memory.ts';
import type { FetchedBatch } from './client/internals.ts';
import type { ConnectionDeps, KafkaConnection } from './connection.ts';
import { BEGINNING, type CutLimits, cut, endOf, fill, firstFrom, offsetBehind } from './fetch/frames.ts';
import { createLogReader } from './fetch/log-reader.ts';
import { countBefore } from './fetch/range-cut.ts';

export interface RangeSourceOptions extends KafkaConnection {
  readonly topic: string;
  /** By partition: which offsets. */
  readonly ranges: ReadonlyMap<number, Range>;
  /** Stop after this many records. */
  readonly limit: number;
  /** Called now and then with the number of offsets of the ranges that are done. */
  readonly onProgress: (readOffsets: number) => void;
  /** Called for ranges whose last records are held back by an open transaction. */
  readonly onHeldBack?: (partition: number, offset: number) => void;
  readonly answered?: Answered | undefined;
  readonly stops?: Stops | undefined;
  readonly frameRecords?: number;
  readonly frameBytes?: number;
}

export interface RangeSourceDeps extends ConnectionDeps {
  readonly credit: Credit;
}

const AGAIN_MS = 200;
const RETRY = { initialMs: 100, maxMs: 5_000 };
const EMPTY = { from: BEGINNING, to: BEGINNING, count: 0, bytes: 0 };

/**
 * Ranges of a topic as a bounded source: no group, no commits, only committed records, columns from the fetch on.
 *
 * Promise: partitions come one after the other, each in offset order and not before all of the previous one is written, so that
 * the same ranges make the same file. It waits for brokers that are down. Limits: one fetch in advance; if records are deleted
 * while they are being read, the run fails, because nothing may be left out silently.
 */
export function createRangeSource(deps: RangeSourceDeps, options: RangeSourceOptions): BoundedSource {
  const { clock, credit, telemetry } = deps;
  const { topic, ranges, answered } = options;
  const reader = createLogReader(deps, { ...options, whole: true });
  const limits: CutLimits = {
    maxRecords: Math.min(options.frameRecords ?? 1024, credit.maxRecords),
    maxBytes: Math.min(options.frameBytes ?? 512 * 1024, credit.maxBytes),
    maxRecordBytes: credit.maxBytes,
  };
  const pool = new FramePool(credit.maxBytes / 2);
  const stopping = new AbortController();
  const { signal } = stopping;
  const starts = new Map([...ranges].map(([partition, { from }]) => [partition, from]));
  const settled = new Map(starts);
  let left = options.limit;
  let readBefore = 0;
  /** Behind what was answered, in the partition that is read; and behind what was handed over of it. */
  let passedTo = 0;
  let handedTo = 0;

  function fetch(partition: number, offset: number): Promise<FetchedBatch | undefined> {
    let isAway = false;
    const what = `topic ${topic}`;
    const fetched = retry(
      deps,
      {
        ...RETRY,
        signal,
        onRetry: ({ code, message }, attempts, delayMs) => {
          telemetry.counter('sluice_retries_total', { what: 'kafka-read', reason: code }).add(1);
          if (!isAway) telemetry.event('outage', { what, reason: message, attempts, delayMs });
          isAway = true;
        },
      },
      () => reader.fetch(topic, partition, offset),
    ).then((batch) => {
      if (isAway) telemetry.event('outage-over', { what });
      return batch;
    });
    // A prefetch may fail before anybody waits for it.
    fetched.catch(() => undefined);
    return fetched;
  }

  /** Hands over the part of a batch that is in the range; resolves to false once no more is wanted. */
  async function handOver(handing: HandOver, origin: Origin, batch: FetchedBatch, range: Range): Promise<boolean> {
    const { messages } = batch;
    const { partition } = origin;
    const receivedAtMs = clock.wallMs();
    const receivedMonotonicMs = clock.monotonicMs();
    for (let from = firstFrom(messages, Number(batch.fetchedOffset)); from.message < messages.length; ) {
      const offset = offsetBehind(batch, from);
      if (offset >= range.to || left <= 0 || signal.aborted) return false;
      const until = Math.min(range.to, answered?.next(partition, offset) ?? range.to);
      if (until === offset) {
        left--;
        passedTo = offset + 1;
        from = firstFrom(messages, offset + 1);
        continue;
      }
      const count = countBefore(messages, from, until, Math.min(limits.maxRecords, left));
      const next = cut(messages, from, { ...limits, maxRecords: count });
      if (!(await handing.take(next.count, next.bytes))) return false;
      const nextOffset = Math.min(range.to, offsetBehind(batch, next.to));
      const at = { nextOffset, receivedAtMs, receivedMonotonicMs };
      const frame = fill(origin, messages, next, limits, at, pool);
      left -= next.count;
      handedTo = nextOffset;
      await handing.give(frame);
      options.onProgress(readBefore + nextOffset - range.from);
      from = next.to;
      // A fetch holds thousands of records: without yielding, the stages would get nothing until all of it is cut.
      if (from.message < messages.length) await nextTurn();
    }
    return true;
  }

  async function expired(partition: number, offset: number): Promise<SluiceError> {
    const start = (await reader.extents(topic))[partition]?.start;
    const there = start === undefined ? 'has no such partition any more' : `begins at offset ${start}`;
    return new SluiceError(
      'offset-out-of-range',
      `${topic}/${partition} was read up to offset ${offset}, and ${there}: what is between was deleted meanwhile, by retention or a purge; begin anew, which reads what is left`,
    );
  }

  async function readRange(handing: HandOver, origin: Origin, range: Range): Promise<void> {
    const { partition } = origin;
    let offset = range.from;
    passedTo = range.from;
    handedTo = range.from;
    let ahead = offset < range.to ? fetch(partition, offset) : undefined;
    while (ahead !== undefined && offset < range.to && !signal.aborted) {
      const batch = await ahead;
      if (batch === undefined) throw await expired(partition, offset);
      fetchMemory.begin([batch]);
      if (batch.rawMessages.length === 0) {
        // Below the end of what is committed there is always something: a broker that says otherwise slows us down.
        await pause(clock, AGAIN_MS, signal);
        ahead = fetch(partition, offset);
        continue;
      }
      offset = Math.max(offset + 1, endOf(batch));
      ahead = offset < range.to && left > 0 ? fetch(partition, offset) : undefined;
      tellLeftBehind(origin, batch);
      const goesOn = await handOver(handing, origin, batch, range);
      fetchMemory.end(batch);
      if (!goesOn) break;
    }
    if (signal.aborted) return;
    // What has no records, at the end too, is behind us as well; and so the next partition begins behind this one. What was
    // answered is behind us where the limit ends too: whoever goes on would not find it there.
    const isWhole = left > 0;
    const nextOffset = isWhole ? range.to : passedTo;
    if (!isWhole && nextOffset <= handedTo) return;
    answered?.next(partition, nextOffset);
    const at = { nextOffset, receivedAtMs: clock.wallMs(), receivedMonotonicMs: clock.monotonicMs() };
    await handing.alone(fill(origin, [], EMPTY, limits, at));
    if (isWhole) await tellHeldBack(partition, range.to);
  }

  /** For readers of committed records, a topic ends where its first open transaction begins. */
  async function tellHeldBack(partition: number, end: number): Promise<void> {
    const { onHeldBack } = options;
    const behind = onHeldBack && (await fetch(partition, end));
    if (behind?.rawMessages.length === 0 && Number(behind.highWatermark) > end) onHeldBack?.(partition, end);
  }

  function tellLeftBehind({ partition }: Origin, batch: FetchedBatch): void {
    const first = batch.messages.find(({ unread }) => unread !== undefined);
    if (first?.unread === undefined) return;
    const { offset, unread } = first;
    telemetry.event('batch-unreadable', { topic, partition, offset: Number(offset), error: unread.text });
  }

  async function read(listener: SourceListener): Promise<void> {
    const handing = new HandOver({ credit, signal, listener, stops: options.stops }, starts);
    for (const [partition, range] of ranges) {
      if (signal.aborted || left <= 0) break;
      const origin: Origin = { topic, partition, epoch: 0 };
      listener.onAssigned(origin);
      await readRange(handing, origin, range);
      readBefore += range.to - range.from;
    }
    if (!signal.aborted) listener.onEnd();
  }

  return {
    async start(listener) {
      read(listener).catch((thrown) => {
        if (!signal.aborted) listener.onFailed(classify(thrown));
      });
    },
    async commit(positions) {
      for (const { origin, offset } of positions) settled.set(origin.partition, offset);
    },
    settled: () => settled,
    async halt() {
      stopping.abort();
    },
    close: () => reader.close(),
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
}
