import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Credit } from '../src/kernel/credit.ts';
import { classify } from '../src/kernel/errors.ts';
import { Frame, type Origin } from '../src/kernel/frame.ts';
import { FrameBuilder } from '../src/kernel/frame-builder.ts';
import type { Sink } from '../src/ports/sink.ts';
import type { Source, SourceListener } from '../src/ports/source.ts';
import type { MetricStore } from '../src/telemetry/metrics.ts';

const PARTITIONS = 4;

export interface Feed {
  readonly keys: readonly Buffer[];
  readonly values: readonly Buffer[];
}

export interface Drive {
  /** To be measured. */
  readonly records: number;
  /** 512 if not given. */
  readonly frameRecords?: number;
  /** These go first, to fill the caches; once they are settled, `onWarm` is called and the others follow. */
  readonly warmUp?: number;
  readonly onWarm?: (telemetry: MetricStore) => unknown;
}

export interface EndsDeps {
  readonly credit: Credit;
  readonly telemetry: MetricStore;
  /** Named as the origin of the records. */
  readonly topic: string;
}

export interface Ends {
  readonly source: Source;
  readonly sink: Sink;
  /** Acknowledged. */
  rows(): number;
  chunks(): number;
}

/**
 * A source and a sink that allocate nothing per record: frames of the same records share their bytes and ranges, and what differs
 * between frames is filled natively; rows are counted.
 */
export function createEnds(deps: EndsDeps, feed: Feed, drive: Drive): Ends {
  const { credit, telemetry, topic } = deps;
  const { records, frameRecords = 512, warmUp = 0, onWarm } = drive;
  const origins: Origin[] = Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic,
    partition,
    epoch: 1,
  }));
  const next = new Float64Array(PARTITIONS);
  const acknowledged = Promise.resolve();
  let rows = 0;
  let chunks = 0;
  let sent = 0;
  let turn = 0;

  /** Template frames by the position in the feed where they begin; whole ones only. */
  const patterns = new Map<number, Frame>();
  const whole = Math.max(1, Math.floor(feed.values.length / frameRecords));

  function patternAt(at: number, count: number): Frame {
    const known = count === frameRecords ? patterns.get(at) : undefined;
    if (known !== undefined) return known;
    let bytes = 0;
    for (let k = 0; k < count; k++) {
      const from = (at + k) % feed.values.length;
      bytes += feed.keys[from].length + feed.values[from].length;
    }
    const builder = new FrameBuilder(origins[0], count, bytes);
    for (let k = 0; k < count; k++) {
      const from = (at + k) % feed.values.length;
      builder.append(k, 0, feed.keys[from], feed.values[from], null);
    }
    const pattern = builder.build(count, 0, 0);
    if (count === frameRecords) patterns.set(at, pattern);
    return pattern;
  }

  function frameOf(pattern: Frame): Frame {
    const { count } = pattern;
    const partition = turn % PARTITIONS;
    const offset = next[partition];
    next[partition] += count;
    const offsets = pattern.offsets.slice();
    for (let k = 0; k < count; k++) offsets[k] += offset;
    const nowMs = Date.now();
    return new Frame({
      ...pattern,
      origin: origins[partition],
      nextOffset: offset + count,
      receivedAtMs: nowMs,
      receivedMonotonicMs: performance.now(),
      offsets,
      timestamps: new Float64Array(count).fill(nowMs),
      fate: new Uint8Array(count),
      reason: new Uint8Array(count),
    });
  }

  async function feedTo(end: number, listener: SourceListener): Promise<void> {
    for (; sent < end; turn++) {
      const count = Math.min(frameRecords, end - sent);
      // Whole frames of the feed in turn, so that there are few templates.
      const pattern = patternAt((turn % whole) * frameRecords, count);
      if (!credit.tryTake(count, pattern.bytes)) await credit.take(count, pattern.bytes);
      sent += count;
      listener.onFrame(frameOf(pattern));
    }
  }

  async function feedAll(listener: SourceListener): Promise<void> {
    await feedTo(warmUp, listener);
    while (credit.records > 0) await nextTurn();
    await onWarm?.(telemetry);
    await feedTo(warmUp + records, listener);
    listener.onEnd();
  }

  const source: Source = {
    async start(listener) {
      for (const origin of origins) listener.onAssigned(origin);
      feedAll(listener).catch((thrown) => listener.onFailed(classify(thrown)));
    },
    commit: () => acknowledged,
    halt: () => acknowledged,
    close: () => acknowledged,
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
  const sink: Sink = {
    open: () => acknowledged,
    partitionCount: () => PARTITIONS,
    send(_topic, _partition, slab) {
      rows += slab.count;
      chunks++;
      return acknowledged;
    },
    close: () => acknowledged,
  };
  return { source, sink, rows: () => rows, chunks: () => chunks };
}
