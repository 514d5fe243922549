import { classify, SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import type { Stage, StageDeps, SyncStage } from './types.ts';

const STAGE_FAILED = reasonCode('stage-failed');
/** What no stage knows as a fate, and every stage passes over, as all that is not OPEN. */
const SET_ASIDE = 255;
const RETRIES = 2;

export type IsolateDeps = Pick<StageDeps, 'telemetry' | 'abandon'>;

/**
 * A stage → the same stage, of which an unexpected failure (one that nobody translated) costs the records at fault alone.
 *
 * The stage is tried twice more; then records are set aside until it runs, and those that it breaks on, twice each, dead-letter
 * as `stage-failed`. The last run is over all others, so what the stage leaves is as if there had been no others.
 * It takes of the stage that it looks at OPEN records only and makes its results anew in each run. One record at fault costs
 * about 4 + 2 log2(records) runs, a frame of nothing else two runs per record.
 *
 * A program that is broken breaks on every record (cause) → the whole stream would become dead letters (effect) → records
 * count as at fault only once the stage has run after the last of them: with the others, or with none at all. If it does not,
 * the run ends with `stage-broken`, nothing dead-letters, and the group reads the frame again (guard). A stage that breaks on
 * all there is but runs without records is told apart from poison by nobody but the dead-letter limit.
 */
export function isolate(deps: IsolateDeps, name: string, stage: Stage): Stage {
  const { telemetry, abandon } = deps;
  const retries = telemetry.counter('sluice_retries_total', { what: 'stage', reason: 'unexpected' });

  /** Another failure than an unexpected one has its own way to go; so has every one once the pipeline has given up. */
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

  /** Runs the stage as often as the search asks for; waits only where the stage does. */
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

  /** Each yield is one run of the stage over what is OPEN; it answers with the failure, if there was one. */
  function* searchFor(frame: Frame): Search {
    for (let n = 0; n < RETRIES; n++) if ((yield) === undefined) return;
    const { fate } = frame;
    const left: number[] = [];
    for (let i = 0; i < frame.count; i++) if (fate[i] === OPEN) left.push(i);
    const suspects: Suspect[] = [];
    try {
      /** The first so many of `left` ran together, in the last run that did not break. */
      let good = 0;
      let step = left.length;
      /** That the stage breaks on the next `step` has been seen: these are all there are. */
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

/** A record that the stage broke on, alone or as the last of those that it runs without. */
interface Suspect {
  readonly i: number;
  readonly why: SluiceError;
}

/** The first `n` of the records are OPEN, the others set aside; what has a fate by now keeps it. */
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
    `${name} breaks whatever it is given, even nothing: ${saidBy(why)}; no record was given up; the program or a function of the bundle is at fault: correct it, and restart`,
    why,
  );
}

/** For logs only: what was thrown may hold what was in the record. */
function saidBy({ message, cause }: SluiceError): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : message;
}
