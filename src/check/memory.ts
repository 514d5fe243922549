import { encodeConstant } from '../codecs/avro/defaults.ts';
import { RAW_GROWTH, RAW_LEAST_BYTES } from '../codecs/avro/raw-out.ts';
import { parseAvroRecord } from '../codecs/avro/schema.ts';
import { growthOfJson } from '../codecs/json/growth.ts';
import { predictedColumns } from '../plan/look-ups.ts';
import type { InputDType, Plan, ReadPlan } from '../plan/plan.ts';

/**
 * How much memory a pipeline may take (promise P4): a sum of terms, each from a limit that the program keeps.
 *
 *   base + model + 1.25 × (bytes in flight × 4 + fields passed on whole + records in flight × what one costs + brokers × fetch)
 *   + requests + caches + schemas
 *
 * Promise: resident memory stays below the sum, whatever arrives and whatever stalls; measured, not proven, with
 * records of a megabyte, a backlog at the start and an output that stalls (test/faults/embedded/memory.test.ts).
 * Limits: feature files are held whole, twice during a reload; a record batch larger than a fetch is fetched whole, up to its
 * topic's limit; a cache key above 47 bytes adds its length; strings and vectors are counted only as far as they lie in the
 * record's bytes; a model that allocates while it runs, or a `use` function that keeps things, is not counted; a GPU runtime adds
 * what its vendor says; a field passed on whole is counted as long as its Avro writer wrote it, but may grow to RAW_GROWTH times
 * its record if schemas differ inside it.
 */
export interface MemoryLimits {
  /** Brokers of the cluster: all are fetched from at the same time. */
  readonly brokers: number;
  /** Of one fetch from one broker, as received. */
  readonly fetchMaxBytes: number;
  /** … and the most that its compressed batches may inflate to. */
  readonly inflatedMaxBytes: number;
  readonly fetchMaxRecords: number;
  /** Request memory that is kept for reuse. */
  readonly requestBytes: number;
  /** Of all model files. */
  readonly modelBytes: number;
  /** Threads that run the model; by default as many as the topology says, or one. */
  readonly modelSessions?: number;
  /** Text of the schemas that are kept. */
  readonly schemaBytes: number;
  /** In flight to and from the second level of the feature cache, if there is one. */
  readonly secondLevel?: { readonly queuedBytes: number; readonly keys: number };
}

export interface MemoryTerm {
  readonly name: string;
  readonly bytes: number;
  /** How the number comes about. */
  readonly from: string;
}

export interface MemoryBound {
  readonly bytes: number;
  readonly terms: readonly MemoryTerm[];
}

const MIB = 1024 * 1024;

/** An idle `run`: 165 MiB measured, plus 50 for the store's client, plus the young generation of the heap. */
const BASE_BYTES = 256 * MIB;
/** Weights as read from the file, and as laid out by the runtime. */
const MODEL_COPIES = 3;
/** A record's bytes: in its frame; in its output or dead letter; in the request, which the socket shares; in a previous attempt's. */
const BYTES_COPIES = 4;
/** Fields passed on whole have columns of their own, which grow by doubling. */
const RAW_COPIES = 2;
/** A record's entries in the columns of every frame, and its share of promises, spans and output rows. */
const RECORD_BYTES = 512;
/** A fetched record before it is copied to a frame: columns, in sets that may be half empty. */
const COLUMNS_BYTES = 2 * 44;
/** A record batch in a fetch: its message and its metadata. Measured: 274 to 300. */
const BATCH_BYTES = 320;
/** Smallest record batch as received: its header and one record. */
const LEAST_BATCH_BYTES = 68;
/** In addition with `client: stock`: an object per record, two strings, three views. */
const MESSAGE_BYTES = 480;
/** The model's own process, idle: what it does not share with the pipeline's process, and the messages between the two. */
const MODEL_PROCESS_BYTES = 96 * MIB;
/** A thread of the model: its own heap, what it shares with the pipeline, and what is moved to it. */
const MODEL_THREAD_BYTES = 40 * MIB;
/** The response that is being cut into frames, and the memory for the next one. */
const FETCH_COPIES = 2;
/** Memory in use is freed some time after its last use, and the allocator keeps some of it. */
const SLACK = 0.25;
/** A cache entry in its slab, besides numbers and timestamps: a key of up to 47 bytes, two times. */
const CACHE_KEY_BYTES = 48 + 2 * 8;
/** … and outside it: hash 4, index up to 32, queues 5, memory of evicted entries up to 15. */
const CACHE_INDEX_BYTES = 56;
/** Rows of the smallest slab; slabs double from there. */
const CACHE_LEAST_ROWS = 1024;
/** A row on its way from the store, besides its numbers: its key, and its cell as received. */
const STORE_ROW_BYTES = 200;
/** Anything sent or received: our copy, and the socket's. */
const SENT_COPIES = 2;
/** A schema as text, parsed, and as a compiled decoder. */
const SCHEMA_COPIES = 8;

