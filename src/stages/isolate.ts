import { classify, SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import type { Stage, StageDeps, SyncStage } from './types.ts';

const STAGE_FAILED = reasonCode('stage-failed');
/** No real fate: every stage skips such a record, like any that is not OPEN. */
const SET_ASIDE = 255;
const RETRIES = 2;

export type IsolateDeps = Pick<StageDeps, 'telemetry' | 'abandon'>;

/**
 * Wraps a stage so that an unexpected failure (one that nobody translated) costs only the records at fault.
 *
 * The stage is tried twice more; then records are set aside until it succeeds, and those on which it fails, twice each, dead-letter
 * as `stage-failed`. The last run is over all other records, so its results are as if the faulty ones had not been there.
 * The stage must look only at OPEN records, and make its results anew in each run. One record at fault costs about
 * 4 + 2 log2(records) runs; a frame of only faulty records, two runs per record.
 *
 * A broken program fails on every record (cause) → the whole stream would become dead letters (effect) → records count as at
 * fault only once the stage has succeeded after the last of them, with the others or with no records at all. If it does not,
 * the run ends with `stage-broken`, nothing dead-letters, and the group reads the frame again (guard). A stage that fails on
 * every record but succeeds without any looks like poison; only the dead-letter limit catches it.
 */
export function isolate(deps: IsolateDeps, name: string, stage: Stage): Stage {
  const { telemetry, abandon } = deps;
  const retries = telemetry.counter('sluice_retries_total', { what: 'stage', reason: 'unexpected' });

  /** Expected failures are passed on, and so is every failure once the pipeline has given up. */
  function unexpected(thrown: unknown): SluiceError {
    const error = classify(thrown);
    if (error.code !== 'unexpected' || abandon.aborted) throw thrown;
    retries.add(1);
    return error;
  }

  function recover(frame: Frame, thrown: unknown): undefined | Promise<void> {
    unexpected(thrown);
    const search = searchFor(frame);
    return goOn(frame, search, () => search.next());
  }

  /** Runs the stage as often as the search asks for; waits only if the stage does. */
  function goOn(frame: Frame, search: Search, next: () => IteratorResult<void, void>): undefined | Promise<void> {
    for (let step = next(); ; ) {
      if (step.done === true) return undefined;
      let answer: undefined | Promise<void>;
      try {
        answer = stage(frame);
      } catch (thrown) {
        step = tell(search, thrown);
        continue;
      }
      if (answer !== undefined) {
        return answer.then(
          () => goOn(frame, search, () => search.next()),
          (thrown) => goOn(frame, search, () => tell(search, thrown)),
        );
      }
      step = search.next();
    }
  }

  function tell(search: Search, thrown: unknown): IteratorResult<void, void> {
    let error: SluiceError;
    try {
      error = unexpected(thrown);
    } catch (other) {
      return search.throw(other);
    }
    return search.next(error);
  }

  /** Each yield is one run of the stage over the OPEN records; it returns the failure, if there was one. */
  function* searchFor(frame: Frame): Search {
    for (let n = 0; n < RETRIES; n++) if ((yield) === undefined) return;
    const { fate } = frame;
    const left: number[] = [];
    for (let i = 0; i < frame.count; i++) if (fate[i] === OPEN) left.push(i);
    const suspects: Suspect[] = [];
    try {
      /** So many of the first of `left` ran together in the last successful run. */
      let good = 0;
      let step = left.length;
      /** The stage is known to fail on the next `step`, because these are all that is left. */
      let seen = true;
      let ran = false;
      while (good < left.length) {
        let bad = Math.min(left.length, good + step);
        if (!seen) {
          show(frame, left, bad);
          if ((yield) === undefined) {
            ran = true;
            good = bad;
            step *= 2;
            continue;
          }
        }
        while (bad - good > 1) {
          const middle = (good + bad) >> 1;
          show(frame, left, middle);
          if ((yield) === undefined) good = middle;
          else bad = middle;
        }
        show(frame, left, bad);
        const why = yield;
        ran = why === undefined;
        if (why === undefined) {
          good = bad;
        } else {
          const [i] = left.splice(good, 1);
          if (fate[i] === OPEN) fate[i] = SET_ASIDE;
          suspects.push({ i, why });
        }
        seen = false;
        step = 1;
      }
      if (!ran) {
        show(frame, left, left.length);
        const why = yield;
        if (why !== undefined) throw broken(name, why);
      }
    } finally {
      for (const i of left) if (fate[i] === SET_ASIDE) fate[i] = OPEN;
      for (const { i } of suspects) if (fate[i] === SET_ASIDE) fate[i] = OPEN;
    }
    for (const suspect of suspects) giveUp(frame, suspect);
  }

  function giveUp(frame: Frame, { i, why }: Suspect): void {
    if (frame.fate[i] !== OPEN) return;
    decide(frame, i, DEAD_LETTERED, STAGE_FAILED);
    frame.failedIn ??= new Map();
    frame.failedIn.set(i, name);
    const { topic, partition } = frame.origin;
    telemetry.event('stage-failed', {
      stage: name,
      source: `${topic}/${partition}/${frame.offsets[i]}`,
      error: saidBy(why),
    });
  }

  return (frame) => {
    let answer: undefined | Promise<void>;
    try {
      answer = stage(frame);
    } catch (thrown) {
      return recover(frame, thrown);
    }
    return answer === undefined ? undefined : answer.catch((thrown) => recover(frame, thrown));
  };
}

/** The same for a stage that never waits. */
export function isolateSync(deps: IsolateDeps, name: string, stage: SyncStage): SyncStage {
  return isolate(deps, name, (frame) => {
    stage(frame);
    return undefined;
  });
}

type Search = Generator<void, void, SluiceError | undefined>;

/** A record on which the stage failed, alone or as the last one added to a set on which it succeeds. */
interface Suspect {
  readonly i: number;
  readonly why: SluiceError;
}

/** Leaves the first `n` of the records OPEN and sets the others aside; a record that already has a fate keeps it. */
function show({ fate }: Frame, records: readonly number[], n: number): void {
  for (let k = 0; k < records.length; k++) {
    const i = records[k];
    if (k < n) {
      if (fate[i] === SET_ASIDE) fate[i] = OPEN;
    } else if (fate[i] === OPEN) fate[i] = SET_ASIDE;
  }
}

function broken(name: string, why: SluiceError): SluiceError {
  return new SluiceError(
    'stage-broken',
    `${name} fails whatever it is given, even nothing: ${saidBy(why)}; no record was given up; the program or a function of the bundle is at fault: correct it, and restart`,
    why,
  );
}

/** For logs only: the error may contain data of the record. */
function saidBy({ message, cause }: SluiceError): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : message;
}
