import { partitionOfKey } from '../kernel/bytes/murmur2.ts';
import { SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, OPEN, PUBLISHED, REASONS } from '../kernel/fate.ts';
import type { Frame, Origin } from '../kernel/frame.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';
import { Sequencer } from '../offsets/sequencer.ts';
import type { Plan } from '../plan/plan.ts';
import type { Sink } from '../ports/sink.ts';
import { Accumulator, type AccumulatorOptions, type Chunk } from './delivery/accumulator.ts';
import { appendDeadLetter } from './delivery/dead-letter.ts';
import { createDeadLetterLimit, type DeadLetterLimit } from './delivery/dead-letter-limit.ts';
import { Linger } from './delivery/linger.ts';
import { OutputHeaders } from './delivery/output-headers.ts';
import { createRefusals } from './delivery/refusals.ts';
import { createSettlement, sourceOf } from './delivery/settlement.ts';
import { giveBack } from './pool.ts';
import type { StageDeps } from './types.ts';

const MAX_CHUNK_RECORDS = 2_000;
const MAX_CHUNK_BYTES = 512 * 1024;

export interface Deliver extends Pick<DeadLetterLimit, 'standstill'> {
  /** Registers a frame's place in the order of its origin, before anything else happens to it. */
  admit(frame: Frame): void;
  /** Resolves when every record of the frame is settled: acknowledged by the broker, or a counted drop. */
  (frame: Frame): Promise<void>;
  /** While flushing, nothing lingers. */
  setFlushing(flushing: boolean): void;
}

export interface DeliverDeps extends StageDeps {
  readonly sink: Sink;
  /** Names this process in dead letters. */
  readonly instance: string;
  /** False once a frame's ownership period is over: somebody else will read it again, so we must not publish it (law L6). */
  readonly isCurrent: (origin: Origin) => boolean;
}

/**
 * deliver: frames in input order → one accumulator per output partition → acknowledgements counted down on the frames.
 *
 * Only an acknowledgement of the broker settles an output or a dead letter (laws L1, L7). An output that the broker will never
 * accept (too large) becomes a dead letter, `unpublishable`; a dead letter that it will never accept ends the run. Above the
 * limit on dead letters, frames are held: neither published nor settled, and their credit stays taken.
 */
