import type { LogLevel } from '../ports/telemetry.ts';

/**
 * Every event that Sluice tells people about, in one table. Messages are constant, so that lines can be counted;
 * what differs from one to the next is in the fields, which are data about the work, never payloads or secrets.
 */
export interface EventSpec {
  readonly component: string;
  readonly level: LogLevel;
  readonly message: string;
  /** At most one line in this time; the rest is counted and told with the next line. */
  readonly everyMs?: number;
  /** The limit holds for each value of this field apart. */
  readonly per?: string;
  /** A field that is added up over the lines that were held back. */
  readonly sum?: string;
}

export type EventTable = Readonly<Record<string, EventSpec>>;

const OFTEN_MS = 10_000;

export const EVENTS = {
  started: pipeline('info', 'started'),
  ready: pipeline('info', 'ready: assigned, connected and able to make progress'),
  'not-ready': pipeline('warn', 'not ready', { everyMs: OFTEN_MS, per: 'reason' }),
  progress: pipeline('info', 'progress'),
  draining: pipeline('info', 'draining: taking in nothing more, settling what is in flight'),
  drained: pipeline('info', 'drained: everything taken in is settled and committed'),
  'drain-budget-exceeded': pipeline(
    'error',
    'the drain budget ran out; what is unsettled stays uncommitted and will be replayed',
  ),
  stopped: pipeline('info', 'stopped'),
  failed: pipeline('error', 'failed'),

  assigned: pipeline('info', 'partition assigned'),
  revoked: pipeline('info', 'partition revoked'),
  'rebalance-drained': pipeline('info', 'drained before the re-join'),
  'rebalance-deadline-missed': pipeline(
    'warn',
    'not drained before the re-join; records in flight may be published twice',
  ),
  'late-completion': pipeline('warn', 'records settled after their epoch had ended; not committed', {
    everyMs: OFTEN_MS,
    sum: 'records',
  }),
  'commit-failed': pipeline('warn', 'commit failed; it will be tried again', { everyMs: OFTEN_MS, per: 'reason' }),

  'dead-lettered': pipeline('warn', 'records dead-lettered', { everyMs: OFTEN_MS, per: 'reason', sum: 'records' }),
  dropped: pipeline('info', 'records dropped by declared policy', { everyMs: OFTEN_MS, per: 'reason', sum: 'records' }),
  unpublishable: pipeline('warn', 'the broker refuses an output record; it is dead-lettered', {
    everyMs: OFTEN_MS,
    sum: 'records',
  }),
  'batch-failed': pipeline('warn', 'the model failed on a batch', { everyMs: OFTEN_MS, per: 'reason', sum: 'rows' }),

  'store-unavailable': pipeline('warn', 'feature store unavailable; intake is paused until it answers', {
    everyMs: OFTEN_MS,
  }),
  'store-recovered': pipeline('info', 'feature store answers again'),
  'sink-unavailable': pipeline('warn', 'output cannot be written; it will be tried again', {
    everyMs: OFTEN_MS,
    per: 'topic',
  }),
  'sink-recovered': pipeline('info', 'output is written again'),
  'schema-resolved': pipeline('info', 'writer schema resolved'),
  'schema-unknown': pipeline('warn', 'a record names a schema that does not exist', {
    everyMs: OFTEN_MS,
    per: 'schema',
  }),
  'model-loaded': pipeline('info', 'model loaded'),
  'model-warm': pipeline('info', 'model warmed up'),

  'series-overflow': {
    component: 'telemetry',
    level: 'warn',
    message: 'too many series; further ones are counted as overflow',
  },
} as const satisfies EventTable;

export type EventName = keyof typeof EVENTS;

function pipeline(level: LogLevel, message: string, limit: Pick<EventSpec, 'everyMs' | 'per' | 'sum'> = {}): EventSpec {
  return { component: 'pipeline', level, message, ...limit };
}
