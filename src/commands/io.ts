import type { Clock } from '../kernel/clock.ts';

/** What a command may touch of the process: handed in by main, by tests as fakes. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** That this process may use; one, if not given. */
  readonly cores?: number;
  /** Data may come from here. */
  readonly stdin: NodeJS.ReadableStream;
  /** Data goes here. */
  readonly stdout: NodeJS.WritableStream;
  /** Talk goes here. */
  readonly stderr: NodeJS.WritableStream & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  /** Names this process: host and process id. */
  readonly instance: string;
  /** Calls `stop` on SIGINT and SIGTERM; returns what undoes it. */
  onSignal(stop: (signal: string) => void): () => void;
}
