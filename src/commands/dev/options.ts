import type { Listen } from '../console.ts';

export interface DevOptions {
  readonly topology: string;
  readonly features: string | undefined;
  readonly events: string | undefined;
  /** Events a second; 0: as fast as they are taken. */
  readonly rate: number;
  /** The file of events again and again. */
  readonly loop: boolean;
  readonly kafkaPort: number;
  readonly registryPort: number;
  readonly bigtablePort: number;
  /** Where the console is; undefined for nowhere. */
  readonly listen: Listen | undefined;
  /** Predictions, and dead letters, told after each start. */
  readonly show: number;
  readonly exit: boolean;
  readonly json: boolean;
}
