import type { FeastEntity, Layout, StoreName, ViewSpec } from '../kernel/cells/views.ts';
import type { Secret } from '../kernel/connections/secret.ts';
import type { TlsSettings } from '../kernel/connections/tls.ts';

/** A topology file, parsed: complete, frozen, in the program's units. Made only by src/topology. */
export interface Topology {
  readonly name: string;
  /** The file it came from, as given. */
  readonly file: string;
  readonly connections: Connections;
  readonly source: SourceSettings;
  readonly enrich: readonly EnrichSettings[];
  /** Look-ups after the model; their keys may name `prediction.NAME`. */
  readonly details?: readonly EnrichSettings[];
  readonly model: ModelSettings;
  readonly flow: FlowSettings;
  /** Undefined: overload means lag, and a store outage means a pause. */
  readonly onOverload?: OverloadSettings;
  readonly output: OutputSettings;
  readonly deadLetter: DeadLetterSettings;
}

export interface DeadLetterSettings {
  readonly topic: string;
  /** Above this share of dead letters among `window` records, the pipeline is held; undefined: never. */
  readonly limit?: { readonly ratio: number; readonly window: number };
}

export interface ModelSettings {
  readonly bundle: string;
  readonly device: Device;
  /** With cuda and tensorrt: GPU numbers, at least one session on each; by default the first GPU. */
  readonly deviceIds?: readonly number[];
  /** Where the model runs: in the pipeline's process, or in a process of its own. */
  readonly isolation: 'none' | 'process';
  /** With `process`: a run without an answer after this time counts as hanging. */
  readonly runTimeoutMs: number;
  /** With `process`: most resident memory of that process; 0: no limit. */
  readonly maxBytes: number;
  /** With `none`: on the thread of the pipeline, or in threads of its own; auto, the default: as measured at the start. */
  readonly placement?: 'auto' | 'inline' | 'thread';
  /** With threads: how many, each with a session; undefined: as many as pay off. */
  readonly sessions?: number;
}

export type Device = 'auto' | 'cpu' | 'cuda' | 'tensorrt' | 'webgpu';

export interface Connections {
  readonly kafka: KafkaConnection | undefined;
  readonly registry: RegistryConnection | undefined;
  readonly bigtable: BigtableConnection | undefined;
  readonly redis?: RedisConnection;
  /** Feature files; the folder is resolved. */
  readonly files?: { readonly folder: string };
}

export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  /** Who reads and writes record batches: Sluice, in columns, or the client, with an object per record. */
  readonly client: 'columnar' | 'stock';
  /** Undefined: without TLS. */
  readonly ssl?: TlsSettings | undefined;
  readonly sasl?: SaslSettings | undefined;
}

export type SaslSettings =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: Secret;
      readonly password: Secret;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: Secret }
  | {
      readonly mechanism: 'oauthbearer';
      /** Where to get tokens for client credentials. */
      readonly tokenEndpoint: string;
      readonly clientId: Secret;
      readonly clientSecret: Secret;
      readonly scope: string | undefined;
      /** TLS of the token endpoint. */
      readonly tls: TlsSettings | undefined;
    };

export interface RegistryConnection {
  /** Without credentials. */
  readonly url: string;
  readonly login?: RegistryLogin;
  readonly ssl?: TlsSettings;
}

export type RegistryLogin = { readonly username: Secret; readonly password: Secret } | { readonly token: Secret };

export interface RedisConnection {
  /** For a cluster, some of its nodes; otherwise one. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  readonly database: number;
  readonly username?: Secret;
  readonly password?: Secret;
  /** Undefined: without TLS. */
  readonly ssl?: TlsSettings;
}

export interface BigtableConnection {
  readonly project: string;
  readonly instance: string;
}

export interface SourceSettings {
  readonly topics: readonly string[];
  readonly group: string;
  readonly from: 'earliest' | 'latest' | 'fail';
  readonly value: ValueFormat;
  readonly onTombstone: 'drop' | 'dead-letter';
}

/** How a value is written: the parsed .avsc, and its framing. */
export type ValueFormat =
  | {
      readonly kind: 'avro';
      readonly schemaFile: string;
      readonly schema: unknown;
      /** confluent: preceded by a zero byte and a 4-byte schema id; plain: nothing precedes it. */
      readonly wire: 'confluent' | 'plain';
      /** Ids that mean this schema if there is no registry; the first is written. */
      readonly ids: readonly number[];
      /** With plain: the schema that values were written with, if it differs. */
      readonly writer?: unknown;
    }
  | { readonly kind: 'json'; readonly schemaFile: string; readonly schema: unknown };

export interface EnrichSettings {
  readonly from: StoreName;
  readonly table: string;
  /** Template over event fields, `{origin}#{destination}`. */
  readonly key: string;
  readonly views: readonly ViewSettings[];
  readonly onMissing: 'impute' | 'dead-letter' | 'drop';
  readonly layout: Layout;
  /** With layout `feast`. */
  readonly feast?: FeastEntity | undefined;
  readonly cache: CacheSettings | undefined;
}

export interface ViewSettings extends ViewSpec {
  readonly maxAgeMs: number | undefined;
  readonly onStale: 'use' | 'missing' | 'dead-letter';
}

export interface CacheSettings {
  readonly entries: number;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  /** A row of this age or more is read again in the background when it is asked for. */
  readonly refreshAfterMs?: number;
  /** A topic whose record keys are the keys of changed rows. */
  readonly invalidateBy?: string;
  /** Rows are also kept where other processes can find them. */
  readonly secondLevel?: SecondLevelSettings;
}

/** The second level of the cache, in `connections.redis`. */
export interface SecondLevelSettings {
  /** How long a row is used after it was read from the store, in memory and there together. */
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  /** Most time that a look-up there may cost. */
  readonly timeoutMs: number;
}

export interface FlowSettings {
  readonly latencyBudgetMs: number;
  readonly maxBatch: number;
  readonly maxInFlight: { readonly records: number; readonly bytes: number };
  readonly order: 'partition' | 'none';
  readonly delivery: 'at-least-once' | 'exactly-once';
  readonly drainMs: number;
}

/** Steps that are undefined or false are not declared, and never taken. */
export interface OverloadSettings {
  readonly lagMs: number;
  readonly largerBatches: number | undefined;
  readonly staleCacheMs: number | undefined;
  readonly defaultFeatures: boolean;
  /** Path of a bundle, resolved. */
  readonly smallerModel: string | undefined;
  readonly skipToLatestMs: number | undefined;
}

export interface OutputSettings {
  readonly topic: string;
  /** Template over event fields; undefined: the input's key. */
  readonly key: string | undefined;
  readonly value: ValueFormat;
  /** Output field → `event.x`, `prediction.x`, `details.view.column`, `model.digest`, `model.name`, `model.version`. */
  readonly fields: Readonly<Record<string, string>>;
}
