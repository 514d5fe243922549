import type { Tensor } from '../kernel/frame.ts';

export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'uint8' | 'string' | 'other';

/** An input or output of a model, as its file declares it. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  /** What the runtime calls the type, where `dtype` is other. */
  readonly type?: string;
  /** First axis is the batch. A number, or the name of a free dimension. */
  readonly shape: readonly (number | string)[];
}

/** A loaded model on a device. */
export interface ModelSession {
  /** Such as `cpu`, `webgpu`, `cuda:0`; of several, the first. */
  readonly device: string;
  /** All of them, where there are several. */
  readonly devices?: readonly string[];
  /** Runs that may be under way at once; one, if not given. */
  readonly concurrency?: number;
  /** Rows per run at most, so that it holds nobody up; as many as are wanted, if not given. */
  readonly maxRows?: number;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * One batch: slabs of rows × width in the order of `feeds` given at load, at least `rows` rows long.
   * Resolves to one slab (rows × width, row-major) a fetched output, in the order asked for at load.
   * With a `concurrency` above one, the slabs are free again once `run` has returned its promise.
   * Rejects with `device-memory` where the run needs more memory than there is, so that fewer rows may fit; with
   * `model-failed`, also for a run that hung or crashed where the session can tell and go on; the slabs must stay as they are
   * until then. `searching`: one of many runs that look for the row at fault, which may be given up on sooner; a single row has
   * all the time there is.
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
  /** With cuda and tensorrt: which of the devices, by the driver's numbers; the first, if not given. A session that has only one takes the first of them. */
  readonly deviceIds?: readonly number[];
  /** Where to look for the libraries of a device; without it, where the system does. */
  readonly libraries?: LibraryHints;
  /** Outputs to fetch, by name; nothing else is computed into JS. */
  readonly fetches: readonly string[];
  /** Threads that compute one run on the CPU; one, if not given. */
  readonly threads?: number;
  /** Files that must still have these bytes when the model has been read; another one is refused with `file-failed`. */
  readonly pinned?: readonly { readonly file: string; readonly sha256: string }[];
}

/** What the environment of the process says about shared libraries. */
export interface LibraryHints {
  /** Folders that the system's loader was given at the start of the process. */
  readonly loadPath: readonly string[];
  /** Of Python environments, which may hold libraries that the loader is not told of. */
  readonly pythonPrefixes: readonly string[];
}
