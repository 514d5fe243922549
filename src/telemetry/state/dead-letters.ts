import type { Clock } from '../../kernel/clock.ts';
import { type Reason, STAGE_OF_REASON } from '../../kernel/fate.ts';
import type { MetricStore } from '../metrics.ts';
import type { DeadLetterState } from './state.ts';

/** A dead letter as reported by its event; can be sent to another thread. */
export interface Letter {
  readonly atMs: number;
  readonly reason: string;
  /** `topic/partition/offset`. */
  readonly source: string;
}

const KEPT = 50;

/** Keeps the place and reason of the latest dead letters, nothing of their content. */
export function keepLetters({
  clock,
  telemetry,
}: {
  readonly clock: Clock;
  readonly telemetry: Pick<MetricStore, 'onEvent'>;
}): () => readonly Letter[] {
  const ring: Letter[] = [];
  let next = 0;
  telemetry.onEvent((name, { source, reason }) => {
    if (name !== 'dead-lettered') return;
    ring[next] = { atMs: Math.round(clock.wallMs()), reason: String(reason), source: String(source) };
    next = (next + 1) % KEPT;
  });
  return () => [...ring.slice(next), ...ring.slice(0, next)];
}

/** The latest of several rings, newest first. */
export function newest(rings: readonly (readonly Letter[])[]): DeadLetterState[] {
  return rings
    .flatMap((ring) => ring.toReversed())
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, KEPT)
    .map(({ atMs, reason, source }) => {
      const [topic = '', partition = '', offset = ''] = source.split('/');
      return {
        atMs,
        reason,
        stage: STAGE_OF_REASON[reason as Reason] ?? '',
        topic,
        partition: Number(partition),
        offset,
      };
    });
}