const DTYPE_BYTES: Readonly<Record<InputDType, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int64: 8,
  uint8: 1,
  bool: 1,
};

export function memoryBound(plan: Plan, limits: MemoryLimits): MemoryBound {
  const { records, bytes } = plan.topology.flow.maxInFlight;
  // A frame is processed by one of the two plans.
  const recordBytes = Math.max(perRecordBytes(plan), plan.smaller === undefined ? 0 : perRecordBytes(plan.smaller));
  const caches = plan.reads.reduce((sum, read) => sum + cacheBytes(read), 0);
  const batches = Math.min(limits.fetchMaxRecords, Math.ceil(limits.fetchMaxBytes / LEAST_BATCH_BYTES));
  const fetchedBytes = COLUMNS_BYTES + (plan.topology.connections.kafka?.client === 'stock' ? MESSAGE_BYTES : 0);
  const fetchBytes =
    limits.fetchMaxBytes * FETCH_COPIES +
    limits.inflatedMaxBytes +
    limits.fetchMaxRecords * fetchedBytes +
    batches * BATCH_BYTES;
  const whole = Math.max(wholeGrowth(plan), plan.smaller === undefined ? 0 : wholeGrowth(plan.smaller));
  // No entry is longer than that, whatever its content.
  const wholeBytes = RAW_COPIES * Math.min(whole * bytes, RAW_GROWTH * bytes + records * RAW_LEAST_BYTES);
  const moving = bytes * BYTES_COPIES + wholeBytes + records * recordBytes + limits.brokers * fetchBytes;
  const terms: MemoryTerm[] = [
    { name: 'base', bytes: BASE_BYTES, from: 'program, clients and an idle heap' },
    modelTerm(plan, limits),
    {
      name: 'in flight, bytes',
      bytes: bytes * BYTES_COPIES,
      from: `flow.maxInFlight.bytes × ${BYTES_COPIES}`,
    },
    ...(whole === 0
      ? []
      : [
          {
            name: 'passed on whole',
            bytes: Math.ceil(wholeBytes),
            from: `flow.maxInFlight.bytes × ${(wholeBytes / bytes).toPrecision(2)}: fields that outputs take as they are`,
          },
        ]),
    {
      name: 'in flight, records',
      bytes: records * recordBytes,
      from: `flow.maxInFlight.records × ${recordBytes} B: columns, feature rows, model inputs, output`,
    },
    {
      name: 'fetches',
      bytes: limits.brokers * fetchBytes,
      from: `${limits.brokers} ${limits.brokers === 1 ? 'broker' : 'brokers'} × (${mib(limits.fetchMaxBytes)} × ${FETCH_COPIES} + ${mib(limits.inflatedMaxBytes)} inflated + ${limits.fetchMaxRecords} records × ${fetchedBytes} B + ${batches} batches × ${BATCH_BYTES} B)`,
    },
    {
      name: 'not given back',
      bytes: Math.ceil(moving * SLACK),
      from: `${SLACK} × what is in flight and fetched: garbage, and holes in the allocator`,
    },
    { name: 'requests', bytes: limits.requestBytes, from: 'kept for the next ones' },
    ...secondLevelTerms(plan, limits),
    { name: 'feature caches', bytes: caches, from: 'entries × (row + key + index), and the slab before the last one' },
    {
      name: 'schemas',
      bytes: limits.schemaBytes * SCHEMA_COPIES,
      from: `${mib(limits.schemaBytes)} of text × ${SCHEMA_COPIES}`,
    },
  ];
  return { bytes: terms.reduce((sum, term) => sum + term.bytes, 0), terms };
}

/** Most bytes of Avro for each byte in flight, in fields passed on whole; 0 if there are none. */
function wholeGrowth({ topology, wants }: Plan): number {
  const whole = wants.filter(({ kind }) => kind === 'raw');
  if (whole.length === 0) return 0;
  if (topology.source.value.kind === 'avro') return 1;
  return Math.max(1, ...whole.map(({ type }) => (type === undefined ? 1 : growthOfJson(type))));
}

