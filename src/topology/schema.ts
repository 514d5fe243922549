import { z } from 'zod';
import { said, strict } from '../documents/zod-findings.ts';
import { JOIN_KEY_TYPES, NUMBER_ENCODINGS } from '../kernel/cells/views.ts';
import { kafkaSchema, registrySchema } from './connection-schema.ts';
import {
  autoOr,
  choice,
  count,
  duration,
  flag,
  identifier,
  list,
  mapOf,
  matching,
  nullOr,
  offOr,
  share,
  size,
  text,
  topic,
} from './leaves.ts';
import { filesSchema, redisSchema, secondLevelSchema } from './store-connections.ts';

/**
 * The topology file as one schema: source of the type of the parsed file, the JSON Schema for editors and the reference page.
 * It says what each key may hold; rules between keys are in rules.ts.
 */

const BIGTABLE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,49}$/;
const BIGTABLE_FAMILY = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const FIELD_SOURCE =
  /^(event(\.[A-Za-z_][A-Za-z0-9_]*)+|prediction\.[A-Za-z_][A-Za-z0-9_]*|details(\.[A-Za-z_][A-Za-z0-9_]*){2}|model\.(digest|label|name|version))$/;
export const VIEW_COLUMN = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[([1-9]\d{0,4})\])?$/;

const value = () =>
  strict({
    avro: text('the path of an .avsc file', 'schemas/event.avsc')
      .describe('Avro; the path of its .avsc file')
      .optional(),
    json: text('the path of an .avsc file', 'schemas/event.avsc')
      .describe('JSON; the path of the .avsc file that names its fields')
      .optional(),
    wire: choice(['confluent', 'plain'])
      .describe('confluent: a zero byte and a 4-byte schema id in front; plain: nothing in front')
      .optional(),
    ids: list(count(2 ** 31 - 1, 3), 'schema ids', '[3]')
      .describe('the ids of this schema when there is no registry; outputs are written with the first')
      .optional(),
  });

const bigtable = strict({
  project: text('a project id', 'dev'),
  instance: text('an instance id', 'dev').describe('the emulator is chosen by BIGTABLE_EMULATOR_HOST'),
});

const view = strict({
  family: matching(BIGTABLE_FAMILY, 'a column family', 'agg').describe('the column family in Bigtable'),
  columns: list(
    matching(VIEW_COLUMN, 'a column: name, or name[width] for a vector of 1 to 99999 values', '"n[96]"'),
    'columns',
    '[late_share, "n[96]"]',
  ).describe('columns that are read: `name`, or `name[width]` for a vector'),
  numbers: choice([...NUMBER_ENCODINGS])
    .describe(
      'with layout: cells; the content of a cell: float-le or float-be, 4 or 8 bytes per number, by its length; int64-be, as Bigtable increments; text, a decimal number. Default: float-le',
    )
    .optional(),
  maxAge: duration('7d').describe('older than this is stale').optional(),
  onStale: choice(['use', 'missing', 'dead-letter']).describe('what becomes of a stale view').optional(),
});

const cache = strict({
  entries: count(10_000_000, 100_000).describe('the most rows to keep'),
  ttl: duration('10m').describe('how long a cached row is used').prefault('10m'),
  negativeTtl: duration('1m').describe('how long a row is remembered as absent').prefault('1m'),
  refreshAfter: duration('8m')
    .describe(
      'from this age on, a row is still used when requested, but refreshed in the background; default: no refresh before the ttl',
    )
    .optional(),
  invalidateBy: topic()
    .describe('a topic whose record keys are the keys of changed rows: every instance drops those rows from its cache')
    .optional(),
  secondLevel: secondLevelSchema
    .describe('rows are also kept in Redis, where all instances and the next start find them')
    .optional(),
});

