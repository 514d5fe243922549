import { SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, OPEN } from '../kernel/fate.ts';
import type { Frame, Origin } from '../kernel/frame.ts';
import { Sequencer } from '../offsets/sequencer.ts';
import type { Plan } from '../plan/plan.ts';
import type { TransactionalSink } from '../ports/transactions.ts';
import { type Deliver, outputPartition } from './deliver.ts';
import { appendDeadLetter } from './delivery/dead-letter.ts';
import { createDeadLetterLimit } from './delivery/dead-letter-limit.ts';
import { Outbox, type OutboxDeps } from './delivery/outbox.ts';
import { OutputHeaders } from './delivery/output-headers.ts';
import { createRefusals } from './delivery/refusals.ts';
import { createSettlement, sourceOf } from './delivery/settlement.ts';
import type { StageDeps } from './types.ts';

/** Even as one batch of one partition, this fits a topic's default limit of 1 MiB. */
const MAX_TRANSACTION_BYTES = 512 * 1024;
const MAX_TRANSACTION_ROWS = 1_000;

export interface DeliverOnceDeps extends StageDeps {
  readonly sink: TransactionalSink;
  /** Names this process in dead letters. */
  readonly instance: string;
  /** False once a frame's ownership period is over: somebody else will read it again, so we must not publish it (law L6). */
  readonly isCurrent: (origin: Origin) => boolean;
  /** Ends the ownership period because somebody else writes for the partition; another one begins if the partition is still ours. */
  readonly renew: (origin: Origin) => void;
}

/**
 * deliver, exactly once: frames in input order → an outbox per input partition → transactions of outputs, dead letters and offset.
 *
 * A record settles when the transaction with its output and the offset after it is committed: readers see the output once, and
 * nobody reads the input again. Records of frames that wait in an outbox are unsettled, so the credit bounds it (law L4).
 */
export function createDeliverOnce(deps: DeliverOnceDeps, plan: Plan): Deliver {
  const { sink, telemetry, clock, instance } = deps;
  const { output, deadLetter, flow } = plan.topology;
  // Offsets move with the outputs, so input order is kept whatever `flow.order` says.
  const sequencer = new Sequencer({ ordered: true });
  const limit = createDeadLetterLimit(deps, deadLetter);
  const settlement = createSettlement({ ...deps, limit });
  const refusals = createRefusals({ telemetry, limit }, deadLetter.topic);
  const boxes = new Map<Origin, Outbox>();
  const headers = new OutputHeaders();
  let flushing = false;

  const append: OutboxDeps['append'] = (frame, i, part) => {
    const { fate, encoded, encodedAs, origin } = frame;
    if (fate[i] === OPEN && encoded !== undefined) {
      const row = encodedAs[i];
      const rows = part(output.topic, outputPartition(frame, row, sink.partitionCount(output.topic)));
      return rows.rowBytes(rows.appendRow(encoded, row, headers.of(frame, i)));
    }
    if (fate[i] !== DEAD_LETTERED) {
      throw new SluiceError('invariant-broken', `record ${sourceOf(frame, i)} was not encoded; please report this`);
    }
    const slab = part(deadLetter.topic, origin.partition % sink.partitionCount(deadLetter.topic));
    appendDeadLetter(frame, i, { instance, nowMs: clock.wallMs(), form: refusals.formOf(frame, i) }, slab);
    return slab.rowBytes(slab.count - 1);
  };

  const outboxDeps: OutboxDeps = { ...deps, settlement, refusals, append, onLost: deps.renew };
  const options = {
    maxRows: MAX_TRANSACTION_ROWS,
    maxBytes: MAX_TRANSACTION_BYTES,
    lingerMs: flow.latencyBudgetMs / 8,
  };

  function boxOf(origin: Origin): Outbox {
    let box = boxes.get(origin);
    if (box === undefined) {
      // Of partitions that come and go only those are kept for which something is under way.
      for (const [other, { isEmpty }] of boxes) if (isEmpty) boxes.delete(other);
      box = new Outbox(outboxDeps, origin, options);
      box.setFlushing(flushing);
      boxes.set(origin, box);
    }
    return box;
  }

  function release(frame: Frame): void {
    if (!deps.isCurrent(frame.origin)) settlement.letGo(frame);
    else if (limit.admits(frame)) boxOf(frame.origin).add(frame);
  }

  const finish = (frame: Frame): void => sequencer.finish(frame, release);
  const deliver = (frame: Frame): Promise<void> => settlement.begin(frame, finish);

  return Object.assign(deliver, {
    standstill: limit.standstill,
    admit: (frame: Frame): void => sequencer.admit(frame),
    setFlushing(value: boolean): void {
      flushing = value;
      for (const box of boxes.values()) box.setFlushing(value);
    },
  });
}
