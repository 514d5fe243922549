import type { ValueEncoder } from './codecs/types.ts';
import type { Clock } from './kernel/clock.ts';
import type { Credit } from './kernel/credit.ts';
import type { Frame, Origin } from './kernel/frame.ts';
import { createPipeline } from './pipeline.ts';
import type { Plan } from './plan/plan.ts';
import type { Changelogs } from './ports/changelog.ts';
import type { FeatureStore } from './ports/feature-store.ts';
import type { ModelSession } from './ports/model.ts';
import type { SchemaSource } from './ports/schemas.ts';
import type { Sink } from './ports/sink.ts';
import type { Source } from './ports/source.ts';
import type { Telemetry } from './ports/telemetry.ts';
import { isTransactional, type TransactionalSink } from './ports/transactions.ts';
import { createRunner, type Runner } from './runner.ts';
import { createDecode } from './stages/decode.ts';
import { createDeliver, type Deliver } from './stages/deliver.ts';
import { createDeliverOnce } from './stages/deliver-once.ts';
import { createDetails } from './stages/details.ts';
import { createEncode } from './stages/encode.ts';
import { createEnrich } from './stages/enrich.ts';
import { FeatureReader } from './stages/features/reader.ts';
import { createInfer, type Infer } from './stages/infer.ts';
import { isolate, isolateSync } from './stages/isolate.ts';
import { createOverload } from './stages/overload.ts';
import { createPostprocess } from './stages/postprocess.ts';
import { createPreprocess } from './stages/preprocess.ts';
import { createStageCounts } from './stages/stage-counts.ts';
import {
  TIMED_STAGES,
  type TimedStage,
  timed,
  timedSession,
  timedSink,
  timedSync,
  timedTransactions,
} from './stages/stage-times.ts';
import type { Stage, SyncStage } from './stages/types.ts';
import { createStageTimers } from './telemetry/busy.ts';

/** The part of the world that belongs to one model. */
export interface Scorer {
  readonly session: ModelSession;
  readonly encoder: ValueEncoder;
}

/** The world, behind its ports: what a command makes and hands to the pipeline. */
export interface World {
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: Telemetry;
  readonly credit: Credit;
  readonly source: Source;
  readonly schemas: SchemaSource;
  readonly store: FeatureStore;
  /** If the topology names changelog topics and they can be read. */
  readonly changelogs?: Changelogs;
  readonly session: ModelSession;
  readonly encoder: ValueEncoder;
  /** For `plan.smaller`; without it, that step of the ladder is never taken. */
  readonly smaller?: Scorer;
  /** A transactional one delivers exactly once. */
  readonly sink: Sink | TransactionalSink;
  /** Names this process in dead letters and logs. */
  readonly instance: string;
}

/** A pipeline without `details` does not report that stage. */
function stagesOf({ details }: Plan): readonly TimedStage[] {
  return TIMED_STAGES.filter((stage) => stage !== 'details' || details !== undefined);
}

const COMMIT_EVERY_MS = 1_000;

/** Puts a plan and a world together: the one place that knows every stage. */
export function assemble(plan: Plan, world: World): Runner {
  const { clock, telemetry, credit, source } = world;
  const timers = createStageTimers(telemetry, clock, stagesOf(plan));
  const counts = createStageCounts(telemetry);
  telemetry.gauge('sluice_inflight_limit_records', {}, () => credit.maxRecords);
  telemetry.gauge('sluice_inflight_limit_bytes', {}, () => credit.maxBytes);

  return createRunner(
    {
      clock,
      telemetry,
      credit,
      source,
      build({ commit, conditions, abandon, isCurrent, lags }) {
        const deliverTo = (sink: World['sink']): Deliver => {
          if (!isTransactional(sink)) return createDeliver({ ...deps, sink: timedSink(timers, sink) }, plan);
          const renew = (origin: Origin): void => source.renew?.(origin);
          return createDeliverOnce({ ...deps, renew, sink: timedTransactions(timers, sink) }, plan);
        };
        const deps = { ...world, conditions, abandon, isCurrent };
        const deliver = deliverTo(world.sink);
        const { onOverload, flow } = plan.topology;
        const overload =
          onOverload &&
          createOverload(
            { ...deps, lags },
            world.smaller === undefined ? { ...onOverload, smallerModel: undefined } : onOverload,
            flow,
          );
        const closing = new AbortController();
        // A call that nobody waits for any longer ends with the pipeline.
        const reading = overload ? { ...deps, abandon: AbortSignal.any([abandon, closing.signal]) } : deps;
        const readers = plan.reads.map((read) => new FeatureReader(reading, read, overload?.relief));
        for (const [k, { changes }] of readers.entries()) {
          const topic = plan.reads[k].cache?.invalidateBy;
          if (topic !== undefined && changes !== undefined) world.changelogs?.subscribe(topic, changes);
        }
        const infers: Infer[] = [];

        /** The path of one plan, from bytes to bytes; features and delivery are shared. */
        function scoredBy(scoring: Plan, { session, encoder }: Scorer): (frame: Frame) => Promise<void> {
          const enrich = createEnrich(deps, scoring, readers);
          const infer = createInfer({ ...deps, session: timedSession(timers, session) }, scoring, overload?.batch);
          infers.push(infer);
          const stage = (name: TimedStage, work: Stage): Stage =>
            counts.counted(name, timed(timers, name, isolate(deps, name, work)));
          const sync = (name: TimedStage, work: SyncStage): SyncStage =>
            counts.countedSync(name, timedSync(timers, name, work));
          return createPipeline({
            decode: stage('decode', createDecode(deps, scoring)),
            enrich: stage('enrich', enrich),
            preprocess: sync('preprocess', createPreprocess(deps, scoring, enrich.release)),
            infer: counts.counted('infer', infer),
            postprocess: sync('postprocess', isolateSync(deps, 'postprocess', createPostprocess(scoring))),
            details:
              scoring.details === undefined ? () => undefined : stage('details', createDetails(deps, scoring, readers)),
            encode: sync('encode', isolateSync(deps, 'encode', createEncode(scoring, encoder))),
            deliver: counts.counted('deliver', deliver),
            commit,
          });
        }

        const whole = scoredBy(plan, world);
        const smaller = plan.smaller && world.smaller && scoredBy(plan.smaller, world.smaller);
        return {
          path: overload ? (frame) => (overload.begin(frame) && smaller ? smaller(frame) : whole(frame)) : whole,
          admit: deliver.admit,
          standstill: deliver.standstill,
          setFlushing(flushing) {
            for (const infer of infers) infer.setFlushing(flushing);
            deliver.setFlushing(flushing);
          },
          async close() {
            overload?.close();
            closing.abort();
            const { sink, store, changelogs, session, smaller } = world;
            const scorers = [session.close(), smaller?.session.close()];
            await Promise.all([sink.close(), store.close(), changelogs?.close(), ...scorers]);
          },
        };
      },
    },
    {
      drainMs: plan.topology.flow.drainMs,
      commitEveryMs: COMMIT_EVERY_MS,
      exactlyOnce: isTransactional(world.sink),
    },
  );
}
