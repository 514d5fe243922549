import assert from 'node:assert/strict';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import type { KafkaSourceOptions } from '../../src/adapters/kafka/source-options.ts';
import { Credit } from '../../src/kernel/credit.ts';
import type { Deadline } from '../../src/kernel/deadline.ts';
import type { SluiceError } from '../../src/kernel/errors.ts';
import type { Frame, Origin } from '../../src/kernel/frame.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { Position, Source, SourceListener } from '../../src/ports/source.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';

export interface MemberOptions extends Partial<KafkaSourceOptions> {
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
  readonly groupId: string;
  readonly credit?: { readonly maxRecords: number; readonly maxBytes: number };
}

/** One group member whose listener keeps the frames it receives, and settles them when told (or at once). */
export class Member implements SourceListener {
  readonly telemetry = new RecordingTelemetry();
  readonly credit: Credit;
  readonly source: Source;
  readonly frames: Frame[] = [];
  readonly assigned: Origin[] = [];
  readonly revoked: Origin[] = [];
  readonly failures: SluiceError[] = [];
  /** The frames that were handed over alone after a death. */
  readonly alone: Frame[] = [];
  /** What `isHeld` answers. */
  isWaiting = false;
  /** Frames that are not settled. */
  held: Frame[] = [];
  /** `now`: settled as they come. `drain`: only before a re-join. `never`: not even then. */
  settling: 'now' | 'drain' | 'never' = 'now';
  private readonly watermarks = new Map<Origin, number>();
  private readonly waits: { readonly condition: () => boolean; readonly resolve: () => void }[] = [];

  constructor(options: MemberOptions) {
    const { credit = { maxRecords: 20_000, maxBytes: 16 << 20 }, ...rest } = options;
    this.credit = new Credit(credit);
    const { telemetry } = this;
    const note = telemetry.event.bind(telemetry);
    telemetry.event = (name, fields) => {
      note(name, fields);
      this.wake();
    };
    this.source = createKafkaSource(
      { credit: this.credit, clock: createSystemClock(), telemetry: this.telemetry, random: seeded(1) },
      { clientId: 'contract', from: 'earliest', drainMs: 2_000, maxWaitMs: 50, reachWithinMs: 5_000, ...rest },
    );
  }

  start(): Promise<void> {
    return this.source.start(this);
  }

  get owned(): Origin[] {
    return this.assigned.filter((origin) => !this.revoked.includes(origin));
  }

  /** topic/partition@offset of every record handed over. */
  rows(): string[] {
    return this.frames.flatMap(({ origin, offsets }) =>
      Array.from(offsets, (offset) => `${origin.topic}/${origin.partition}@${offset}`),
    );
  }

  /** Resolves when a callback or an event made `condition` true. The test's own time limit ends a wait that never does. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.waits.push({ condition, resolve }));
  }

  settle(frame: Frame): void {
    this.held = this.held.filter((other) => other !== frame);
    frame.unsettled = 0;
    this.credit.give(frame.count, frame.bytes);
    this.watermarks.set(frame.origin, frame.nextOffset);
    this.wake();
  }

  settleHeld(): void {
    for (const frame of [...this.held]) this.settle(frame);
  }

  commit(): Promise<void> {
    const positions: Position[] = [...this.watermarks].map(([origin, offset]) => ({ origin, offset }));
    return this.source.commit(positions);
  }

  onAssigned(origin: Origin): void {
    this.assigned.push(origin);
    this.wake();
  }

  onFrame(frame: Frame): void {
    const before = this.frames.findLast((other) => other.origin === frame.origin);
    if (before !== undefined) {
      assert.ok(frame.count === 0 || frame.offsets[0] >= before.nextOffset, 'frames of an epoch overlap');
    }
    this.frames.push(frame);
    this.held.push(frame);
    if (this.settling === 'now') this.settle(frame);
    this.wake();
  }

  onAlone(frame: Frame): Promise<void> {
    this.alone.push(frame);
    this.onFrame(frame);
    return this.until(() => !this.held.includes(frame));
  }

  isHeld(): boolean {
    return this.isWaiting;
  }

  async onRevoking(_deadline: Deadline): Promise<boolean> {
    if (this.settling === 'never') return false;
    this.settleHeld();
    await this.commit();
    this.wake();
    return true;
  }

  onRevoked(origin: Origin): void {
    this.revoked.push(origin);
    this.wake();
  }

  onEnd(): void {
    assert.fail('a topic has no end');
  }

  onFailed(error: SluiceError): void {
    this.failures.push(error);
    this.wake();
  }

  private wake(): void {
    for (const wait of [...this.waits]) {
      if (!wait.condition()) continue;
      this.waits.splice(this.waits.indexOf(wait), 1);
      wait.resolve();
    }
  }
}
