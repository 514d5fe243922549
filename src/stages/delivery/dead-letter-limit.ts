import { SluiceError } from '../../kernel/errors.ts';
import { DEAD_LETTERED, REASONS, type Reason } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { DeadLetterSettings } from '../../plan/topology.ts';
import type { StageDeps } from '../types.ts';

const NOT_DEAD = 0;

/**
 * Which of the last `window` records became dead letters, in the order in which they were released. Exact, pure, O(1) a record:
 * a ring of reasons, a byte per record.
 */
export class FateWindow {
  private readonly ring: Uint8Array;
  private readonly byReason = new Uint32Array(REASONS.length);
  /** Dead letters that the window may hold. */
  private readonly most: number;
  /** Records added so far; the next one's number. */
  total = 0;
  dead = 0;
  /** The window was full once, and the share of dead letters above the ratio. Stays. */
  exceeded = false;

  constructor({ ratio, window }: { readonly ratio: number; readonly window: number }) {
    this.ring = new Uint8Array(window);
    let most = Math.round(ratio * window);
    // Products are rounded, 0.29 × 100 to less than 29; quotients of whole numbers are what a person would write.
    while (most / window > ratio) most--;
    this.most = most;
  }

  /** `reason` of a dead letter, 0 for another fate. */
  add(reason: number): void {
    const slot = this.total++ % this.ring.length;
    this.put(slot, reason);
  }

  /** So many records of another fate. While none in the window is dead there is nothing to overwrite. */
  addAlive(count: number): void {
    if (this.dead === 0) this.total += count;
    else for (let n = 0; n < count && !this.exceeded; n++) this.add(NOT_DEAD);
  }

  /** Record number `n` became a dead letter after it had been added as something else. */
  amend(n: number, reason: number): void {
    if (this.total - n <= this.ring.length) this.put(n % this.ring.length, reason);
  }

  /** The reason of most dead letters in the window, and their number. */
  commonest(): { readonly reason: Reason; readonly records: number } {
    let at = 0;
    for (let reason = 1; reason < REASONS.length; reason++) if (this.byReason[reason] > this.byReason[at]) at = reason;
    return { reason: REASONS[at], records: this.byReason[at] };
  }

  private put(slot: number, reason: number): void {
    const before = this.ring[slot];
    if (before !== NOT_DEAD) {
      this.byReason[before]--;
      this.dead--;
    }
    this.ring[slot] = reason;
    if (reason !== NOT_DEAD) {
      this.byReason[reason]++;
      this.dead++;
    }
    if (this.dead > this.most && this.total >= this.ring.length) this.exceeded = true;
  }
}

export interface DeadLetterLimit {
  /** Counts the fates of a frame that is to be released; false: it must not be, and nothing after it. */
  admits(frame: Frame): boolean;
  /** Record `i` of a frame that was admitted became a dead letter after all. */
  turned(frame: Frame, i: number): void;
  /** The frame is settled, or somebody else's. */
  left(frame: Frame): void;
  /**
   * Resolves when the limit is exceeded and all frames that it admitted have left: nothing will settle any more. With what
   * the run fails with when it ends. Undefined without a limit.
   */
  readonly standstill: Promise<SluiceError> | undefined;
}

const UNLIMITED: DeadLetterLimit = {
  admits: () => true,
  turned: () => undefined,
  left: () => undefined,
  standstill: undefined,
};

/**
 * The limit on the share of dead letters. A producer, a schema or a model that is wrong makes a dead letter of every record
 * (cause) → the whole topic would be moved to the dead-letter topic, its offsets committed (effect) → above the limit nothing
 * is released any more: records wait where they are, a condition and an event say so, and somebody has to look (guard).
 * The process does not end of it: started anew, it would dead-letter another window, again and again.
 */
export function createDeadLetterLimit(
  { telemetry, conditions }: Pick<StageDeps, 'telemetry' | 'conditions'>,
  { topic, limit }: DeadLetterSettings,
): DeadLetterLimit {
  if (limit === undefined) return UNLIMITED;
  const { ratio, window } = limit;
  const fates = new FateWindow(limit);
  const pauses = telemetry.counter('sluice_pauses_total', { reason: 'dead-letters' });
  /** Frames admitted that have not left; the number of their first record in the window. */
  const firsts = new Map<Frame, number>();
  let exceeded: SluiceError | undefined;
  let standStill: (error: SluiceError) => void = () => undefined;
  const standstill = new Promise<SluiceError>((resolve) => {
    standStill = resolve;
  });

  /** `frame` is the first that is held. */
  function hold({ origin, offsets }: Frame): void {
    const { reason, records } = fates.commonest();
    const share = `${fates.dead} of the last ${window} records are dead letters (${percent(fates.dead / window)}, the limit is ${percent(ratio)}), ${records} of them ${reason}`;
    const held = `${origin.topic}/${origin.partition}/${offsets[0]}`;
    const remedy = `look at them in ${topic} (sluice dlq list) and at what is held, from ${held} on; correct what makes them, and restart, which lets up to ${window} more through; or raise deadLetter.limit in the topology`;
    exceeded = new SluiceError('dead-letters-exceeded', `${share}: nothing more was processed; ${remedy}`);
    conditions.set('dead letters', `${share}: nothing more is processed; ${remedy}`);
    pauses.add(1);
    telemetry.event('dead-letter-limit', { deadLetters: fates.dead, window, ratio, reason, topic });
  }

  function tell(): void {
    if (exceeded !== undefined && firsts.size === 0) standStill(exceeded);
  }

  return {
    standstill,

    admits(frame) {
      if (exceeded !== undefined) return false;
      const { count, fate, reason } = frame;
      const first = fates.total;
      // No further than the record that exceeds it: the figures are those of that moment, whatever the frame holds behind it.
      if (!fate.includes(DEAD_LETTERED)) fates.addAlive(count);
      else
        for (let i = 0; i < count && !fates.exceeded; i++) fates.add(fate[i] === DEAD_LETTERED ? reason[i] : NOT_DEAD);
      if (!fates.exceeded) {
        firsts.set(frame, first);
        return true;
      }
      hold(frame);
      tell();
      return false;
    },

    turned(frame, i) {
      const first = firsts.get(frame);
      if (first !== undefined) fates.amend(first + i, frame.reason[i]);
    },

    left(frame) {
      if (firsts.delete(frame)) tell();
    },
  };
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
