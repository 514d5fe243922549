import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { ModelOutput, ModelSession } from '../../ports/model.ts';

/** A session that has one run at a time; its slabs are free once `run` has returned its promise. */
export type PoolMember = Pick<ModelSession, 'device' | 'inputs' | 'outputs' | 'run' | 'close'>;

interface Seat {
  readonly member: PoolMember;
  /** Index of its device. */
  readonly at: number;
}

/**
 * Sessions of one model as one session: on several devices, and several on one.
 *
 * Promises: a run goes to an idle session, on the device with the fewest runs; if all are busy, runs wait in order of arrival. After a
 * failed run, its session takes the next. The device of a batch does not affect its order, which the sequencer keeps.
 * Limit: devices are assumed to be equally fast; a slow one gets less work only because it is idle less often.
 */
export function createSessionPool(members: readonly PoolMember[]): ModelSession {
  const [first] = members;
  if (first === undefined) throw new SluiceError('invariant-broken', 'a pool of no sessions was asked for');
  const devices = [...new Set(members.map(({ device }) => device))];
  const idle: Seat[] = members.map((member) => ({ member, at: devices.indexOf(member.device) }));
  const underWay = new Int32Array(devices.length);
  const waiting: ((seat: Seat) => void)[] = [];
  let closed = false;

  /** The one that was used last, of those whose devices have least to do: its memory is warm. */
  function take(): Promise<Seat> | Seat {
    let best = -1;
    for (let k = idle.length - 1; k >= 0; k--) {
      if (best < 0 || underWay[idle[k].at] < underWay[idle[best].at]) best = k;
    }
    if (best < 0) return new Promise((resolve) => waiting.push(resolve));
    const [seat] = idle.splice(best, 1);
    underWay[seat.at]++;
    return seat;
  }

  function giveBack(seat: Seat): void {
    const next = waiting.shift();
    if (next !== undefined) {
      next(seat);
      return;
    }
    underWay[seat.at]--;
    idle.push(seat);
  }

  async function run(slabs: readonly Tensor[], rows: number, searching?: boolean): Promise<readonly ModelOutput[]> {
    if (closed) throw afterTheEnd();
    const taken = take();
    const seat = 'member' in taken ? taken : await taken;
    try {
      if (closed) throw afterTheEnd();
      return await seat.member.run(slabs, rows, searching);
    } finally {
      giveBack(seat);
    }
  }

  return {
    device: first.device,
    devices,
    inputs: first.inputs,
    outputs: first.outputs,
    concurrency: members.length,
    run,
    async close() {
      closed = true;
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

/** No record is at fault for the end of the session. */
function afterTheEnd(): SluiceError {
  return new SluiceError('invariant-broken', 'the model ran after its session was closed');
}
