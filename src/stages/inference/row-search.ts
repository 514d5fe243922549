import { pause, type Timer } from '../../kernel/clock.ts';
import { classify, type SluiceError } from '../../kernel/errors.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { StageDeps } from '../types.ts';
import type { Slice } from './batch-queue.ts';

export interface RowSearchDeps extends Pick<StageDeps, 'clock' | 'telemetry' | 'conditions'> {
  /** Reports that there was not enough memory for a run of so many rows. */
  readonly exceeded: (rows: number, error: SluiceError) => void;
  /** How many rows a run may have within the available memory. */
  readonly limit: () => number;
  /** Runs rows of the batch; `searching` if the batch as a whole has failed. */
  readonly run: (slices: readonly Slice[], rows: number, searching: boolean) => Promise<void>;
  /** Runs a row of zeros; if the model cannot, rejects with the error that ends the pipeline. */
  readonly probe: (suspect: Suspect) => Promise<void>;
  /** Decides the fate of a row at fault. */
  readonly blame: (suspect: Suspect) => void;
}

/** A row that failed alone. */
export interface Suspect {
  readonly frame: Frame;
  readonly row: number;
  readonly why: string;
  /** It needed more memory than there is. */
  readonly memory: boolean;
}

/** Pauses before a single row that lacked memory is tried again. */
const MEMORY_PAUSES_MS = [50, 200, 1_000];

/** A search that takes longer than this is reported as the reason why records wait. */
const SAY_AFTER_MS = 1_000;
const CONDITION = 'model';

/**
 * Runs a batch, and halves it when it fails until the rows at fault are isolated; by then the others have run. A blamed row has failed
 * at least twice, because a process can be killed for unrelated reasons.
 *
 * A failure that an adapter did not translate may be a row's fault just like `model-failed`: both lead to a search; any other failure
 * ends the run. A device that dies fails every row (cause) → the whole stream would become dead letters unnoticed (effect) → rows
 * count as at fault only once the model has succeeded after the last of them: with another row of the batch, or with a row of zeros,
 * which it ran at the start; if it runs neither, no row is blamed (guard).
 *
 * A run without enough memory is halved too, but that is no search: no row is to blame for the size of its batch. Only a row that
 * repeatedly lacks memory alone, while a row of zeros does not, is blamed.
 *
 * Cost: a row at fault among n takes about 2·log2(n) runs. If each failure is a time-out T, that is T for the batch, T for the single
 * row, and the shorter time-out of a search in between; later records wait, and `/ready` says why.
 */
export function createRowSearch(deps: RowSearchDeps): (slices: readonly Slice[], rows: number) => Promise<void> {
  const { clock, telemetry, conditions, run, probe, blame } = deps;

  return async (slices, rows) => {
    try {
      await run(slices, rows, false);
    } catch (thrown) {
      const error = rowsFault(thrown);
      const suspects: Suspect[] = [];
      const timer = announce(rows, error);
      try {
        const cleared = rows > 1 ? await split(slices, rows, error, suspects) : await once(slices, error, suspects);
        const last = suspects.at(-1);
        if (last !== undefined && !cleared) await probe(last);
      } finally {
        timer.cancel();
        conditions.clear(CONDITION);
      }
      for (const suspect of suspects) blame(suspect);
    }
  };

  function announce(rows: number, error: SluiceError): Timer {
    const what = isMemory(error) ? 'running in parts' : 'looking for the row at fault in';
    const why = `${what} a batch of ${rows}, which failed: ${error.message}`;
    return clock.after(SAY_AFTER_MS, () => conditions.set(CONDITION, why));
  }

  function counted(rows: number, error: SluiceError): void {
    telemetry.counter('sluice_retries_total', { what: 'model', reason: error.code }).add(1);
    if (rows > 1 && isMemory(error)) deps.exceeded(rows, error);
  }

  /** A batch of a single row. */
  function once(slices: readonly Slice[], error: SluiceError, suspects: Suspect[]): Promise<boolean> {
    counted(1, error);
    return again(slices, 1, suspects);
  }

  /** Among rows that failed together, finds those that fail alone. True if a run has succeeded since the last of them. */
  async function split(
    slices: readonly Slice[],
    rows: number,
    error: SluiceError,
    suspects: Suspect[],
  ): Promise<boolean> {
    counted(rows, error);
    return inHalves(slices, rows, suspects);
  }

  async function inHalves(slices: readonly Slice[], rows: number, suspects: Suspect[]): Promise<boolean> {
    const [left, right] = halves(slices, rows >> 1);
    await again(left, rows >> 1, suspects);
    return again(right, rows - (rows >> 1), suspects);
  }

  /** Runs rows of a failed batch. True if a run has succeeded since the last suspect. */
  async function again(slices: readonly Slice[], rows: number, suspects: Suspect[]): Promise<boolean> {
    // A size that has just proved too large need not be tried again.
    if (rows > deps.limit()) return inHalves(slices, rows, suspects);
    try {
      await run(slices, rows, true);
      return true;
    } catch (thrown) {
      const error = rowsFault(thrown);
      if (rows > 1) return split(slices, rows, error, suspects);
      const suspect = { frame: slices[0].frame, row: slices[0].from, why: error.message, memory: isMemory(error) };
      if (suspect.memory) {
        if (await roomLater(slices)) return true;
        // Every further row would wait as long, so check at once whether there is memory for any.
        await probe(suspect);
      }
      suspects.push(suspect);
      return suspect.memory;
    }
  }

  /** Another process, or the last run, may hold the memory that a single row needs: true if it succeeds after a while. */
  async function roomLater(slices: readonly Slice[]): Promise<boolean> {
    for (const pauseMs of MEMORY_PAUSES_MS) {
      await pause(clock, pauseMs);
      try {
        await run(slices, 1, true);
        return true;
      } catch (thrown) {
        const error = rowsFault(thrown);
        counted(1, error);
        if (!isMemory(error)) return false;
      }
    }
    return false;
  }
}

/** A failure for which rows may be at fault; any other is rethrown. */
function rowsFault(thrown: unknown): SluiceError {
  const error = classify(thrown);
  if (error.code === 'model-failed' || error.code === 'unexpected' || isMemory(error)) return error;
  throw error;
}

function isMemory({ code }: SluiceError): boolean {
  return code === 'device-memory';
}

/** The first `rows` rows and the rest. */
function halves(slices: readonly Slice[], rows: number): [Slice[], Slice[]] {
  const left: Slice[] = [];
  const right: Slice[] = [];
  let room = rows;
  for (const { frame, from, to } of slices) {
    const take = Math.min(room, to - from);
    if (take > 0) left.push({ frame, from, to: from + take });
    if (from + take < to) right.push({ frame, from: from + take, to });
    room -= take;
  }
  return [left, right];
}
