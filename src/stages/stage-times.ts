import type { ModelSession } from '../ports/model.ts';
import type { Sink } from '../ports/sink.ts';
import type { TransactionalSink } from '../ports/transactions.ts';
import type { StageTimers } from '../telemetry/busy.ts';
import type { Stage, SyncStage } from './types.ts';

/** The stages that are timed, in the order of the path; the busiest is the bottleneck. */
export const TIMED_STAGES = [
  'decode',
  'enrich',
  'preprocess',
  'infer',
  'postprocess',
  'details',
  'encode',
  'deliver',
] as const;

export type TimedStage = (typeof TIMED_STAGES)[number];

/** Counts a stage as busy while at least one frame is in it. */
export function timed(timers: StageTimers, name: TimedStage, stage: Stage): Stage {
  const index = timers.indexOf(name);
  return (frame) => {
    const enteredMs = timers.enter(index);
    let answer: undefined | Promise<void>;
    try {
      answer = stage(frame);
    } catch (thrown) {
      timers.leave(index, enteredMs);
      throw thrown;
    }
    if (answer === undefined) {
      timers.leave(index, enteredMs);
      return undefined;
    }
    return answer.finally(() => timers.leave(index, enteredMs));
  };
}

export function timedSync(timers: StageTimers, name: TimedStage, stage: SyncStage): SyncStage {
  const index = timers.indexOf(name);
  return (frame) => {
    const enteredMs = timers.enter(index);
    try {
      stage(frame);
    } finally {
      timers.leave(index, enteredMs);
    }
  };
}

/** infer is busy while the model runs, not while rows wait for a batch. */
export function timedSession(timers: StageTimers, session: ModelSession): ModelSession {
  const index = timers.indexOf('infer');
  return {
    device: session.device,
    concurrency: session.concurrency,
    maxRows: session.maxRows,
    inputs: session.inputs,
    outputs: session.outputs,
    close: () => session.close(),
    async run(feeds, rows, searching) {
      const enteredMs = timers.enter(index);
      try {
        return await session.run(feeds, rows, searching);
      } finally {
        timers.leave(index, enteredMs);
      }
    },
  };
}

/** deliver is busy while a call to the broker is in flight, not while rows linger. */
export function timedSink(timers: StageTimers, sink: Sink): Sink {
  const index = timers.indexOf('deliver');
  return {
    open: (topics) => sink.open(topics),
    partitionCount: (topic) => sink.partitionCount(topic),
    close: () => sink.close(),
    async send(topic, partition, rows) {
      const enteredMs = timers.enter(index);
      try {
        await sink.send(topic, partition, rows);
      } finally {
        timers.leave(index, enteredMs);
      }
    },
  };
}

/** Likewise, while a transaction is in flight. */
export function timedTransactions(timers: StageTimers, sink: TransactionalSink): TransactionalSink {
  const index = timers.indexOf('deliver');
  return {
    open: (topics) => sink.open(topics),
    partitionCount: (topic) => sink.partitionCount(topic),
    close: () => sink.close(),
    async publish(transaction) {
      const enteredMs = timers.enter(index);
      try {
        return await sink.publish(transaction);
      } finally {
        timers.leave(index, enteredMs);
      }
    },
  };
}