const feast = strict({
  joinKeys: mapOf(
    text('the name of a join key', 'driver_id'),
    choice([...JOIN_KEY_TYPES]),
    'join keys',
    '{ driver_id: int64 }',
  ).describe(
    'join key → its type in Feast, in the order of their values in key; one character separates several values',
  ),
  keyVersion: z
    .union([z.literal(2), z.literal(3)], { error: said('is neither 2 nor 3', 'write keyVersion: 3') })
    .describe('entity_key_serialization_version of the feature repository')
    .default(3),
});

const enrich = strict({
  from: choice(['bigtable', 'redis', 'file'], ['dynamodb', 'firestore', 'datastore', 'feast', 'http']).describe(
    'the store; connections says where it is',
  ),
  table: matching(BIGTABLE_NAME, 'a table name', 'route'),
  key: text('a template over fields of the event', '"{origin}#{destination}"').describe(
    'braces name fields of the event',
  ),
  views: mapOf(
    identifier('a view name', 'route'),
    view,
    'views',
    '{ route: { family: agg, columns: [late_share] } }',
  ).describe('view name, as used in expressions → what is read'),
  onMissing: choice(['impute', 'dead-letter', 'drop'])
    .describe('impute: the bundle gives the value to use')
    .default('impute'),
  layout: choice(['packed', 'cells', 'feast'])
    .describe(
      'packed: one cell per view, named by its content; cells: one cell per column, named like the column; feast: as the online store of Feast on Bigtable, where the family of a view is its feature view',
    )
    .default('packed'),
  feast: feast.describe('with layout: feast; from what Feast makes the name of a row').optional(),
  cache: cache.optional(),
});

const details = strict({
  ...enrich.shape,
  key: text('a template over predictions and fields of the event', '"{prediction.label}"').describe(
    'braces name fields of the event, or prediction.NAME, which must be a label or an integer',
  ),
  onMissing: nullOr(choice(['dead-letter']), 'dead-letter')
    .describe('null: what is not found is null in the output, whose fields must allow null')
    .default(null),
});

const maxInFlight = strict({
  records: count(10_000_000, 50_000).describe('the most unsettled records').default(50_000),
  bytes: size('64MiB').describe('the most unsettled bytes').prefault('64MiB'),
});

const flow = strict({
  latencyBudget: duration('50ms')
    .describe('the latency to keep; how long a batch may wait is derived from it')
    .prefault('50ms'),
  maxBatch: count(65_536, 256)
    .describe('the most rows per model run; the actual number is derived from latencyBudget; default: at most 2048')
    .optional(),
  maxInFlight: maxInFlight.prefault({}),
  order: choice(['partition', 'none'])
    .describe('partition: records of one partition keep their order')
    .default('partition'),
  delivery: choice(['at-least-once', 'exactly-once'], ['at-most-once'])
    .describe('exactly-once: outputs and offsets in Kafka transactions, for read_committed readers')
    .default('at-least-once'),
  drain: duration('20s').describe('how long a shutdown may take to finish what is in flight').prefault('20s'),
});

const onOverload = strict({
  lag: duration('30s')
    .describe('the pipeline is overloaded while its oldest waiting record is at least this old')
    .prefault('30s'),
  largerBatches: count(65_536, 1024).describe('1st step: the most rows per model run').optional(),
  staleCache: duration('1h')
    .describe('2nd step, also during an outage of the store: cached rows are used beyond their ttl, up to this age')
    .optional(),
  defaultFeatures: flag('true')
    .describe('3rd step, also during an outage of the store: rows that are not cached count as missing')
    .optional(),
  smallerModel: text('the path of a bundle', 'models/flight-delay-small')
    .describe('4th step: another bundle for the same topology')
    .optional(),
  skipToLatest: duration('10m')
    .describe('5th step, above this lag: a partition drops records, which are counted, until it has caught up')
    .optional(),
});

const deadLetterLimit = strict({
  ratio: share(0.5).describe('the share of dead letters above which processing stops').default(0.5),
  window: count(1_000_000, 10_000, 100).describe('the share is taken over so many of the last records').default(10_000),
});

