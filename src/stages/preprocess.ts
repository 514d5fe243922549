import type { Frame, Tensor } from '../kernel/frame.ts';
import { TENSOR_ARRAYS } from '../kernel/tensor-arrays.ts';
import type { Plan } from '../plan/plan.ts';
import { type IsolateDeps, isolateSync } from './isolate.ts';
import { Pool } from './pool.ts';
import type { SyncStage } from './types.ts';

type InputDType = Plan['feeds'][number]['dtype'];

const SLABS: Readonly<Record<InputDType, { new (length: number): Tensor; readonly BYTES_PER_ELEMENT: number }>> =
  TENSOR_ARRAYS;

/**
 * preprocess: columns and feature rows → the row-major slabs that become tensors, by the bundle's compiled expressions.
 * The slabs are lent to the frame until it is delivered; no slab is made for an input that is a column of the event as it stands.
 */
export function createPreprocess(deps: IsolateDeps, plan: Plan, releaseReads?: SyncStage): SyncStage {
  const { widths, fill } = plan.inputs;
  const rowBytes = plan.feeds.reduce((sum, { dtype }, k) => sum + SLABS[dtype].BYTES_PER_ELEMENT * widths[k], 0);
  const memory = new Pool(
    (records) => ({ records, slabs: [] as (Tensor | undefined)[], recordOf: new Int32Array(records) }),
    rowBytes + 4,
  );

  function fillLent(frame: Frame): void {
    const { count } = frame;
    const { records, slabs, recordOf } = memory.lend(frame, count);
    fill(frame, {
      slab(k) {
        slabs[k] ??= new SLABS[plan.feeds[k].dtype](records * widths[k]);
        return slabs[k].subarray(0, count * widths[k]);
      },
      recordOf: recordOf.subarray(0, count),
    });
  }

  const filled = isolateSync(deps, 'preprocess', fillLent);
  if (releaseReads === undefined) return filled;
  return (frame) => {
    filled(frame);
    // Not earlier: a repeated run would find the feature rows in use by another frame.
    releaseReads(frame);
  };
}
