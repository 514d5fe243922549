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
 * The topology file, as one schema: the type of the parsed file, the JSON Schema for editors and the reference page.
 * It says what each key may hold; what two keys may hold together is in rules.ts.
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
      .describe('ids that mean this schema when there is no registry; the first is written')
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
      'with layout: cells; what a cell holds: float-le or float-be, 4 or 8 bytes a number as the length says; int64-be, as Bigtable increments; text, a decimal number. Left out: float-le',
    )
    .optional(),
  maxAge: duration('7d').describe('older than this is stale').optional(),
  onStale: choice(['use', 'missing', 'dead-letter']).describe('what becomes of a stale view').optional(),
});

const cache = strict({
  entries: count(10_000_000, 100_000).describe('rows kept at most'),
  ttl: duration('10m').describe('how long a row is believed').prefault('10m'),
  negativeTtl: duration('1m').describe('how long it is believed that a row is not there').prefault('1m'),
  refreshAfter: duration('8m')
    .describe(
      'from this age on a row that is asked for is used, and read anew in the background; without it, at its ttl',
    )
    .optional(),
  invalidateBy: topic()
    .describe(
      'a topic whose record keys are row keys: what is read there is dropped here; by every instance for itself',
    )
    .optional(),
  secondLevel: secondLevelSchema
    .describe('rows are kept in Redis too, where every instance and the next start find them')
    .optional(),
});

const feast = strict({
  joinKeys: mapOf(
    text('the name of a join key', 'driver_id'),
    choice([...JOIN_KEY_TYPES]),
    'join keys',
    '{ driver_id: int64 }',
  ).describe('join key → its type in Feast, in the order of their values in key; several with one character between'),
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
  ).describe('view name, as expressions say it → what is read'),
  onMissing: choice(['impute', 'dead-letter', 'drop']).describe('impute: the bundle says with what').default('impute'),
  layout: choice(['packed', 'cells', 'feast'])
    .describe(
      'packed: one cell a view, named by its content; cells: one cell a column, named as the column; feast: as the online store of Feast on Bigtable, the family of a view being its feature view',
    )
    .default('packed'),
  feast: feast.describe('with layout: feast; what Feast makes the name of a row of').optional(),
  cache: cache.optional(),
});

const details = strict({
  ...enrich.shape,
  key: text('a template over predictions and fields of the event', '"{prediction.label}"').describe(
    'braces name fields of the event, or prediction.NAME: a label, or a whole number',
  ),
  onMissing: nullOr(choice(['dead-letter']), 'dead-letter')
    .describe('null: what was not found is null in the output, whose fields must allow it')
    .default(null),
});

const maxInFlight = strict({
  records: count(10_000_000, 50_000).describe('unsettled records at most').default(50_000),
  bytes: size('64MiB').describe('unsettled bytes at most').prefault('64MiB'),
});

const flow = strict({
  latencyBudget: duration('50ms')
    .describe('the promise; how long a batch may wait is derived from it')
    .prefault('50ms'),
  maxBatch: count(65_536, 256)
    .describe('rows a model run at most; how many is derived from latencyBudget, 2048 at most where this is left out')
    .optional(),
  maxInFlight: maxInFlight.prefault({}),
  order: choice(['partition', 'none'])
    .describe('partition: records of one partition keep their order')
    .default('partition'),
  delivery: choice(['at-least-once', 'exactly-once'], ['at-most-once'])
    .describe('exactly-once: outputs and offsets in Kafka transactions, for readers of committed records')
    .default('at-least-once'),
  drain: duration('20s').describe('how long a shutdown may take to finish what it has begun').prefault('20s'),
});

const onOverload = strict({
  lag: duration('30s').describe('overloaded while the oldest record that waits is at least this old').prefault('30s'),
  largerBatches: count(65_536, 1024).describe('1st step: rows a model run at most').optional(),
  staleCache: duration('1h')
    .describe('2nd step, and in an outage of the store: rows of the cache are used beyond their ttl, up to this age')
    .optional(),
  defaultFeatures: flag('true')
    .describe('3rd step, and in an outage of the store: rows that the cache has not count as missing')
    .optional(),
  smallerModel: text('the path of a bundle', 'models/flight-delay-small')
    .describe('4th step: another bundle for the same topology')
    .optional(),
  skipToLatest: duration('10m')
    .describe('5th step, above this lag: a partition drops records, counted, until it has caught up')
    .optional(),
});

const deadLetterLimit = strict({
  ratio: share(0.5).describe('the share of dead letters above which nothing more is processed').default(0.5),
  window: count(1_000_000, 10_000, 100).describe('the share is that of so many records, the last ones').default(10_000),
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
      .describe('where to start without a committed offset, or with one that is out of range')
      .default('earliest'),
    value: value(),
    onTombstone: choice(['drop', 'dead-letter']).describe('what becomes of a record without a value').default('drop'),
  }),
  enrich: z
    .array(enrich, { error: () => 'is not a list\nwrite a list of { from, table, key, views }' })
    .describe('what the model wants to know beyond the event')
    .default([]),
  model: strict({
    bundle: text('the path of a bundle', 'models/flight-delay').describe(
      'MODELS/NAME: its newest version; or MODELS/NAME/VERSION',
    ),
    device: choice(['auto', 'cpu', 'cuda', 'tensorrt', 'webgpu']).describe('auto: cuda, then cpu').default('auto'),
    deviceIds: list(count(63, 0, 0), 'GPU numbers', '[0, 1]')
      .describe(
        'with device: cuda or tensorrt; which GPUs, as nvidia-smi -L numbers them: a session on each; without it, GPU 0',
      )
      .optional(),
    isolation: choice(['none', 'process'])
      .describe(
        'process: the model runs in a process of its own, which a run that hangs or crashes costs, and not the pipeline',
      )
      .default('none'),
    placement: choice(['auto', 'inline', 'thread'])
      .describe(
        'thread: the model runs beside the pipeline, which goes on meanwhile; auto: that, if a full batch takes longer than 1 ms when it is tried at the start',
      )
      .default('auto'),
    sessions: autoOr(count(64, 2), '2')
      .describe(
        'with placement: thread; threads with a session each, dealt out to deviceIds; auto: the cores but one, 8 at most; one a GPU',
      )
      .default('auto'),
    memory: size('2GiB')
      .describe(
        'with isolation: process; resident memory of that process, above which it is killed; without it, no limit',
      )
      .optional(),
    runTimeout: duration('10s')
      .describe('with isolation: process; a run that has not answered by then hangs and is killed (10s)')
      .optional(),
  }),
  details: z
    .array(details, { error: () => 'is not a list\nwrite a list of { from, table, key, views }' })
    .describe('what is looked up by what was predicted, for output.fields: details.VIEW.COLUMN')
    .default([]),
  flow: flow.prefault({}),
  onOverload: onOverload
    .describe('what may be given up to keep up, a step after the other; without it records wait')
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
      .describe('off, or a share of dead letters above which nothing more is processed until somebody has looked')
      .prefault({}),
  }).describe('where records go that cannot be scored'),
});

/** The file with units resolved and defaults filled in; paths are still as written. */
export type TopologyFile = z.infer<typeof topologySchema>;
