import { encodeMarker, passed } from '../../../offsets/quarantine.ts';
import type { Lane } from './lanes.ts';

/**
 * The note that is stored in the metadata of a committed offset, so that whoever starts there knows how this owner ended (see
 * ../../../offsets/quarantine.ts). Every position carries its note → a healthy run costs two more commits per epoch, one at the
 * start and one at the end.
 */
export type NoteBeside = (lane: Lane, offset: number) => string;

export function createQuarantineNotes(options: {
  readonly frameRecords: number;
  readonly maxRecords: number;
}): NoteBeside {
  /**
   * How far this owner may have come when it dies: twice as far again as since the last commit; at the start, all of its credit.
   * An estimate: a record beyond it costs one more death; too wide a range makes every start after a death slow.
   */
  function reach(lane: Lane, offset: number): number {
    const position = Number.isNaN(lane.position) ? offset : lane.position;
    if (Number.isNaN(lane.stored)) return position + options.maxRecords;
    return position + 2 * (position - lane.stored) + options.frameRecords;
  }

  return (lane, offset) => {
    const { alone, suspicion, atRest } = lane;
    if (alone !== undefined && offset <= alone.from) {
      // A record that waits for a store or a broker cannot crash the process: a death meanwhile has other causes.
      return encodeMarker({ deaths: suspicion.deaths, until: alone.until }, !alone.held && !atRest);
    }
    const left = passed(suspicion, offset);
    if (left.deaths > 0) return encodeMarker(left, false);
    return encodeMarker({ deaths: 0, until: reach(lane, offset) }, !atRest);
  };
}
