import type { Credit } from './credit.ts';
import type { Frame } from './frame.ts';

/** Records that an earlier run has answered, by partition in offset order; they are skipped. */
export class Answered {
  private readonly offsets = new Map<number, Float64Array>();
  private readonly passed = new Map<number, number>();
  /** How many of them are still ahead. */
  left = 0;

  constructor(offsets: ReadonlyMap<number, ReadonlySet<number>>) {
    for (const [partition, set] of offsets) {
      this.offsets.set(partition, Float64Array.from(set).sort());
      this.left += set.size;
    }
  }

  /** The first of them at or after `offset`, infinity if there is none. Earlier ones are forgotten. */
  next(partition: number, offset: number): number {
    const all = this.offsets.get(partition);
    if (all === undefined) return Number.POSITIVE_INFINITY;
    let at = this.passed.get(partition) ?? 0;
    for (; at < all.length && all[at] < offset; at++) this.left--;
    this.passed.set(partition, at);
    return at < all.length ? all[at] : Number.POSITIVE_INFINITY;
  }

  /** Whether all of them lie before these positions (by partition, the next offset): whoever continues from there does not need them. */
  isBefore(next: ReadonlyMap<number, number>): boolean {
    for (const [partition, all] of this.offsets) {
      if (all.length > 0 && !(all[all.length - 1] < (next.get(partition) ?? 0))) return false;
    }
    return true;
  }
}

/** Points at which a bounded source waits until everything it handed over is settled, so that its progress can be recorded. */
export interface Stops {
  /** Asked between two frames. */
  due(): boolean;
  /** By partition, the next offset: everything before it is settled, and nothing after it was handed over. The source continues once this resolves. */
  at(next: ReadonlyMap<number, number>): Promise<void>;
}

export interface HandOverDeps {
  readonly credit: Credit;
  readonly signal: AbortSignal;
  readonly listener: { onFrame(frame: Frame): void; onAlone(frame: Frame): Promise<void> };
  readonly stops: Stops | undefined;
}

/** How bounded sources hand frames over: with credit, and with stops in between. */
export class HandOver {
  private readonly deps: HandOverDeps;
  private readonly next: Map<number, number>;

  constructor(deps: HandOverDeps, starts: ReadonlyMap<number, number>) {
    this.deps = deps;
    this.next = new Map(starts);
  }

  /** True when granted; then the frame must be made and handed over in the same turn. */
  async take(records: number, bytes: number): Promise<boolean> {
    const { credit, signal } = this.deps;
    if (!(await credit.take(records, bytes, signal))) return false;
    // Granted in the same turn as the halt: nothing may be handed over after that.
    if (signal.aborted) credit.give(records, bytes);
    return !signal.aborted;
  }

  async give(frame: Frame): Promise<void> {
    const { listener, stops } = this.deps;
    this.next.set(frame.origin.partition, frame.nextOffset);
    if (stops === undefined || !stops.due()) {
      listener.onFrame(frame);
      return;
    }
    await listener.onAlone(frame);
    // A pipeline that is ending takes no frame and gives the credit back (cause) → everything would look settled, and the frame
    // would be skipped for ever (effect) → there is no stop at a frame that was not settled (guard).
    if ((await this.isQuiet()) && frame.unsettled === 0) await stops.at(new Map(this.next));
  }

  /** Hands over a frame after all earlier ones; resolves when it is settled, or never will be. */
  async alone(frame: Frame): Promise<void> {
    await this.deps.listener.onAlone(frame);
    this.next.set(frame.origin.partition, frame.nextOffset);
  }

  /** Resolves to true once nothing is in flight, so that all credit can be taken; to false when halted. */
  private async isQuiet(): Promise<boolean> {
    const { credit, signal } = this.deps;
    if (!(await credit.take(credit.maxRecords, credit.maxBytes, signal))) return false;
    credit.give(credit.maxRecords, credit.maxBytes);
    return !signal.aborted;
  }
}
