import { SluiceError } from '../../kernel/errors.ts';
import { DEAD_LETTERED, reasonCode } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { DeadLetterForm } from './dead-letter.ts';
import type { DeadLetterLimit } from './dead-letter-limit.ts';
import { sourceOf } from './settlement.ts';

const UNPUBLISHABLE = reasonCode('unpublishable');
const NEXT_FORM: Readonly<Record<DeadLetterForm, DeadLetterForm | undefined>> = {
  whole: 'dated-now',
  'dated-now': 'reference',
  reference: undefined,
};

/** What becomes of a record that a topic will never take as it is. */
export interface Refusals {
  /** What of the record its dead letter carries. */
  formOf(frame: Frame, i: number): DeadLetterForm;
  /**
   * Record `i`, alone, was refused: an output becomes a dead letter, `unpublishable`; a dead letter goes again with less of the record.
   * Throws when there is nothing less.
   */
  refuse(frame: Frame, i: number, error: SluiceError): void;
}

export interface RefusalsDeps {
  readonly telemetry: Telemetry;
  /** Is told of outputs that become dead letters. */
  readonly limit: Pick<DeadLetterLimit, 'turned'>;
}

export function createRefusals({ telemetry, limit }: RefusalsDeps, deadLetterTopic: string): Refusals {
  const refused = new WeakMap<Frame, Map<number, DeadLetterForm>>();
  const formOf = (frame: Frame, i: number): DeadLetterForm => refused.get(frame)?.get(i) ?? 'whole';

  return {
    formOf,
    refuse(frame, i, error) {
      telemetry.event('unpublishable', { source: sourceOf(frame, i), reason: error.message });
      if (frame.fate[i] !== DEAD_LETTERED) {
        frame.fate[i] = DEAD_LETTERED;
        frame.reason[i] = UNPUBLISHABLE;
        limit.turned(frame, i);
        return;
      }
      const form = NEXT_FORM[formOf(frame, i)];
      if (form === undefined) {
        const said = `dead letter ${sourceOf(frame, i)} was refused: ${error.message}`;
        throw new SluiceError('broker-refused', `${said}; give ${deadLetterTopic} settings that take it`, error);
      }
      const forms = refused.get(frame) ?? new Map<number, DeadLetterForm>();
      refused.set(frame, forms.set(i, form));
      telemetry.counter('sluice_retries_total', { what: 'sink', reason: 'dead-letter-refused' }).add(1);
    },
  };
}
