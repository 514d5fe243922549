import { encodeMarker, passed } from '../../../offsets/quarantine.ts';
import type { Lane } from './lanes.ts';

/**
 * What is noted beside an offset that is stored, so that whoever starts there knows how this owner ended (see
 * ../../../offsets/quarantine.ts). Every position carries its note → a healthy run pays one commit per epoch more, at the start,
 * and one at the end.
 */
export type NoteBeside = (lane: Lane, offset: number) => string;

export function createQuarantineNotes(options: {
  readonly frameRecords: number;
  readonly maxRecords: number;
}): NoteBeside {
  /**
   * How far this owner may be by the time it dies: twice as far again as since the last commit; at the start, all its credit.
   * An estimate: a record beyond it costs one death more, a range too wide makes every start after a death slow.
   */
  function reach(lane: Lane, offset: number): number {
    const position = Number.isNaN(lane.position) ? offset : lane.position;
    if (Number.isNaN(lane.stored)) return position + options.maxRecords;
    return position + 2 * (position - lane.stored) + options.frameRecords;
  }

  return (lane, offset) => {
    const { alone, suspicion, atRest } = lane;
    if (alone !== undefined && offset <= alone.from) {
      // What waits for a store or a broker does not endanger the process: a death meanwhile has other causes.
      return encodeMarker({ deaths: suspicion.deaths, until: alone.until }, !alone.held && !atRest);
    }
    const left = passed(suspicion, offset);
    if (left.deaths > 0) return encodeMarker(left, false);
    return encodeMarker({ deaths: 0, until: reach(lane, offset) }, !atRest);
  };
}