export const topologySchema = strict({
  topology: matching(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    'a name (letters, digits, . _ -; at most 100)',
    'flight-delay',
  ).describe('the name of the pipeline'),
  connections: strict({
    kafka: kafkaSchema.optional(),
    registry: registrySchema.optional(),
    bigtable: bigtable.optional(),
    redis: redisSchema.optional(),
    files: filesSchema.optional(),
  })
    .describe('where the services are')
    .prefault({}),
  source: strict({
    topics: list(topic(), 'topics', '[flights.departed]'),
    group: text('a consumer group', 'flight-delay').describe('the consumer group'),
    from: choice(['earliest', 'latest', 'fail'])
      .describe('where to start if there is no committed offset, or if it is out of range')
      .default('earliest'),
    value: value(),
    onTombstone: choice(['drop', 'dead-letter']).describe('what becomes of a record without a value').default('drop'),
  }),
  enrich: z
    .array(enrich, { error: () => 'is not a list\nwrite a list of { from, table, key, views }' })
    .describe('features to look up for each event')
    .default([]),
  model: strict({
    bundle: text('the path of a bundle', 'models/flight-delay').describe(
      'MODELS/NAME for its newest version, or MODELS/NAME/VERSION',
    ),
    device: choice(['auto', 'cpu', 'cuda', 'tensorrt', 'webgpu']).describe('auto: cuda, then cpu').default('auto'),
    deviceIds: list(count(63, 0, 0), 'GPU numbers', '[0, 1]')
      .describe(
        'with device: cuda or tensorrt; which GPUs, as nvidia-smi -L numbers them, with a session on each; default: GPU 0',
      )
      .optional(),
    isolation: choice(['none', 'process'])
      .describe(
        'process: the model runs in a process of its own; a run that hangs or crashes costs that process, not the pipeline',
      )
      .default('none'),
    placement: choice(['auto', 'inline', 'thread'])
      .describe(
        'thread: the model runs in threads of its own, while the pipeline goes on; auto: thread, if a full batch takes longer than 1 ms in a trial at the start',
      )
      .default('auto'),
    sessions: autoOr(count(64, 2), '2')
      .describe(
        'with placement: thread; the number of threads, each with a session, distributed over deviceIds; auto: all cores but one, at most 8; one per GPU',
      )
      .default('auto'),
    memory: size('2GiB')
      .describe('with isolation: process; the process is killed above this resident memory; default: no limit')
      .optional(),
    runTimeout: duration('10s')
      .describe(
        'with isolation: process; a run that takes longer is considered hung, and its process is killed (default 10s)',
      )
      .optional(),
  }),
  details: z
    .array(details, { error: () => 'is not a list\nwrite a list of { from, table, key, views }' })
    .describe('what to look up by the prediction, for output.fields: details.VIEW.COLUMN')
    .default([]),
  flow: flow.prefault({}),
  onOverload: onOverload
    .describe('what may be given up under overload, one step after the other; without it, records wait')
    .optional(),
  output: strict({
    topic: topic(),
    key: text('a template over fields of the event', '"{id}"').describe("default: the input's key").optional(),
    value: value(),
    fields: mapOf(
      identifier('an output field', 'probability'),
      matching(
        FIELD_SOURCE,
        'event.FIELD, prediction.NAME, details.VIEW.COLUMN, or model.digest, .label, .name, .version',
        'prediction.probability',
      ),
      'output fields',
      '{ probability: prediction.probability }',
    ).describe(
      'field of the output schema → event.FIELD (event.RECORD.FIELD inside a record), prediction.NAME, details.VIEW.COLUMN, model.digest, .label, .name or .version',
    ),
  }),
  deadLetter: strict({
    topic: topic(),
    limit: offOr(deadLetterLimit, '{ ratio: 0.5, window: 10000 }')
      .describe('off, or a share of dead letters above which processing stops until somebody has looked')
      .prefault({}),
  }).describe('where records that cannot be scored go'),
});

/** The file with units resolved and defaults filled in; paths are still as written. */
export type TopologyFile = z.infer<typeof topologySchema>;
