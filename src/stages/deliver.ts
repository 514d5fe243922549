import { SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, FATES, OPEN, PUBLISHED, REASONS, reasonCode } from '../kernel/fate.ts';
import type { Frame, Origin } from '../kernel/frame.ts';
import { partitionOfKey } from '../kernel/murmur2.ts';
import { Sequencer } from '../offsets/sequencer.ts';
import type { Plan } from '../plan/plan.ts';
import type { Sink } from '../ports/sink.ts';
import { Accumulator, type AccumulatorOptions, type Chunk } from './accumulator.ts';
import { appendDeadLetter, type DeadLetterForm } from './dead-letter.ts';
import type { StageDeps } from './types.ts';

const MAX_CHUNK_RECORDS = 500;
const MAX_CHUNK_BYTES = 256 * 1024;
const UNPUBLISHABLE = reasonCode('unpublishable');
const NEXT_FORM: Readonly<Record<DeadLetterForm, DeadLetterForm | undefined>> = {
  whole: 'dated-now',
  'dated-now': 'reference',
  reference: undefined,
};

export interface Deliver {
  /** Registers a frame's place in its origin's order; before anything else happens to it. */
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
 * deliver: frames in input order → one accumulator an output partition → acknowledgements counted down on the frames.
 *
 * Outputs and dead letters alike are settled by an acknowledgement of the broker only (laws L1, L7). An output that the
 * broker will never take (too large) becomes a dead letter, `unpublishable`; a dead letter that it will never take ends the run.
 */
export function createDeliver(deps: DeliverDeps, plan: Plan): Deliver {
  const { sink, telemetry, clock } = deps;
  const { output, deadLetter, flow } = plan.topology;
  const sequencer = new Sequencer({ ordered: flow.order === 'partition' });
  const accumulators = new Map<string, Accumulator[]>([
    [output.topic, []],
    [deadLetter.topic, []],
  ]);
  const fateCounters = FATES.map((fate) =>
    fate === 'open' ? undefined : telemetry.counter('sluice_records_total', { fate }),
  );
  const reasonCounters = REASONS.map((reason) =>
    reason === 'none' ? undefined : telemetry.counter('sluice_dead_letters_total', { reason }),
  );
  const age = telemetry.histogram('sluice_record_age_seconds');
  const residence = telemetry.histogram('sluice_residence_seconds');
  const settling = new Map<Frame, Settling>();
  const refused = new WeakMap<Frame, Map<number, DeadLetterForm>>();
  const touched = new Set<Accumulator>();
  let flushing = false;
  let failure: unknown;

  function accumulator(topic: string, partition: number): Accumulator {
    const ofTopic = accumulators.get(topic) as Accumulator[];
    let found = ofTopic[partition];
    if (found === undefined) {
      const options: AccumulatorOptions = {
        topic,
        partition,
        maxRecords: MAX_CHUNK_RECORDS,
        maxBytes: MAX_CHUNK_BYTES,
        lingerMs: flow.latencyBudgetMs / 8,
        onAcknowledged,
        onUnpublishable,
        onFailed: fail,
      };
      found = new Accumulator(deps, options);
      found.setFlushing(flushing);
      ofTopic[partition] = found;
    }
    return found;
  }

  function release(frame: Frame): void {
    if (!deps.isCurrent(frame.origin)) {
      settling.get(frame)?.resolve();
      settling.delete(frame);
      return;
    }
    const { fate, count, encoded, encodedAs, origin } = frame;
    const outputs = sink.partitionCount(output.topic);
    let dropped = 0;
    for (let i = 0; i < count; i++) {
      if (fate[i] === OPEN && encoded !== undefined) {
        const row = encodedAs[i];
        const keyStart = encoded.keyStart[row];
        const partition =
          keyStart < 0
            ? origin.partition % outputs
            : partitionOfKey(encoded.arena, keyStart, encoded.keyEnd[row], outputs);
        const target = accumulator(output.topic, partition);
        target.slab().appendRow(encoded, row);
        fate[i] = PUBLISHED;
        target.appended(frame, i);
        touched.add(target);
      } else if (fate[i] === DEAD_LETTERED) deadLetterRecord(frame, i);
      else if (fate[i] === DROPPED) dropped++;
      else
        throw new SluiceError(
          'invariant-broken',
          `record ${origin.topic}/${origin.partition}/${frame.offsets[i]} was not encoded; please report this`,
        );
    }
    if (dropped > 0) {
      fateCounters[DROPPED]?.add(dropped);
      settle(frame, dropped);
    }
    if (count === 0) settle(frame, 0);
    for (const target of touched) target.pump();
    touched.clear();
  }

  function deadLetterRecord(frame: Frame, i: number): void {
    const partition = frame.origin.partition % sink.partitionCount(deadLetter.topic);
    const target = accumulator(deadLetter.topic, partition);
    const form = refused.get(frame)?.get(i) ?? 'whole';
    appendDeadLetter(frame, i, { instance: deps.instance, nowMs: clock.wallMs(), form }, target.slab());
    const reason = REASONS[frame.reason[i]];
    telemetry.event('dead-lettered', { source: sourceOf(frame, i), reason });
    target.appended(frame, i);
    touched.add(target);
  }

  function onAcknowledged(chunk: Chunk): void {
    for (const { frame, firstRow, rows } of chunk.spans) {
      let deadLetters = 0;
      for (let row = firstRow; row < firstRow + rows; row++) {
        const i = chunk.records[row];
        if (frame.fate[i] !== DEAD_LETTERED) continue;
        deadLetters++;
        reasonCounters[frame.reason[i]]?.add(1);
      }
      fateCounters[DEAD_LETTERED]?.add(deadLetters);
      fateCounters[PUBLISHED]?.add(rows - deadLetters);
      settle(frame, rows);
    }
  }

  function onUnpublishable(frame: Frame, i: number, error: SluiceError): void {
    telemetry.event('unpublishable', { source: sourceOf(frame, i), reason: error.message });
    if (frame.fate[i] !== DEAD_LETTERED) {
      frame.fate[i] = DEAD_LETTERED;
      frame.reason[i] = UNPUBLISHABLE;
    } else if (!reduce(frame, i)) {
      const said = `dead letter ${sourceOf(frame, i)} was refused: ${error.message}`;
      fail(new SluiceError('broker-refused', `${said}; give ${deadLetter.topic} settings that take it`, error));
      return;
    }
    deadLetterRecord(frame, i);
    for (const target of touched) target.pump();
    touched.clear();
  }

  /** A dead letter that its topic refuses goes again with less of the record; false when there is nothing less. */
  function reduce(frame: Frame, i: number): boolean {
    const forms = refused.get(frame) ?? new Map<number, DeadLetterForm>();
    refused.set(frame, forms);
    const form = NEXT_FORM[forms.get(i) ?? 'whole'];
    if (form === undefined) return false;
    forms.set(i, form);
    telemetry.counter('sluice_retries_total', { what: 'sink', reason: 'dead-letter-refused' }).add(1);
    return true;
  }

  function settle(frame: Frame, records: number): void {
    frame.unsettled -= records;
    if (frame.unsettled > 0) return;
    const entry = settling.get(frame);
    if (frame.unsettled < 0 || entry === undefined) {
      fail(
        new SluiceError(
          'invariant-broken',
          `a record of frame ${sourceOf(frame, 0)} settled twice; please report this`,
        ),
      );
      return;
    }
    settling.delete(frame);
    observeLatency(frame);
    entry.resolve();
  }

  function observeLatency(frame: Frame): void {
    residence.observeMany((clock.monotonicMs() - frame.receivedMonotonicMs) / 1000, frame.count);
    const nowMs = clock.wallMs();
    for (let i = 0; i < frame.count; i++) {
      // A negative timestamp says that there is none.
      if (frame.timestamps[i] >= 0) age.observe(Math.max(0, nowMs - frame.timestamps[i]) / 1000);
    }
  }

  /** Ends every frame that is being delivered: nothing of it counts as settled. */
  function fail(thrown: unknown): void {
    failure ??= thrown;
    for (const entry of settling.values()) entry.reject(failure);
    settling.clear();
  }

  const deliver = (frame: Frame): Promise<void> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      settling.set(frame, { resolve, reject });
      try {
        sequencer.finish(frame, release);
      } catch (thrown) {
        fail(thrown);
      }
    });

  return Object.assign(deliver, {
    admit: (frame: Frame): void => sequencer.admit(frame),
    setFlushing(value: boolean): void {
      flushing = value;
      for (const ofTopic of accumulators.values()) for (const each of ofTopic) each?.setFlushing(value);
    },
  });
}

interface Settling {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Where a record came from, as the `sluice-source` header and every message say it. */
function sourceOf(frame: Frame, i: number): string {
  return `${frame.origin.topic}/${frame.origin.partition}/${frame.offsets[i]}`;
}
