import type { Header } from './headers.ts';

/**
 * What a replayed record says about its first attempt, in headers of its own.
 *
 * `dlq replay` writes them; a record that fails again carries them into its new dead letter. Anybody can write headers:
 * what is not well-formed counts as not there, and nothing but dead letters and people is told by them.
 */
export interface Replay {
  /** topic/partition/offset of the first attempt. */
  readonly of: string;
  /** Which attempt this is; the first replay is the second. */
  readonly attempt: number;
  /** When Sluice saw the record first, ISO 8601 in UTC. */
  readonly firstSeen: string;
}

const REPLAY_OF = 'sluice-replay-of';
const REPLAY_ATTEMPT = 'sluice-replay-attempt';
const REPLAY_FIRST_SEEN = 'sluice-replay-first-seen';

const SOURCE = /^[A-Za-z0-9._-]{1,249}\/\d{1,10}\/\d{1,19}$/;
const ATTEMPT = /^[1-9]\d{0,5}$/;
const FIRST_SEEN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export function isReplayHeader(name: string): boolean {
  return name === REPLAY_OF || name === REPLAY_ATTEMPT || name === REPLAY_FIRST_SEEN;
}

export function replayHeaders(replay: Replay): Header[] {
  return [
    { name: REPLAY_OF, value: Buffer.from(replay.of) },
    { name: REPLAY_ATTEMPT, value: Buffer.from(String(replay.attempt)) },
    { name: REPLAY_FIRST_SEEN, value: Buffer.from(replay.firstSeen) },
  ];
}

/** The last of each counts; undefined unless all three are there and well-formed. */
export function replayOf(headers: readonly Header[]): Replay | undefined {
  const of = textOf(headers, REPLAY_OF, SOURCE);
  const attempt = textOf(headers, REPLAY_ATTEMPT, ATTEMPT);
  const firstSeen = textOf(headers, REPLAY_FIRST_SEEN, FIRST_SEEN);
  if (of === undefined || attempt === undefined || firstSeen === undefined) return undefined;
  return { of, attempt: Number(attempt), firstSeen };
}

function textOf(headers: readonly Header[], name: string, form: RegExp): string | undefined {
  const text = headers.findLast((header) => header.name === name)?.value?.toString('utf8');
  return text !== undefined && form.test(text) ? text : undefined;
}
