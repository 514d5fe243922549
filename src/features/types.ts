import type { ColumnWant } from '../codecs/types.ts';
import type { ViewSpec } from '../kernel/cells/views.ts';
import type { Column } from '../kernel/columns.ts';
import type { Frame, Tensor } from '../kernel/frame.ts';

/** What the names in an expression mean: `event.x`, `VIEW.column`, `let` names, and after the model its outputs and `prediction.x`. */
export interface Scope {
  readonly event: EventFields;
  readonly views: ReadonlyMap<string, ViewRef>;
}

/** Fields of the event by path: `customer.age` is a field of a nested record. */
export interface EventFields {
  get(path: string): EventField | undefined;
  /** Names that a person may mean; recursive records are not listed endlessly. */
  keys(): Iterable<string>;
  /** Why a path leads to no field, and what to do; undefined if the name is simply unknown. */
  why?(path: string): { readonly message: string; readonly remedy: string } | undefined;
}

/** A field of the event's schema, as seen by the expression language. */
export interface EventField {
  /** mixed: a union whose values may be of several kinds; none: a type that expressions cannot read. */
  readonly kind: 'number' | 'string' | 'vector' | 'mixed' | 'none';
  /** Of a mixed field. */
  readonly parts?: readonly ('number' | 'string')[];
  /** For messages. */
  readonly avroType?: string;
  /** For a type that expressions cannot read: what to write instead. */
  readonly instead?: string;
  readonly logicalType?: string;
  readonly nullable: boolean;
  /** Width of a vector; 0 if the expression must give it, `event.image[784]`. */
  readonly width: number;
}

/** Where a view is in a frame's reads. */
export interface ViewRef {
  /** Index into frame.reads. */
  readonly read: number;
  /** Index of the view within that read. */
  readonly view: number;
  readonly viewsInRead: number;
  readonly rowWidth: number;
  readonly spec: ViewSpec;
  /** What the topology does about a missing value; with `impute` the bundle must supply one (`??`). */
  readonly onMissing: 'impute' | 'dead-letter' | 'drop';
}

/** One expression with the place it comes from. */
export interface Line {
  readonly name: string;
  readonly expression: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A mistake in an expression: in which line, where in it, and the remedy.
 * An `error` yields no program; a `warning` says that some records will be dead-lettered.
 */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly line: number;
  readonly column: number;
  readonly name: string;
  readonly message: string;
  readonly remedy: string;
}

/** The result of a compilation: with a program all findings are warnings; without one at least one is an error. */
export type Compiled<T> =
  | { readonly ok: true; readonly program: T; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * Preprocessing, compiled: fills `frame.inputs` row by row for every OPEN record, sets `frame.rows` and `frame.recordOf`.
 * A value that is not finite in the input's dtype dead-letters its record as `feature-not-finite`, which then takes no row.
 */
export type RowFiller = (frame: Frame, lent?: RowMemory) => void;

/** Memory for rows in place of new memory: room for `frame.count` rows, with any content. */
export interface RowMemory {
  /** For input `k`; not called if a column of the event is the slab. */
  slab(k: number): Tensor;
  readonly recordOf: Int32Array;
}

export interface InputProgram {
  readonly name: string;
  readonly dtype: 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';
  readonly lines: readonly Line[];
}

export interface CompiledInputs {
  /** Event columns that the program reads, in slot order: decode must deliver these. */
  readonly wants: readonly ColumnWant[];
  /** Values per row, by input. */
  readonly widths: readonly number[];
  /** A name for each column of each input (`tod[0]`…), for people. */
  readonly columnNames: readonly (readonly string[])[];
  readonly fill: RowFiller;
  /** The generated source, for people. */
  readonly source: string;
}

/** A model output that predictions may name. */
export interface OutputRef {
  readonly name: string;
  readonly width: number;
}

/**
 * Postprocessing, compiled: reads `frame.outputs` (rows × width, in the order of `fetches`) and makes `frame.predictions`.
 * A model output that is used and not finite dead-letters its record as `output-not-finite`.
 */
export interface CompiledPredictions {
  /** Model outputs that are read, in the order of frame.outputs. */
  readonly fetches: readonly string[];
  /** In slot order. */
  readonly predictions: readonly PredictionField[];
  /** Fresh columns of `count` entries, in slot order. */
  readonly columns: (count: number) => readonly Column[];
  /** Writes into `columns`, which are as long as the frame with everything missing; by default into fresh ones. */
  readonly predict: (frame: Frame, columns?: readonly Column[]) => void;
  readonly source: string;
}

export interface PredictionField {
  readonly name: string;
  readonly kind: Extract<Column['kind'], 'number' | 'vector' | 'label'>;
  readonly width: number;
  /** All labels that are possible. */
  readonly labels?: readonly string[];
}
