import type { Listen } from '../console.ts';

export interface DevOptions {
  readonly topology: string;
  readonly features: string | undefined;
  readonly events: string | undefined;
  /** Events per second; 0: as fast as the broker accepts them. */
  readonly rate: number;
  /** Repeat the file of events. */
  readonly loop: boolean;
  readonly kafkaPort: number;
  readonly registryPort: number;
  readonly bigtablePort: number;
  /** Address of the console; undefined for none. */
  readonly listen: Listen | undefined;
  /** Predictions, and dead letters, to show after each start. */
  readonly show: number;
  readonly exit: boolean;
  readonly json: boolean;
}
