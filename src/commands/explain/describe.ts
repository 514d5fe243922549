import { createAvroReader } from '../../codecs/avro/value.ts';
import { degradedText } from '../../kernel/degraded.ts';
import { DEAD_LETTERED, DROPPED, OPEN, REASONS, type Reason, STAGE_OF_REASON } from '../../kernel/fate.ts';
import type { Plan } from '../../plan/plan.ts';
import { predicted } from '../check/golden-records.ts';
import { type AnsweredBy, answeredBy, hasSecondLevel } from '../look/levels.ts';
import { type ShownView, shownViews } from '../look/rows.ts';
import type { Scored } from './score.ts';

/** A look-up of the record: its key, and the views found. */
export interface ShownLookUp {
  readonly table: string;
  readonly template: string;
  /** Null: a field of the template is missing. */
  readonly key: string | null;
  /** Set if there is a second level of the cache, and a key. */
  readonly answeredBy?: AnsweredBy;
  readonly views: readonly ShownView[];
}

type Numbers = number | readonly number[];

/** What the path makes of the record. */
export interface Described {
  readonly lookUps: readonly ShownLookUp[];
  /** Model inputs by name, their columns by name; undefined: there is no row for the record. */
  readonly row: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined;
  readonly outputs: Readonly<Record<string, Numbers>> | undefined;
  readonly prediction: Readonly<Record<string, Numbers | string>> | undefined;
  readonly model: string;
  readonly fate: 'published' | 'dead-lettered' | 'dropped';
  readonly reason: Reason;
  readonly stage: string;
  readonly output: { readonly topic: string; readonly key: string | null; readonly value: unknown } | undefined;
}

/** `levels`: the reads of the plan whose rows may come from a second level of the cache. */
export function describe(scored: Scored, nowMs: number, levels: Plan['reads'] = []): Described {
  const { frame, plan, heard } = scored;
  const reason = REASONS[frame.reason[0]];
  const fate = frame.fate[0] === DEAD_LETTERED ? 'dead-lettered' : frame.fate[0] === DROPPED ? 'dropped' : 'published';
  const stage = fate === 'published' ? '' : (frame.failedIn?.get(0) ?? STAGE_OF_REASON[reason]);
  const ran = frame.rows > 0;
  return {
    // A record that was not decoded has no look-ups: reporting a missing key would blame its fields.
    lookUps: (stage === 'decode' ? [] : plan.reads).map((read, k) => {
      const row = heard[k];
      const raw = row ?? nothing(read.rowWidth, read.views.length);
      const key = row === undefined ? null : row.key.toString('utf8');
      const isKept = row !== undefined && levels[k] !== undefined && hasSecondLevel(levels[k], plan.topology);
      const by = isKept ? { answeredBy: answeredBy(row.askedAtMs[0], nowMs) } : {};
      return { table: read.table, template: read.key.source, key, ...by, views: shownViews(read, raw, nowMs) };
    }),
    row: ran ? rowOf(scored) : undefined,
    outputs: ran ? outputsOf(scored) : undefined,
    prediction: ran && predictedAny(scored) ? predictionOf(scored) : undefined,
    model: ran
      ? `${plan.bundle.label}${frame.degraded === undefined ? '' : ` ${degradedText(frame.degraded[0])}`}`
      : '',
    fate,
    reason,
    stage,
    output: frame.fate[0] === OPEN ? outputOf(scored) : undefined,
  };
}

function nothing(rowWidth: number, views: number) {
  const none = (length: number): Float64Array => new Float64Array(length).fill(Number.NaN);
  return { values: none(rowWidth), writtenAtMs: none(views) };
}

function rowOf({ frame, plan }: Scored): Described['row'] {
  const { columnNames } = plan.inputs;
  return Object.fromEntries(
    plan.feeds.map(({ name }, k) => [
      name,
      Object.fromEntries(columnNames[k].map((column, c) => [column, Number(frame.inputs[k][c])])),
    ]),
  );
}

function outputsOf({ frame, plan }: Scored): Described['outputs'] {
  return Object.fromEntries(plan.predictions.fetches.map((name, k) => [name, unwrapped([...frame.outputs[k]])]));
}

/** In a record that failed earlier, the prediction entries mean nothing. */
function predictedAny({ frame }: Scored): boolean {
  return frame.predictions.length > 0 && REASONS[frame.reason[0]] !== 'model-failed';
}

function predictionOf({ frame, plan }: Scored): Described['prediction'] {
  return Object.fromEntries(
    plan.predictions.predictions.map(({ name }, k) => [name, predicted(frame.predictions[k], 0)]),
  );
}

function unwrapped(numbers: readonly number[]): Numbers {
  return numbers.length === 1 ? numbers[0] : numbers;
}

function outputOf({ frame, plan }: Scored): Described['output'] {
  const { encoded, encodedAs } = frame;
  const row = encodedAs[0];
  if (encoded === undefined || row < 0) return undefined;
  const { arena, keyStart, keyEnd, valueStart, valueEnd } = encoded;
  const { topic, value } = plan.topology.output;
  const bytes = Buffer.from(arena.subarray(valueStart[row], valueEnd[row]));
  const shown: unknown =
    value.kind === 'json' ? JSON.parse(bytes.toString('utf8')) : createAvroReader(value.schema)(bytes, 0);
  return { topic, key: keyStart[row] < 0 ? null : arena.toString('utf8', keyStart[row], keyEnd[row]), value: shown };
}
