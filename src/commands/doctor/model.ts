import type { Plan } from '../../plan/plan.ts';
import type { ModelSession } from '../../ports/model.ts';
import { type Diagnosis, failed, ok } from './finding.ts';

/** Loads the model as `sluice run` does, on the same device, runs it on zeros, and closes it. */
export async function checkModel(plan: Plan, load: (plan: Plan) => Promise<ModelSession>): Promise<Diagnosis> {
  const { label } = plan.bundle;
  try {
    const session = await load(plan);
    const { devices = [session.device], concurrency = 1 } = session;
    await session.close();
    const runs = concurrency === 1 ? 'one run at a time' : `${concurrency} runs at a time`;
    return ok('model', `${label} runs on ${devices.join(', ')}, ${runs}`);
  } catch (thrown) {
    return failed('model', thrown, 'correct the bundle, or model.device');
  }
}
