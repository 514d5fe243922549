import type { Clock } from './kernel/clock.ts';
import { Conditions } from './kernel/conditions.ts';
import type { Credit } from './kernel/credit.ts';
import { classify, type SluiceError } from './kernel/errors.ts';
import type { Frame, Origin } from './kernel/frame.ts';
import { Lifecycle, type State } from './kernel/lifecycle.ts';
import { WAITS, type Wait, waitOf } from './kernel/waits.ts';
import { Watermarks } from './offsets/watermark.ts';
import type { Source, SourceListener } from './ports/source.ts';
import type { Telemetry } from './ports/telemetry.ts';
import { createDrain } from './runner/drain.ts';
import type { Lag } from './runner/lag.ts';
import { createPartitions } from './runner/partitions.ts';
import { shutDown } from './runner/shut-down.ts';
import { UnderWay } from './runner/stall.ts';
import { type Commit, createCommit } from './stages/commit.ts';

/** How a run ended: `done`, everything settled; `drain-budget`, the budget ran out first; `failed`, with the reason. */
export interface RunOutcome {
  readonly result: 'done' | 'drain-budget' | 'failed';
  readonly error: SluiceError | undefined;
  /** Records handed over but not settled at the end; they stay uncommitted and will be read again. */
  readonly unsettledRecords: number;
}

export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
  /** Why not ready; empty when ready. */
  readonly reason: string;
  /** The conditions behind `reason`. */
  readonly waits?: readonly string[];
}

export interface Runner {
  /** Starts the source and resolves when the run has ended; never rejects. */
  run(): Promise<RunOutcome>;
  /** Begins to drain; further calls change nothing. */
  stop(): void;
  /** Ends at once, as if the drain budget had run out: nothing more is settled, and the member does not leave the group. */
  abort(): void;
  health(): Health;
  state(): State;
}

/** What the runner drives: the path over a frame, and the stages that it tells when nothing more will come. */
export interface Drivable {
  readonly path: (frame: Frame) => Promise<void>;
  /** Gives a frame its place in the order of its origin. */
  readonly admit: (frame: Frame) => void;
  /** While true, nothing waits for more rows or lingers. */
  readonly setFlushing: (flushing: boolean) => void;
  /** Resolves when nothing in flight will ever settle although nothing failed, so that waiting is pointless. */
  readonly standstill?: Promise<SluiceError>;
  /** Closes sink, store and model; bounded by the caller. */
  readonly close: () => Promise<void>;
}

export interface RunnerDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly credit: Credit;
  readonly source: Source;
  /** Makes the path, given what it needs from the runner. */
  readonly build: (parts: RunnerParts) => Drivable;
}

export interface RunnerParts {
  readonly commit: Commit;
  readonly conditions: Conditions;
  readonly abandon: AbortSignal;
  readonly isCurrent: (origin: Origin) => boolean;
  /** How far each partition is behind. */
  readonly lags: () => Iterable<Lag>;
}

export interface RunnerOptions {
  readonly drainMs: number;
  readonly commitEveryMs: number;
  /** Records that are read again are not published twice. */
  readonly exactlyOnce?: boolean;
}

/**
 * Runs a pipeline from start to end: admits frames, drains before every re-join and at the end, fails as a whole.
 *
 * Promises: a frame that was handed over either settles or stays uncommitted; the run ends within the drain budget, whatever
 * hangs (law L8: runner/shut-down.ts); after a failure nothing more is published, and only what was settled before is
 * committed; a stall is reported (runner/stall.ts).
 */
