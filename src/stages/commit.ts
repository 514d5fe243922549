import type { Clock, Timer } from '../kernel/clock.ts';
import type { Credit } from '../kernel/credit.ts';
import { deadlineIn, within } from '../kernel/deadline.ts';
import { classify, SluiceError } from '../kernel/errors.ts';
import type { Frame } from '../kernel/frame.ts';
import type { Watermarks } from '../offsets/watermark.ts';
import type { Source } from '../ports/source.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { giveBack } from './pool.ts';

export interface Commit {
  /** A frame is settled: its credit is returned, and its origin's watermark may advance. */
  (frame: Frame): void;
  /** Commits every watermark that has moved; resolves when they are committed, or when it is clear that they cannot be at present. */
  now(): Promise<void>;
  start(): void;
  stop(): void;
}

export interface CommitDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly credit: Credit;
  readonly watermarks: Watermarks;
  readonly source: Pick<Source, 'commit'>;
  readonly onFailed: (error: unknown) => void;
}

/** A lost answer would block every later commit, and with them a drain; positions only grow, so the next commit may overtake it. */
const PATIENCE_MS = 2_000;

export interface CommitOptions {
  readonly everyMs: number;
  /** After so many settled records it commits without waiting for the timer. */
  readonly everyRecords: number;
}

/**
 * commit: watermarks → the group's offsets; on a timer, after many settled records, before every re-join and at the end.
 * One call at a time. What is settled but not committed comes twice after a crash, so its amount is bounded too.
 * A commit that fails is repeated at the next tick with the watermark of that moment: being late loses nothing.
 */
export function createCommit(deps: CommitDeps, options: CommitOptions): Commit {
  const { clock, telemetry, credit, watermarks, source } = deps;
  const committed = telemetry.counter('sluice_commits_total', { result: 'stored' });
  const failed = telemetry.counter('sluice_commits_total', { result: 'failed' });
  const late = telemetry.counter('sluice_late_completions_total');
  let inFlight: Promise<void> | undefined;
  let settled = 0;
  let timer: Timer | undefined;

  async function store(): Promise<void> {
    const positions = watermarks.committable();
    settled = 0;
    if (positions.length === 0) return;
    try {
      if (!(await within(clock, deadlineIn(clock, PATIENCE_MS), source.commit(positions)))) {
        throw new SluiceError('broker-unavailable', `a commit was not answered for ${PATIENCE_MS / 1_000} s`);
      }
      for (const { origin, offset } of positions) watermarks.markCommitted(origin, offset);
      committed.add(1);
    } catch (thrown) {
      const error = classify(thrown);
      failed.add(1);
      telemetry.event('commit-failed', { reason: error.message });
      if (error.disposition !== 'retry') deps.onFailed(error);
    }
  }

  async function now(): Promise<void> {
    // After the call in flight, because what that one commits may be older than what is settled by now.
    if (inFlight !== undefined) await inFlight;
    inFlight ??= store().finally(() => {
      inFlight = undefined;
    });
    await inFlight;
  }

  function arm(): void {
    timer = clock.after(options.everyMs, () => {
      void now().finally(() => {
        if (timer !== undefined) arm();
      });
    });
  }

  const commit = (frame: Frame): void => {
    credit.give(frame.count, frame.bytes);
    // A frame that was let go may still be in use by the stage that works on it.
    if (frame.unsettled === 0) {
      giveBack(frame);
      frame.giveBack?.();
    }
    if (watermarks.advance(frame.origin)) {
      settled += frame.count;
      if (settled >= options.everyRecords && inFlight === undefined && timer !== undefined) void now();
      return;
    }
    late.add(frame.count);
    telemetry.event('late-completion', {
      topic: frame.origin.topic,
      partition: frame.origin.partition,
      records: frame.count,
    });
  };
  return Object.assign(commit, {
    now,
    start: arm,
    stop(): void {
      timer?.cancel();
      timer = undefined;
    },
  });
}
