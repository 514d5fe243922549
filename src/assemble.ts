import type { ValueEncoder } from './codecs/types.ts';
import type { Clock } from './kernel/clock.ts';
import type { Credit } from './kernel/credit.ts';
import { createPipeline } from './pipeline.ts';
import type { Plan } from './plan/plan.ts';
import type { FeatureStore } from './ports/feature-store.ts';
import type { ModelSession } from './ports/model.ts';
import type { SchemaSource } from './ports/schemas.ts';
import type { Sink } from './ports/sink.ts';
import type { Source } from './ports/source.ts';
import type { Telemetry } from './ports/telemetry.ts';
import { createRunner, type Runner } from './runner.ts';
import { createDecode } from './stages/decode.ts';
import { createDeliver } from './stages/deliver.ts';
import { createEncode } from './stages/encode.ts';
import { createEnrich } from './stages/enrich.ts';
import { createInfer } from './stages/infer.ts';
import { isolate, isolateSync } from './stages/isolate.ts';
import { createPostprocess } from './stages/postprocess.ts';
import { createPreprocess } from './stages/preprocess.ts';
import { TIMED_STAGES, timed, timedSession, timedSink, timedSync } from './stages/timed.ts';
import { createStageTimers } from './telemetry/busy.ts';

/** The world, behind its ports: what a command makes and hands to the pipeline. */
export interface World {
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: Telemetry;
  readonly credit: Credit;
  readonly source: Source;
  readonly schemas: SchemaSource;
  readonly store: FeatureStore;
  readonly session: ModelSession;
  readonly encoder: ValueEncoder;
  readonly sink: Sink;
  /** Names this process in dead letters and logs. */
  readonly instance: string;
}

const COMMIT_EVERY_MS = 1_000;

/** Puts a plan and a world together: the one place that knows every stage. */
export function assemble(plan: Plan, world: World): Runner {
  const { clock, telemetry, credit, source } = world;
  const timers = createStageTimers(telemetry, clock, TIMED_STAGES);

  return createRunner(
    {
      clock,
      telemetry,
      credit,
      source,
      build({ commit, conditions, abandon, isCurrent }) {
        const session = timedSession(timers, world.session);
        const sink = timedSink(timers, world.sink);
        const deps = { ...world, session, sink, conditions, abandon, isCurrent };
        const enrich = createEnrich(deps, plan);
        const infer = createInfer(deps, plan);
        const deliver = createDeliver(deps, plan);
        const path = createPipeline({
          decode: timed(timers, 'decode', isolate(deps, 'decode', createDecode(deps, plan))),
          enrich: timed(timers, 'enrich', isolate(deps, 'enrich', enrich)),
          preprocess: timedSync(timers, 'preprocess', createPreprocess(deps, plan, enrich.release)),
          infer,
          postprocess: timedSync(timers, 'postprocess', isolateSync(deps, 'postprocess', createPostprocess(plan))),
          encode: timedSync(timers, 'encode', isolateSync(deps, 'encode', createEncode(plan, world.encoder))),
          deliver,
          commit,
        });
        return {
          path,
          admit: deliver.admit,
          setFlushing(flushing) {
            infer.setFlushing(flushing);
            deliver.setFlushing(flushing);
          },
          async close() {
            await Promise.all([world.sink.close(), world.store.close(), world.session.close()]);
          },
        };
      },
    },
    { drainMs: plan.topology.flow.drainMs, commitEveryMs: COMMIT_EVERY_MS },
  );
}
