import type { Clock } from '../kernel/clock.ts';

/** What a command may use of the process: passed in by main, faked by tests. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Cores that this process may use; default one. */
  readonly cores?: number;
  /** How busy the processor is with this process and thread, 0 to 1: kernel/processor-load.ts. */
  readonly processorLoad: () => number;
  /** Input data. */
  readonly stdin: NodeJS.ReadableStream;
  /** Output data. */
  readonly stdout: NodeJS.WritableStream;
  /** Messages for people. */
  readonly stderr: NodeJS.WritableStream & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  /** Name of this process: host and process id. */
  readonly instance: string;
  /** Calls `stop` on SIGINT and SIGTERM; returns a function that unregisters it. */
  onSignal(stop: (signal: string) => void): () => void;
}
