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
 * Promise: resident memory stays below the sum, whatever comes in and whatever stands still; measured, not proven, with
 * records of a megabyte, a backlog at the start and an output that stands still (test/faults/embedded/memory.test.ts).
 * Limits: feature files are held whole, twice while one is loaded again; a record batch that is larger than a fetch comes whole, as large as its topic allows; a key of the cache above 47 bytes
 * adds itself; the record's term takes strings and vectors for as long as they are in its bytes; a model that allocates while it
 * runs, or a `use` function that keeps things, is not in it; a runtime for a GPU adds what its vendor says; a field that is passed
 * on whole is as long as its writer of Avro has written it, where it may be RAW_GROWTH times its record if schemas differ within it.
 */
export interface MemoryLimits {
  /** Brokers of the cluster: each is fetched from at the same time. */
  readonly brokers: number;
  /** Of one fetch from one broker, as it comes. */
  readonly fetchMaxBytes: number;
  /** … and what its compressed batches may come to. */
  readonly inflatedMaxBytes: number;
  readonly fetchMaxRecords: number;
  /** Memory of requests that is kept for the next ones. */
  readonly requestBytes: number;
  /** Of all model files. */
  readonly modelBytes: number;
  /** Threads of a model, where it comes to threads; as many as the topology says, or one, if not given. */
  readonly modelSessions?: number;
  /** Schemas that are kept, as text. */
  readonly schemaBytes: number;
  /** On its way to and from the second level of the feature cache, where there is one. */
  readonly secondLevel?: { readonly queuedBytes: number; readonly keys: number };
}

export interface MemoryTerm {
  readonly name: string;
  readonly bytes: number;
  /** Where the number comes from. */
  readonly from: string;
}

export interface MemoryBound {
  readonly bytes: number;
  readonly terms: readonly MemoryTerm[];
}

const MIB = 1024 * 1024;

/** An idle `run`: 165 MiB measured, 50 more with the client of the store; and the young generation of the heap. */
const BASE_BYTES = 256 * MIB;
/** Weights as they are read, and as the runtime lays them out. */
const MODEL_COPIES = 3;
/** A record's bytes: in its frame; in its dead letter or output; in the request, which is what the socket has; and in that of an attempt before. */
const BYTES_COPIES = 4;
/** Fields that go on whole are in columns of their own, which grow by doubling. */
const RAW_COPIES = 2;
/** A record in the columns that every frame has, with its share of promises, spans and rows of output. */
const RECORD_BYTES = 512;
/** A fetched record before it is copied to a frame: columns, in sets of which half may stay empty. */
const COLUMNS_BYTES = 2 * 44;
/** A record batch in a fetch: its message, and what it says of itself. One measured is 274 to 300. */
const BATCH_BYTES = 320;
/** What a record batch takes at least as it comes: its header and one record. */
const LEAST_BATCH_BYTES = 68;
/** With `client: stock`, beside that: an object per record, two texts, three views. */
const MESSAGE_BYTES = 480;
/** The model's own process, idle: what it does not share with the pipeline's, and the messages between the two. */
const MODEL_PROCESS_BYTES = 96 * MIB;
/** A thread of the model: a heap of its own, what it shares with the pipeline, and what is moved to it. */
const MODEL_THREAD_BYTES = 40 * MIB;
/** The response that is cut into frames, and the memory that the next one comes in. */
const FETCH_COPIES = 2;
/** What moves is freed some time after it is done with, and the allocator keeps some of it. */
const SLACK = 0.25;
/** An entry of the cache in its slab, beside numbers and timestamps: key of up to 47 bytes, two times. */
const CACHE_KEY_BYTES = 48 + 2 * 8;
/** … and outside: hash 4, index up to 32, queues 5, what is remembered of one that went up to 15. */
const CACHE_INDEX_BYTES = 56;
/** Rows of the smallest slab; from there it doubles. */
const CACHE_LEAST_ROWS = 1024;
/** A row on its way from the store, beside its numbers: its key, and its cell as it came. */
const STORE_ROW_BYTES = 200;
/** What is sent or comes: as it is here, and as the socket has it. */
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
  // A frame takes the way of one of the two plans.
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
  // No entry is longer than that, whatever it is made of.
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

/** Bytes of Avro that a byte in flight may come to in fields that go on whole; 0 where none does. */
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

/** In this process, or in processes of their own, which end when they take more than they are given. */
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

/** Beside the session that is tried at the start, one per thread; where that is decided at the start, it may come to a thread. */
function threadsTerm(placement: string | undefined, sessions: number, modelBytes: number, models: number): MemoryTerm {
  const files = modelBytes * MODEL_COPIES;
  if (placement === 'inline') return { name: 'model', bytes: files, from: `${MODEL_COPIES} × model files` };
  return {
    name: 'model',
    bytes: files * (1 + sessions) + models * sessions * MODEL_THREAD_BYTES,
    from: `${MODEL_COPIES} × model files × ${1 + sessions} sessions + ${models * sessions} × ${mib(MODEL_THREAD_BYTES)} for a thread`,
  };
}

/** What one record in flight takes beside its bytes. */
function perRecordBytes(plan: Plan): number {
  const { wants, reads, feeds } = plan;
  let bytes = RECORD_BYTES;
  for (const { kind, width } of wants) bytes += kind === 'vector' ? width * 8 + 1 : 17;
  bytes += RAW_COPIES * defaultBytes(plan);
  // In the frame, and in the call to the store that brought it.
  for (const { rowWidth, views } of reads) bytes += 2 * 8 * (rowWidth + views.length) + STORE_ROW_BYTES;
  for (const { rowShape, dtype } of feeds) bytes += rowShape.reduce((a, b) => a * b, 1) * DTYPE_BYTES[dtype];
  for (const { width } of predictedColumns(plan)) bytes += 8 * Math.max(1, width);
  return bytes;
}

/** Of fields that go on whole: what stands for those that a record may lack. */
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

/** The sum, and what it is made of, a line each. */
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
