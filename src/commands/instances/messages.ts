import type { ErrorCode } from '../../kernel/errors.ts';
import type { LogLevel } from '../../ports/telemetry.ts';
import type { Health } from '../../runner.ts';
import type { Share } from '../../telemetry/merge.ts';
import type { Letter } from '../../telemetry/state/dead-letters.ts';

/** What an instance is started with; all of it can be cloned. */
export interface InstanceData {
  readonly topology: string;
  /** From 1. */
  readonly index: number;
  /** Its name in logs and dead letters. */
  readonly instance: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly seed: readonly [number, number, number];
  /** Cores of the whole process, and its share of them. */
  readonly processCores: number;
  readonly cores: number;
  readonly logLevel: LogLevel;
  readonly pretty: boolean;
  readonly color: boolean;
}

/** To an instance: `stop` drains, `abort` ends at once, `report` requests its metrics. */
export type Order = 'stop' | 'abort' | 'report';

/** From an instance. */
export type Report =
  | { readonly kind: 'health'; readonly health: Health }
  | { readonly kind: 'share'; readonly share: Share; readonly letters: readonly Letter[] }
  | {
      readonly kind: 'ended';
      readonly code: number;
      readonly share: Share;
      /** The error, if it failed to start or run. */
      readonly thrown: { readonly code: ErrorCode; readonly message: string } | undefined;
    };
