import type { LogLevel } from '../ports/telemetry.ts';

/**
 * Every event that Sluice reports to people, in one table. Messages are constant, so that lines can be counted; what varies is in the
 * fields, which describe the work and never contain payloads or secrets.
 */
export interface EventSpec {
  readonly component: string;
  readonly level: LogLevel;
  readonly message: string;
  /** At most one line in this time; further ones are counted and reported with the next line. */
  readonly everyMs?: number;
  /** The limit applies to each value of this field separately. */
  readonly per?: string;
  /** A field that is summed over the suppressed lines. */
  readonly sum?: string;
}

export type EventTable = Readonly<Record<string, EventSpec>>;

const OFTEN_MS = 10_000;

type Limit = Pick<EventSpec, 'everyMs' | 'per' | 'sum'>;

function limited(per?: string, sum?: string): Limit {
  return { everyMs: OFTEN_MS, per, sum };
}

function of(component: string): (level: LogLevel, message: string, limit?: Limit) => EventSpec {
  return (level, message, limit = {}) => ({ component, level, message, ...limit });
}

const pipeline = of('pipeline');
const source = of('source');
const sink = of('sink');
const schemas = of('schemas');
const model = of('model');
const store = of('store');

export const EVENTS = {
  started: pipeline('info', 'started'),
  'memory-bound': pipeline('info', 'resident memory stays below this, whatever comes in'),
  listening: pipeline('info', 'metrics and health are served'),
  'listening-openly': pipeline('warn', 'metrics and health are served beyond this machine, to whoever can connect'),
  signal: pipeline('info', 'a signal asks the process to end'),
  ready: pipeline('info', 'ready: assigned, connected and able to make progress'),
  draining: pipeline('info', 'draining: taking in nothing more, settling what is in flight'),
  drained: pipeline('info', 'drained: everything taken in is settled and committed'),
  'drain-budget-exceeded': pipeline(
    'error',
    'the drain budget ran out; what is unsettled stays uncommitted and will be replayed',
  ),
  'drain-cut-short': pipeline('warn', 'a second interrupt ends the drain; what is unsettled stays uncommitted'),
  'close-failed': pipeline('warn', 'a step of the shutdown failed'),
  stopped: pipeline('info', 'stopped'),
  failed: pipeline('error', 'failed'),

  assigned: pipeline('info', 'partition assigned'),
  revoked: pipeline('info', 'partition revoked'),
  'rebalance-deadline-missed': pipeline(
    'warn',
    'not drained before the re-join; records in flight may be published twice',
  ),
  'late-completion': pipeline(
    'warn',
    'settled after the epoch had ended; not committed',
    limited(undefined, 'records'),
  ),
  'commit-failed': pipeline('warn', 'commit failed; it will be retried', limited()),

  'dead-lettered': pipeline('warn', 'dead-lettered', limited('reason', 'records')),
  'dead-letter-limit': pipeline('error', 'too many records are dead letters: nothing more is processed'),
  'stage-failed': pipeline('warn', 'a stage failed on a record; it is dead-lettered', limited('stage')),
  unpublishable: pipeline(
    'warn',
    'the broker refuses an output record; it is dead-lettered',
    limited(undefined, 'records'),
  ),
  'dry-run-passed': pipeline(
    'info',
    'brokers, topics, registry, tables and model are there; nothing was consumed or written',
  ),
  'start-waits': pipeline('warn', 'a dependency does not answer yet; retrying', limited('what')),
  outage: pipeline('warn', 'waiting for a dependency; records are held, none is dead-lettered', limited('what')),
  'overload-step': pipeline('warn', 'overloaded: a declared step is taken'),
  'overload-step-back': pipeline('info', 'no longer overloaded: a step is taken back'),
  'outage-bridged': pipeline('warn', 'the store is down: records go on as onOverload declares, and are marked'),
  'outage-bridged-over': pipeline('info', 'the store answers again'),
  skip: pipeline('warn', 'skipping to the latest records: older ones of the partition are dropped, and counted'),
  'skip-over': pipeline('warn', 'caught up by skipping: so many records were dropped'),
  'outage-over': pipeline('info', 'dependency is back', limited('what')),

  'feature-cell-unreadable': store(
    'warn',
    'a feature cell does not have the requested content: its columns count as missing',
  ),
  'feature-cell-corrupt': store(
    'error',
    'feature cells do not hold what the topology or their qualifier says: their columns count as missing',
    limited('table', 'cells'),
  ),
  'feature-families-unchecked': store(
    'warn',
    'the credentials may not describe the table: a misspelt family would look like missing features',
  ),
  'changelog-unread': store(
    'warn',
    'a topic that invalidates caches cannot be read: rows live as long as their ttl until it can',
    limited('topic'),
  ),
  'changelog-over': store('info', 'a topic that invalidates caches is read again, from where reading stopped'),
  'changelog-missed': store(
    'warn',
    'changes have expired unread or are in an unreadable batch: the caches are emptied',
    limited('topic'),
  ),
  'second-level-out': store(
    'warn',
    'the second level of the feature cache does not answer: the store is asked without it',
    limited(),
  ),
  'second-level-back': store('info', 'the second level of the feature cache answers again'),
  'store-reconnecting': store('warn', 'nothing comes over the connection: it is replaced', limited()),
  'feature-file-reloaded': store('info', 'a feature file has changed: its new rows are in use'),
  'feature-file-refused': store(
    'error',
    'a feature file has changed and cannot be used: the previous rows stay in use; correct it, and it is read again',
  ),
  'feature-write-retried': store('warn', 'feature rows could not be written and are written again', limited()),

  'kafka-client': source('debug', 'kafka client says'),
  'token-failed': source(
    'warn',
    'no new token for the login to Kafka; the last one is used while it is valid',
    limited(),
  ),
  'kafka-connect-retry': source('warn', 'cannot reach the brokers; retrying', limited()),
  'group-joined': source('info', 'joined the group'),
  'group-rejoining': source('info', 'the group rebalances: handing over stops, draining'),
  'group-drained': source('info', 'the drain before re-joining the group is over'),
  'group-fenced': source('warn', 'this member of the group was fenced: its partitions are given up undrained'),
  'position-chosen': source('info', 'position chosen'),
  'offset-reset': source('warn', 'the committed offset is out of range: going on where source.from says'),
  'topic-gone': source('warn', 'an input topic was deleted: once it is back, source.from says where it begins'),
  'commit-left-out': source('debug', 'positions of ended epochs are not committed'),
  'commit-fenced': source('warn', 'commit refused by the group coordinator'),
  'coordinator-moved': source('info', 'the group has a new coordinator'),
  'consumer-restarting': source('warn', 'kafka client crashed and starts again'),
  'fetch-discarded': source('debug', 'a fetch from another offset than expected is discarded'),
  'batch-unreadable': source('warn', 'a record batch was left behind: it cannot be read', limited()),
  'quarantine-entered': source(
    'warn',
    'a process died with records of this partition in flight: they are processed in small steps',
  ),
  'quarantine-left': source('info', 'the records that were in flight when a process died have been processed'),
  quarantined: source('error', 'the process died repeatedly on this record: it is dead-lettered unprocessed'),
  'quarantine-note-failed': source('warn', 'could not store the note that the partition is handed on', limited()),
  'source-close-overdue': source('warn', 'consumer did not leave the group in time'),

  'producer-replaced': sink('warn', 'a send failed: the producer is replaced', limited('topic')),
  'transaction-failed': sink(
    'warn',
    'a transaction failed: the next producer of its partition finds out its outcome',
    limited('topic'),
  ),
  'transaction-lost': sink(
    'warn',
    'another producer began to write for this partition: it restarts from its committed offset, if it is still ours',
  ),
  'client-fallback': sink(
    'warn',
    "the installed version of the Kafka client is not the one that Sluice's producer was written for: the client's own producer is used, which takes several times the CPU per record and keeps neither null header values nor the order of headers",
  ),
  'ack-mismatch': sink('error', 'the acknowledgement of the broker does not match what was sent'),
  'header-null-as-empty': sink(
    'warn',
    'a header without a value is sent with an empty one: the stock client cannot send null',
    limited('topic'),
  ),
  'topic-metadata-stale': sink('warn', 'metadata of topics could not be refreshed', limited()),
  'sink-close-overdue': sink('warn', 'producer did not disconnect in time'),

  'schema-resolved': schemas('info', 'writer schema resolved'),
  'schema-refused': schemas('warn', 'records with this schema id are dead-lettered', limited('id')),
  'schema-fetched': schemas('debug', 'writer schema fetched'),
  'schema-missing': schemas('info', 'the registry has no such schema yet; a run registers it'),
  'schema-registered': schemas('info', 'schema registered'),
  'registry-throttled': schemas('warn', 'too many unknown schema ids: look-ups are limited', limited()),

  'model-loaded': model('info', 'model loaded'),
  'row-failed': model('warn', 'the model failed on a row; it is dead-lettered', limited()),
  'batch-reduced': model(
    'warn',
    'not enough memory for a batch: it is run in halves, and batches are smaller',
    limited(),
  ),
  'batch-restored': model('info', 'batches are as large again as before memory ran short'),
  'device-fallback': model('warn', 'a device that was found cannot run the model; the next one is tried'),
  'model-placed': model('info', 'decided where the model runs'),
  'model-isolated': model('info', 'the model runs in a process of its own'),
  'model-restarting': model('warn', 'the process of the model is being replaced', limited('reason')),
  'model-restarted': model('info', 'the process of the model runs again', limited()),
  'device-skipped': model('info', 'a device is not available on this machine'),

  'instance-failed': pipeline('error', 'an instance failed; the others drain, and the process ends'),
  'instance-stuck': pipeline('error', 'an instance has not ended within the drain budget, and is left behind'),

  'series-overflow': of('telemetry')('warn', 'too many series; further ones are counted as overflow'),
} as const satisfies EventTable;
