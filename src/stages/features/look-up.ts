import type { Column } from '../../kernel/columns.ts';
import { DEAD_LETTERED, DROPPED, OPEN } from '../../kernel/fate.ts';
import { decide, degrade, type FeatureRows, type Frame } from '../../kernel/frame.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { Histogram } from '../../ports/telemetry.ts';
import type { StageDeps } from '../types.ts';
import { FeatureAges } from './ages.ts';
import { KeyTable } from './keys.ts';
import type { FeatureReader } from './reader.ts';
import type { DistinctRows } from './rows.ts';

/** How the look-ups of one stage differ from those of another. */
export interface LookUpRules {
  /** Whether its rows count for the age of the record's features, see `Frame.featuresAtMs`. */
  readonly dates: boolean;
  /** The reason codes of their decisions. */
  readonly missing: number;
  readonly stale: number;
}

/** One pass of a frame through all look-ups. */
interface Run {
  /** It failed: a later answer must not decide anything, because it may then concern different records. */
  over: boolean;
}

/**
 * One read of the plan, for a frame: the keys of its records → rows, with the topology's rules for missing and stale rows.
 * `columns` are the columns to which the key's slots refer.
 */
export class LookUp {
  private readonly deps: StageDeps;
  private readonly rules: LookUpRules;
  private readonly read: ReadPlan;
  private readonly keys: KeyTable;
  private readonly reader: FeatureReader;
  private readonly histograms: readonly Histogram[];
  private readonly ages = new FeatureAges();
  /** Row of the current frame → when the oldest of its views was written. */
  private oldest = new Float64Array(1024);

  constructor(deps: StageDeps, read: ReadPlan, reader: FeatureReader, rules: LookUpRules) {
    this.deps = deps;
    this.rules = rules;
    this.read = read;
    this.reader = reader;
    this.keys = new KeyTable(read.key);
    this.histograms = read.views.map(({ name }) =>
      deps.telemetry.histogram('sluice_feature_age_seconds', { view: name }),
    );
  }

  run(frame: Frame, columns: readonly Column[], run: Run): FeatureRows | Promise<FeatureRows> {
    const index = this.keys.gather(frame, columns);
    const rows = this.reader.rowsFor(this.keys);
    return rows instanceof Promise
      ? rows.then((answered) => this.finish(frame, index, answered, run))
      : this.finish(frame, index, rows, run);
  }

  recycle(rows: FeatureRows): void {
    this.reader.recycle(rows);
  }

  private finish(frame: Frame, index: Int32Array, rows: DistinctRows, run: Run): FeatureRows {
    if (run.over) return { index, values: rows.values, writtenAtMs: rows.writtenAtMs };
    const stale = this.ageViews(rows);
    if (rows.degraded !== undefined) stamp(frame, index, rows.degraded);
    if (this.rules.dates) this.dateRecords(frame, index);
    this.read.views.forEach((view, v) => {
      if (this.read.onMissing[v] !== 'impute') this.decideMissing(frame, index, rows, v);
      if (view.onStale === 'dead-letter' && stale !== undefined) this.decideStale(frame, index, stale, v);
    });
    return { index, values: rows.values, writtenAtMs: rows.writtenAtMs };
  }

  /** Observes the ages, blanks stale views or marks them for dead-lettering, as the topology says; dates the rows by the rest. */
  private ageViews(rows: DistinctRows): Uint8Array | undefined {
    const { views } = this.read;
    const { count, writtenAtMs } = rows;
    const { ages } = this;
    const nowMs = this.deps.clock.wallMs();
    const width = views.length;
    const oldest = this.oldestOf(count);
    let stale: Uint8Array | undefined;
    for (let v = 0; v < width; v++) {
      const { onStale, maxAgeMs } = views[v];
      const limitMs = onStale === 'use' || maxAgeMs === undefined ? Number.POSITIVE_INFINITY : maxAgeMs;
      for (let row = 1, at = width + v; row < count; row++, at += width) {
        const atMs = writtenAtMs[at];
        // NaN: no such view. 0: the store does not say when it was written.
        if (!(atMs > 0)) continue;
        const ageMs = Math.max(0, nowMs - atMs);
        ages.add(ageMs);
        if (ageMs > limitMs && onStale === 'missing') {
          this.blankView(rows, row, v);
          continue;
        }
        if (ageMs > limitMs) {
          stale ??= new Uint8Array(writtenAtMs.length);
          stale[at] = 1;
        }
        if (!(oldest[row] <= atMs)) oldest[row] = atMs;
      }
      ages.tell(this.histograms[v]);
    }
    return stale;
  }

  private blankView({ values, writtenAtMs }: DistinctRows, row: number, v: number): void {
    const { views, rowWidth } = this.read;
    writtenAtMs[row * views.length + v] = Number.NaN;
    for (const { offset, width } of views[v].columns) {
      values.fill(Number.NaN, row * rowWidth + offset, row * rowWidth + offset + width);
    }
  }

  private oldestOf(count: number): Float64Array {
    if (count > this.oldest.length) this.oldest = new Float64Array(2 * count);
    return this.oldest.fill(Number.NaN, 0, count);
  }

  /** The age of a record's features is that of the oldest view it uses. */
  private dateRecords({ count, featuresAtMs }: Frame, index: Int32Array): void {
    const { oldest } = this;
    for (let i = 0; i < count; i++) {
      const atMs = oldest[index[i]];
      if (atMs > 0 && !(featuresAtMs[i] <= atMs)) featuresAtMs[i] = atMs;
    }
  }

  private decideMissing(frame: Frame, index: Int32Array, rows: DistinctRows, v: number): void {
    const fate = this.read.onMissing[v] === 'drop' ? DROPPED : DEAD_LETTERED;
    const width = this.read.views.length;
    for (let i = 0; i < frame.count; i++) {
      if (frame.fate[i] === OPEN && Number.isNaN(rows.writtenAtMs[index[i] * width + v])) {
        decide(frame, i, fate, this.rules.missing);
      }
    }
  }

  private decideStale(frame: Frame, index: Int32Array, stale: Uint8Array, v: number): void {
    const width = this.read.views.length;
    for (let i = 0; i < frame.count; i++) {
      if (frame.fate[i] === OPEN && stale[index[i] * width + v] === 1)
        decide(frame, i, DEAD_LETTERED, this.rules.stale);
    }
  }
}

/** A record is degraded as its row is. */
function stamp(frame: Frame, index: Int32Array, how: Uint8Array): void {
  for (let i = 0; i < frame.count; i++) if (how[index[i]] !== 0) degrade(frame, i, how[index[i]]);
}

/** All look-ups of a frame at once; waits only where one of them does. */
export function lookUpAll(
  lookUps: readonly LookUp[],
  frame: Frame,
  columns: readonly Column[],
): readonly FeatureRows[] | Promise<readonly FeatureRows[]> {
  const run: Run = { over: false };
  const answers: (FeatureRows | Promise<FeatureRows>)[] = [];
  try {
    for (const lookUp of lookUps) answers.push(lookUp.run(frame, columns, run));
  } catch (thrown) {
    // If it were thrown before the pending answers are awaited, their failures would go unhandled.
    answers.push(Promise.reject(thrown));
  }
  if (answers.every(isRows)) return answers;
  return Promise.all(answers).catch((thrown) => {
    run.over = true;
    throw thrown;
  });
}

function isRows(answer: FeatureRows | Promise<FeatureRows>): answer is FeatureRows {
  return !(answer instanceof Promise);
}