function secondLevelTerms({ reads }: Plan, { secondLevel }: MemoryLimits): MemoryTerm[] {
  const rows = reads.filter(({ cache }) => cache?.secondLevel !== undefined);
  if (rows.length === 0 || secondLevel === undefined) return [];
  const rowBytes = Math.max(...rows.map(({ rowWidth, views }) => 8 * (rowWidth + views.length) + STORE_ROW_BYTES));
  const { queuedBytes, keys } = secondLevel;
  const bytes = queuedBytes * SENT_COPIES + keys * rowBytes * SENT_COPIES;
  const from = `(${mib(queuedBytes)} that wait + ${keys} keys × ${rowBytes} B) × ${SENT_COPIES}`;
  return [{ name: 'second level', bytes, from }];
}

/** In this process, or in processes of their own, which end when they exceed their limit. */
function modelTerm({ topology, smaller }: Plan, limits: MemoryLimits): MemoryTerm {
  const { modelBytes, modelSessions = topology.model.sessions ?? 1 } = limits;
  const { isolation, maxBytes } = topology.model;
  const processes = smaller === undefined ? 1 : 2;
  const files = { bytes: modelBytes * MODEL_COPIES, from: `${MODEL_COPIES} × model files` };
  if (isolation === 'none') return threadsTerm(topology.model.placement, modelSessions, modelBytes, processes);
  if (maxBytes > 0)
    return {
      name: 'model',
      bytes: processes * maxBytes,
      from: `${processes} × model.memory, in processes of their own`,
    };
  const own = `${processes} × ${mib(MODEL_PROCESS_BYTES)} for a process of its own`;
  return { name: 'model', bytes: files.bytes + processes * MODEL_PROCESS_BYTES, from: `${files.from} + ${own}` };
}

/** One session per thread, and the one that is tried at the start; a placement decided at the start may turn out to be a thread. */
function threadsTerm(placement: string | undefined, sessions: number, modelBytes: number, models: number): MemoryTerm {
  const files = modelBytes * MODEL_COPIES;
  if (placement === 'inline') return { name: 'model', bytes: files, from: `${MODEL_COPIES} × model files` };
  return {
    name: 'model',
    bytes: files * (1 + sessions) + models * sessions * MODEL_THREAD_BYTES,
    from: `${MODEL_COPIES} × model files × ${1 + sessions} sessions + ${models * sessions} × ${mib(MODEL_THREAD_BYTES)} for a thread`,
  };
}

/** What one record in flight takes besides its bytes. */
function perRecordBytes(plan: Plan): number {
  const { wants, reads, feeds } = plan;
  let bytes = RECORD_BYTES;
  for (const { kind, width } of wants) bytes += kind === 'vector' ? width * 8 + 1 : 17;
  bytes += RAW_COPIES * defaultBytes(plan);
  // In the frame, and in the store call that fetched it.
  for (const { rowWidth, views } of reads) bytes += 2 * 8 * (rowWidth + views.length) + STORE_ROW_BYTES;
  for (const { rowShape, dtype } of feeds) bytes += rowShape.reduce((a, b) => a * b, 1) * DTYPE_BYTES[dtype];
  for (const { width } of predictedColumns(plan)) bytes += 8 * Math.max(1, width);
  return bytes;
}

/** For fields passed on whole: the defaults that stand for those a record may lack. */
function defaultBytes({ topology, wants }: Plan): number {
  const names = new Set(wants.flatMap(({ kind, field }) => (kind === 'raw' ? [field] : [])));
  if (names.size === 0) return 0;
  const { fields } = parseAvroRecord(topology.source.value.schema);
  const lacking = fields.filter((field) => names.has(field.name) && field.default !== undefined);
  return lacking.reduce((sum, field) => sum + encodeConstant(field.type, field.default, field.name).length, 0);
}

/** Slabs grow by doubling: old and new exist side by side until the old one is collected. */
function cacheBytes({ cache, rowWidth, views }: ReadPlan): number {
  if (cache === undefined) return 0;
  const { entries } = cache;
  const doublings = Math.max(0, Math.ceil(Math.log2(entries / CACHE_LEAST_ROWS)));
  const before = doublings === 0 ? 0 : CACHE_LEAST_ROWS * 2 ** (doublings - 1);
  const rowBytes = CACHE_KEY_BYTES + 8 * (rowWidth + views.length);
  return (entries + before) * rowBytes + entries * CACHE_INDEX_BYTES;
}

/** The sum and its terms, one to a line. */
export function formatMemory({ bytes, terms }: MemoryBound): string {
  const width = Math.max(...terms.map(({ name }) => name.length));
  const lines = terms.map(
    ({ name, bytes: part, from }) => `  ${name.padEnd(width)}  ${mib(part).padStart(8)}  ${from}`,
  );
  return [`memory at most ${mib(bytes)}`, ...lines].join('\n');
}

export function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