export function createDeliver(deps: DeliverDeps, plan: Plan): Deliver {
  const { sink, telemetry, clock } = deps;
  const { output, deadLetter, flow } = plan.topology;
  const sequencer = new Sequencer({ ordered: flow.order === 'partition' });
  const accumulators = new Map<string, Accumulator[]>([
    [output.topic, []],
    [deadLetter.topic, []],
  ]);
  const limit = createDeadLetterLimit(deps, deadLetter);
  const settlement = createSettlement({ ...deps, limit });
  const refusals = createRefusals({ telemetry, limit }, deadLetter.topic);
  const outputs = accumulators.get(output.topic) as Accumulator[];
  /** Accumulators that have got rows and have not been pumped since. */
  const touched: Accumulator[] = [];
  const headers = new OutputHeaders();
  const spare: Chunk[] = [];
  const linger = new Linger(clock, { sparseMs: flow.latencyBudgetMs / 32, denseMs: flow.latencyBudgetMs / 8 });
  let flushing = false;

  function accumulator(topic: string, partition: number): Accumulator {
    const ofTopic = accumulators.get(topic) as Accumulator[];
    let found = ofTopic[partition];
    if (found === undefined) {
      const options: AccumulatorOptions = {
        topic,
        partition,
        maxRecords: MAX_CHUNK_RECORDS,
        maxBytes: MAX_CHUNK_BYTES,
        linger,
        onAcknowledged: topic === deadLetter.topic ? onAcknowledged : onPublished,
        onUnpublishable,
        onFailed: settlement.fail,
        spare,
      };
      found = new Accumulator(deps, options);
      found.setFlushing(flushing);
      ofTopic[partition] = found;
    }
    return found;
  }

  function release(frame: Frame): void {
    if (!deps.isCurrent(frame.origin)) {
      settlement.letGo(frame);
      return;
    }
    if (!limit.admits(frame)) return;
    const { fate, count, encoded, encodedAs, origin } = frame;
    const partitions = sink.partitionCount(output.topic);
    const keys = encoded && { bytes: encoded.arena, start: encoded.keyStart, end: encoded.keyEnd };
    const unkeyed = origin.partition % partitions;
    let dropped = 0;
    for (let i = 0; i < count; i++) {
      if (fate[i] === OPEN && encoded !== undefined && keys !== undefined) {
        const row = encodedAs[i];
        const key = keys.start[row];
        const partition = key < 0 ? unkeyed : partitionOfKey(keys.bytes, key, keys.end[row], partitions);
        const target = outputs[partition] ?? accumulator(output.topic, partition);
        target.slab().appendRow(encoded, row, headers.of(frame, i));
        fate[i] = PUBLISHED;
        appended(target, frame, i);
      } else if (fate[i] === DEAD_LETTERED) deadLetterRecord(frame, i);
      else if (fate[i] === DROPPED) dropped++;
      else
        throw new SluiceError(
          'invariant-broken',
          `record ${origin.topic}/${origin.partition}/${frame.offsets[i]} was not encoded; please report this`,
        );
    }
    giveBack(frame);
    if (dropped > 0 || count === 0) settlement.settle(frame, 0, 0, dropped);
    pumpTouched();
  }

  function appended(target: Accumulator, frame: Frame, i: number): void {
    target.appended(frame, i);
    if (target.isTouched) return;
    target.isTouched = true;
    touched.push(target);
  }

  function pumpTouched(): void {
    for (const target of touched) {
      target.isTouched = false;
      target.pump();
    }
    touched.length = 0;
  }

  function deadLetterRecord(frame: Frame, i: number): void {
    const partition = frame.origin.partition % sink.partitionCount(deadLetter.topic);
    const target = accumulator(deadLetter.topic, partition);
    const form = refusals.formOf(frame, i);
    appendDeadLetter(frame, i, { instance: deps.instance, nowMs: clock.wallMs(), form }, target.slab());
    const reason = REASONS[frame.reason[i]];
    telemetry.event('dead-lettered', { source: sourceOf(frame, i), reason });
    appended(target, frame, i);
  }

  /** No dead letter goes to the output topic if dead letters have a topic of their own. */
  function onPublished({ spans }: Chunk): void {
    for (const { frame, rows } of spans) settlement.settle(frame, rows, 0, 0);
  }

  function onAcknowledged(chunk: Chunk): void {
    for (const { frame, firstRow, rows } of chunk.spans) {
      let deadLetters = 0;
      for (let row = firstRow; row < firstRow + rows; row++) {
        const i = chunk.records[row];
        if (frame.fate[i] !== DEAD_LETTERED) continue;
        deadLetters++;
        settlement.deadLettered(frame, i);
      }
      settlement.settle(frame, rows - deadLetters, deadLetters, 0);
    }
  }

  function onUnpublishable(frame: Frame, i: number, error: SluiceError): void {
    try {
      refusals.refuse(frame, i, error);
    } catch (thrown) {
      settlement.fail(thrown);
      return;
    }
    deadLetterRecord(frame, i);
    pumpTouched();
  }

  const finish = (frame: Frame): void => sequencer.finish(frame, release);
  const deliver = (frame: Frame): Promise<void> => settlement.begin(frame, finish);

  return Object.assign(deliver, {
    standstill: limit.standstill,
    admit: (frame: Frame): void => sequencer.admit(frame),
    setFlushing(value: boolean): void {
      flushing = value;
      for (const ofTopic of accumulators.values()) for (const each of ofTopic) each?.setFlushing(value);
    },
  });
}

/** The partition of an output: by its key, as Kafka's own clients choose; without a key, by its input's partition. */
export function outputPartition(frame: Frame, row: number, partitions: number): number {
  const { arena, keyStart, keyEnd } = frame.encoded as RecordSlab;
  if (keyStart[row] < 0) return frame.origin.partition % partitions;
  return partitionOfKey(arena, keyStart[row], keyEnd[row], partitions);
}
