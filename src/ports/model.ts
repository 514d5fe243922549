import type { Tensor } from '../kernel/frame.ts';

export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'uint8' | 'string' | 'other';

/** An input or output of a model, as its file declares it. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  /** The runtime's name of the type, if `dtype` is `other`. */
  readonly type?: string;
  /** The first axis is the batch. Each is a number, or the name of a free dimension. */
  readonly shape: readonly (number | string)[];
}

/** A loaded model on a device. */
export interface ModelSession {
  /** Such as `cpu`, `webgpu`, `cuda:0`; the first, if there are several. */
  readonly device: string;
  /** All of them, if there are several. */
  readonly devices?: readonly string[];
  /** Runs that may be in flight at once; default one. */
  readonly concurrency?: number;
  /** The most rows per run, so that a run does not hold others up; default no limit. */
  readonly maxRows?: number;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * One batch: slabs of rows × width in the order of `feeds` given at load, at least `rows` rows long.
   * Resolves to one slab (rows × width, row-major) per fetched output, in the order requested at load.
   * With a `concurrency` above one, the slabs may be reused once `run` has returned its promise; otherwise not before it settles.
   * Rejects with `device-memory` if the run needs more memory than there is, so that fewer rows might fit; with `model-failed`
   * otherwise, also for a run that hung or crashed if the session can detect it and go on. `searching`: one of many runs that
   * look for the row at fault, with a shorter time-out unless it has a single row.
   */
  run(feeds: readonly Tensor[], rows: number, searching?: boolean): Promise<readonly ModelOutput[]>;
  close(): Promise<void>;
}

export interface ModelOutput {
  readonly values: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
  /** Values per row. */
  readonly width: number;
}

export interface ModelRuntime {
  /** Reads the signature only. */
  inspect(file: string): Promise<{ readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] }>;
  load(options: ModelLoad): Promise<ModelSession>;
}

export interface ModelLoad {
  readonly file: string;
  readonly device: 'auto' | 'cpu' | 'cuda' | 'tensorrt' | 'webgpu';
  /** Inputs in the order `run` gives them, with the full shape of one row (without the batch axis). */
  readonly feeds: readonly { readonly name: string; readonly rowShape: readonly number[]; readonly dtype: DType }[];
  /** For cuda and tensorrt: which devices, by the driver's numbers; default the first. A session for one device takes the first of them. */
  readonly deviceIds?: readonly number[];
  /** Where to look for the libraries of a device; default where the system does. */
  readonly libraries?: LibraryHints;
  /** Outputs to fetch, by name; nothing else is computed into JS. */
  readonly fetches: readonly string[];
  /** A run of more rows is made in parts of at most as many, where the session can do that; default: whole. */
  readonly partRows?: number;
  /** Threads that compute one run on the CPU; default one. */
  readonly threads?: number;
  /** Files that must still have these bytes after the model has been read; otherwise loading fails with `file-failed`. */
  readonly pinned?: readonly { readonly file: string; readonly sha256: string }[];
}

/** What the environment of the process says about shared libraries. */
export interface LibraryHints {
  /** Folders that the system's loader was given when the process started. */
  readonly loadPath: readonly string[];
  /** Folders of Python environments, which may hold libraries that the loader does not know about. */
  readonly pythonPrefixes: readonly string[];
}
