import type { ErrorCode } from '../../kernel/errors.ts';
import type { LogLevel } from '../../ports/telemetry.ts';
import type { Health } from '../../runner.ts';
import type { Share } from '../../telemetry/merge.ts';
import type { Letter } from '../../telemetry/state/dead-letters.ts';

/** What an instance is begun with; all of it can be cloned. */
export interface InstanceData {
  readonly topology: string;
  /** From 1. */
  readonly index: number;
  /** Names it in logs and dead letters. */
  readonly instance: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly seed: readonly [number, number, number];
  /** Its share of the process's. */
  readonly cores: number;
  readonly logLevel: LogLevel;
  readonly pretty: boolean;
  readonly color: boolean;
}

/** To an instance. `stop` drains, `abort` ends at once, `report` asks for what was counted. */
export type Order = 'stop' | 'abort' | 'report';

/** From an instance. */
export type Report =
  | { readonly kind: 'health'; readonly health: Health }
  | { readonly kind: 'share'; readonly share: Share; readonly letters: readonly Letter[] }
  | {
      readonly kind: 'ended';
      readonly code: number;
      readonly share: Share;
      /** Where it never began, or broke: what there is to say. */
      readonly thrown: { readonly code: ErrorCode; readonly message: string } | undefined;
    };
