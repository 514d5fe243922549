import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import { classify } from '../../kernel/errors.ts';
import type { Origin } from '../../kernel/frame.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Source, SourceListener } from '../../ports/source.ts';

/**
 * The ends of a path without a broker: a source of frames with ready-made values, and a sink that acknowledges at once and counts.
 * They cost time per frame, not per record.
 */
export interface Drive {
  readonly topic: string;
  readonly values: readonly Buffer[];
  readonly records: number;
  /** These records go first and settle before `onWarm`: by then caches are full and code is compiled. */
  readonly warmUp: number;
  onWarm(): void;
}

const FRAME_RECORDS = 1024;
const PARTITIONS = 4;
const DONE = Promise.resolve();

export function createEnds(clock: Clock, credit: Credit, drive: Drive) {
  const { values } = drive;
  const origins: Origin[] = Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: drive.topic,
    partition,
    epoch: 1,
  }));
  const rows = new Map<string, number>();
  let sent = 0;
  let turn = 0;

  async function feedTo(end: number, listener: SourceListener): Promise<void> {
    for (; sent < end; turn++) {
      const count = Math.min(FRAME_RECORDS, end - sent);
      let bytes = 0;
      for (let k = 0; k < count; k++) bytes += values[(sent + k) % values.length].length;
      if (!credit.tryTake(count, bytes)) await credit.take(count, bytes);
      const builder = new FrameBuilder(origins[turn % PARTITIONS], count, bytes);
      const offset = Math.floor(turn / PARTITIONS) * FRAME_RECORDS;
      const nowMs = clock.wallMs();
      for (let k = 0; k < count; k++) {
        builder.append(offset + k, nowMs, null, values[(sent + k) % values.length], null);
      }
      sent += count;
      listener.onFrame(builder.build(offset + count, nowMs, clock.monotonicMs()));
    }
  }

  async function feedAll(listener: SourceListener): Promise<void> {
    await feedTo(drive.warmUp, listener);
    while (credit.records > 0) await nextTurn();
    drive.onWarm();
    await feedTo(drive.warmUp + drive.records, listener);
    listener.onEnd();
  }

  const source: Source = {
    async start(listener) {
      for (const origin of origins) listener.onAssigned(origin);
      feedAll(listener).catch((thrown) => listener.onFailed(classify(thrown)));
    },
    commit: () => DONE,
    halt: () => DONE,
    close: () => DONE,
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
  const sink: Sink = {
    open: () => DONE,
    partitionCount: () => PARTITIONS,
    send(topic, _partition, slab) {
      rows.set(topic, (rows.get(topic) ?? 0) + slab.count);
      return DONE;
    },
    close: () => DONE,
  };
  return { source, sink, rows };
}

/** View → column → value, as stated in golden records. */
export type Stated = Readonly<Record<string, Readonly<Record<string, number | readonly number[]>> | null>>;

const UNSTATED = 0.5;

/** A store that answers every key at once, cycling through the features stated in golden records. */
export function createStatedStore(clock: Clock, stated: readonly Stated[]): FeatureStore {
  let turn = 0;
  return {
    open: () => DONE,
    close: () => DONE,
    read({ keys, views, rowWidth, into }: FeatureRead) {
      const nowMs = clock.wallMs();
      for (let k = 0; k < keys.length; k++) {
        const features = stated.length === 0 ? {} : stated[turn++ % stated.length];
        views.forEach((view, v) => {
          into.writtenAtMs[k * views.length + v] = nowMs;
          for (const { name, offset, width } of view.columns) {
            const at = k * rowWidth + offset;
            const value = features[view.name]?.[name];
            if (typeof value === 'object' && value.length === width) into.values.set(value, at);
            else into.values.fill(typeof value === 'number' ? value : UNSTATED, at, at + width);
          }
        });
      }
      return DONE;
    },
  };
}
