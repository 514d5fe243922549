/**
 * Records of a file, a run of them at a time: what a reader of any format hands to the source.
 * Both lists are as long; an offset is the number of a line or of a record, from 0, and rises.
 */
export interface RecordRun {
  readonly offsets: readonly number[];
  /** The value as it lies encoded, or its bytes where it was too large to keep. */
  readonly values: readonly (Buffer | number)[];
}

/** An opened file: what it holds, as far as is known before its records. */
export interface RecordFile {
  /** The Avro schema (parsed JSON) that the values were written with; undefined: values are JSON. */
  readonly writer: unknown;
  runs(signal: AbortSignal): AsyncIterable<RecordRun>;
}

export interface ReadOptions {
  /** Read instead of the file, whose name is then but a name. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  /** Called now and then with the bytes of the file read so far. */
  readonly onProgress: (readBytes: number) => void;
  /** A larger value is not kept. */
  readonly maxValueBytes: number;
}
