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
  /** A frame is settled: its credit returns, its origin's watermark may move. */
  (frame: Frame): void;
  /** Stores every watermark that moved; resolves when they are stored, or known not to be storable now. */
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

/** A lost answer would hold every later commit, and a drain with them; positions only grow, so that the next one may overtake it. */
const PATIENCE_MS = 2_000;

export interface CommitOptions {
  readonly everyMs: number;
  /** Settled records after which it does not wait for the timer. */
  readonly everyRecords: number;
}

/**
 * commit: watermarks → the group's offsets; on a timer, when much has settled since, before every re-join and at the end.
 * One call is waited for at a time. What has settled and is not committed comes twice after a crash, so there is a bound on that too.
 * A commit that fails is tried again at the next tick with what is then the watermark: nothing is lost by being late.
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
    // Behind a call under way, because what it stores may be older than what is settled by now.
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
    // One that was let go is looked at by whoever has it under way still.
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
