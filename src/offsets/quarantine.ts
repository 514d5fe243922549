/**
 * Crash-loop quarantine: what a start learns about earlier starts from the metadata of the committed offset. Pure.
 *
 * The owner of a partition notes beside the offset that it is at work; when it hands the partition over in an orderly way, it notes that
 * it is at rest. So if a start finds a note of an owner at work, that owner died (or was cut off) while records from that offset on
 * were in flight. The more deaths at one offset, the smaller the steps in which processing continues from there:
 *
 * | deaths | what is handed over                                      | what a further death accuses        |
 * |--------|----------------------------------------------------------|-------------------------------------|
 * | 0      | frames, as many as the credit allows                     | all that may have been handed over  |
 * | 1      | one frame at a time; the next one once it is committed   | that frame                          |
 * | 2, 3   | one record at a time, noted before it is handed over     | that record                         |
 * | 4      | the record is dead-lettered unprocessed                  |                                     |
 *
 * A record that settles clears all records before it; after `until`, the last accused offset, everything is back to normal.
 * So a record is condemned only after four deaths, in the last two of which it alone was accused.
 */
export interface Suspicion {
  readonly deaths: number;
  /** Offsets before this one are accused. */
  readonly until: number;
}

/** The note stored beside an offset. */
export interface Marker extends Suspicion {
  readonly atWork: boolean;
}

export type Step = 'free' | 'frame' | 'record' | 'condemned';

export const NOBODY: Suspicion = Object.freeze({ deaths: 0, until: 0 });

const BY_RECORD = 2;
const CONDEMNED = 4;
const MAX_DEATHS = 9;
const MAX_LENGTH = 64;
const FORM = /^sluice\/1 deaths=(\d) until=(\d{1,16}) at-(work|rest)$/;

/** Empty if there is nothing to say; never longer than MAX_LENGTH characters. */
export function encodeMarker({ deaths, until }: Suspicion, atWork: boolean): string {
  if (deaths === 0 && !atWork) return '';
  return `sluice/1 deaths=${deaths} until=${until} at-${atWork ? 'work' : 'rest'}`;
}

/** undefined for metadata that is empty, garbled or not ours: then there is no suspicion. */
export function decodeMarker(text: string | null | undefined): Marker | undefined {
  const found = text && text.length <= MAX_LENGTH ? FORM.exec(text) : null;
  if (found === null) return undefined;
  const until = Number(found[2]);
  if (!Number.isSafeInteger(until)) return undefined;
  return { deaths: Number(found[1]), until, atWork: found[3] === 'work' };
}

/** What a start at `offset` concludes from the marker found there. */
export function suspicionAt(marker: Marker | undefined, offset: number): Suspicion {
  if (marker === undefined) return NOBODY;
  const { deaths, until, atWork } = marker;
  // If the note is older than what followed it, only the record at the offset is known to have been in flight.
  if (atWork) return { deaths: Math.min(deaths + 1, MAX_DEATHS), until: Math.max(until, offset + 1) };
  return deaths === 0 || until <= offset ? NOBODY : { deaths, until };
}

/** The suspicion that remains once everything before `offset` is settled. */
export function passed(suspicion: Suspicion, offset: number): Suspicion {
  const { deaths, until } = suspicion;
  if (deaths === 0 || offset >= until) return NOBODY;
  return { deaths: Math.min(deaths, BY_RECORD), until };
}

export function stepOf({ deaths }: Suspicion): Step {
  if (deaths === 0) return 'free';
  if (deaths < BY_RECORD) return 'frame';
  return deaths < CONDEMNED ? 'record' : 'condemned';
}
