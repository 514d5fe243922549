import type { ColumnWant, KeyTemplate, OutputField } from '../codecs/types.ts';
import type { CompiledInputs, CompiledPredictions } from '../features/types.ts';
import type { FeastEntity, Layout, StoreName } from '../kernel/cells/views.ts';
import type { Bundle } from './bundle.ts';
import type { CacheSettings, Topology, ViewSettings } from './topology.ts';

/** A topology and a bundle that fit together, compiled: everything the stages need, resolved to slots and functions. */
export interface Plan {
  readonly topology: Topology;
  readonly bundle: Bundle;
  /** decode: event columns by slot; the first `inputs.wants.length` are the bundle's, then keys, then output fields. */
  readonly wants: readonly ColumnWant[];
  /** Reads of enrich, then of details. */
  readonly reads: readonly ReadPlan[];
  /** Undefined: no look-ups by prediction. */
  readonly details?: DetailsPlan;
  readonly inputs: CompiledInputs;
  /** Shape of one row, dtype and name of each ONNX input, in the order of frame.inputs. */
  readonly feeds: readonly {
    readonly name: string;
    readonly rowShape: readonly number[];
    readonly dtype: InputDType;
  }[];
  readonly predictions: CompiledPredictions;
  /** Undefined: the input's key. */
  readonly outputKey: KeyTemplate | undefined;
  readonly outputFields: readonly OutputField[];
  /** The same topology with the bundle of `onOverload.smallerModel`. */
  readonly smaller?: Plan;
}

export type InputDType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';

/** What is looked up after the model. */
export interface DetailsPlan {
  /** Index of its first read in `reads`. Slots of their keys count the predictions first, then the event columns. */
  readonly from: number;
  /** Columns for output fields, after the predictions. */
  readonly columns: readonly DetailColumn[];
}

export interface DetailColumn {
  /** As in output fields: `details.VIEW.COLUMN`. */
  readonly name: string;
  readonly kind: 'number' | 'vector';
  readonly width: number;
  /** Index into `reads`. */
  readonly read: number;
  /** Where its first number lies in a row. */
  readonly offset: number;
}

/** One look-up for each record: entries of the topology with the same table and key share it. */
export interface ReadPlan {
  readonly from: StoreName;
  readonly table: string;
  readonly key: KeyTemplate;
  readonly layout: Layout;
  readonly feast?: FeastEntity | undefined;
  readonly views: readonly ViewSettings[];
  readonly rowWidth: number;
  readonly onMissing: readonly ('impute' | 'dead-letter' | 'drop')[];
  readonly cache: CacheSettings | undefined;
}