export function createRunner(deps: RunnerDeps, options: RunnerOptions): Runner {
  const { clock, telemetry, credit, source } = deps;
  const lifecycle = new Lifecycle();
  const underWay = new UnderWay(clock, options);
  const conditions = new Conditions(() => underWay.progress());
  const watermarks = new Watermarks();
  const partitions = createPartitions({ clock, telemetry, source });
  const abandon = new AbortController();
  const commit = createCommit(
    { clock, telemetry, credit, watermarks, source, onFailed: fail },
    { everyMs: options.commitEveryMs, everyRecords: Math.max(1, credit.maxRecords / 2) },
  );
  const isCurrent = (origin: Origin): boolean => watermarks.isOpen(origin);
  const driven = deps.build({ commit, conditions, abandon: abandon.signal, isCurrent, lags: partitions.lags });
  const drain = createDrain({
    clock,
    underWay,
    watermarks,
    commit,
    setFlushing: (flushing) => driven.setFlushing(flushing),
    standstill: driven.standstill,
    abandoned: abandon.signal,
  });
  let failure: SluiceError | undefined;
  let end: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let cutShort: ((outcome: RunOutcome) => void) | undefined;
  const aborted = new Promise<RunOutcome>((resolve) => {
    cutShort = resolve;
  });

  telemetry.gauge('sluice_inflight_records', {}, () => credit.records);
  telemetry.gauge('sluice_inflight_bytes', {}, () => credit.bytes);
  for (const what of WAITS) telemetry.gauge('sluice_waiting', { what }, () => Number(waitsFor(what)));

  function waitsFor(what: Wait): boolean {
    if (what === 'source') return lifecycle.state === 'running' && !source.health().ready;
    if (what === 'unknown' && underWay.stall(conditions).reason !== '') return true;
    return conditions.names().some((name) => waitOf(name) === what);
  }

  function fail(thrown: unknown): void {
    // Abandoning work at the end of the drain budget is no failure: it is unsettled, and reported as such.
    if (abandon.signal.aborted) return;
    const error = classify(thrown);
    if (!lifecycle.on('fail')) return;
    failure = error;
    telemetry.event('failed', { code: error.code, reason: error.message });
    abandon.abort();
    end?.();
  }

  function stop(): void {
    if (!lifecycle.on('stop')) return;
    telemetry.event('draining', { records: credit.records, budgetMs: options.drainMs });
    end?.();
  }

  function abort(): void {
    stop();
    abandon.abort();
    telemetry.event('drain-cut-short', { records: credit.records });
    cutShort?.({ result: 'drain-budget', error: undefined, unsettledRecords: credit.records });
  }

  const ending = (): boolean => lifecycle.state !== 'running' && lifecycle.state !== 'starting';

  /** A start that was abandoned because of a stop is no failure. */
  function startFailed(thrown: unknown): void {
    if (!ending()) fail(thrown);
  }

  /** Resolves when the frame is settled, or never will be. */
  async function take(frame: Frame): Promise<void> {
    // A response that arrives after the stop must not be processed: it would be published here and read again elsewhere.
    if (ending() || !watermarks.admit(frame)) {
      credit.give(frame.count, frame.bytes);
      return;
    }
    underWay.enter();
    partitions.took(frame);
    driven.admit(frame);
    try {
      await driven.path(frame);
      underWay.leave();
      partitions.left(frame);
    } catch (thrown) {
      underWay.leave();
      fail(thrown);
    }
  }

  const listener: SourceListener = {
    onAssigned(origin) {
      watermarks.open(origin);
      const { topic, partition } = origin;
      partitions.assigned(origin);
      telemetry.event('assigned', { topic, partition, epoch: origin.epoch });
    },
    onFrame(frame) {
      void take(frame);
    },
    onAlone: (frame) => drain.hurried(() => take(frame)),
    isHeld: () => !conditions.none,
    async onRevoking(deadline) {
      const clean = await drain.settleAll(deadline);
      const result = clean ? 'clean' : drain.standsStill() === undefined ? 'deadline' : 'held';
      telemetry.counter('sluice_drains_total', { result }).add(1);
      if (result === 'deadline') telemetry.event('rebalance-deadline-missed', { records: credit.records });
      return clean;
    },
    onRevoked(origin) {
      const replayed = watermarks.close(origin);
      if (!options.exactlyOnce) telemetry.counter('sluice_duplicates_possible_total').add(replayed);
      const { topic, partition } = origin;
      partitions.revoked(origin);
      telemetry.event('revoked', { topic, partition, epoch: origin.epoch });
    },
    onEnd() {
      // The end of the input is no signal: what is in flight may take all the time it needs.
      driven.setFlushing(true);
      void underWay.none().then(stop);
    },
    onFailed: fail,
  };

  async function finish(): Promise<RunOutcome> {
    const hasFailed = () => failure !== undefined;
    const close = () => driven.close();
    const done = await shutDown(
      { clock, telemetry, source, commit, drain, close, abandon, hasFailed, onFailed: fail },
      options.drainMs,
    );
    const unsettledRecords = credit.records;
    if (failure !== undefined) return { result: 'failed', error: failure, unsettledRecords };
    lifecycle.on('done');
    telemetry.event(done ? 'drained' : 'drain-budget-exceeded', { records: unsettledRecords });
    return { result: done ? 'done' : 'drain-budget', error: undefined, unsettledRecords };
  }

  return {
    async run() {
      commit.start();
      source.start(listener).then(() => {
        if (lifecycle.on('ready')) telemetry.event('ready');
      }, startFailed);
      await ended;
      return Promise.race([finish(), aborted]);
    },
    stop,
    abort,
    state: () => lifecycle.state,
    health() {
      const from = source.health();
      const { state } = lifecycle;
      const stall = underWay.stall(conditions);
      const waits = [
        state === 'running' ? '' : state,
        from.ready ? '' : from.reason,
        ...conditions.list(),
        stall.reason,
      ].filter((each) => each !== '');
      const reason = waits.join('; ');
      return {
        live: from.live && state !== 'failed' && !stall.isForGood,
        ready: reason === '',
        reason,
        waits,
      };
    },
  };
}
