import type { FeastEntity, Layout, StoreName, ViewSpec } from '../kernel/cells/views.ts';
import type { Secret } from '../kernel/connections/secret.ts';
import type { TlsSettings } from '../kernel/connections/tls.ts';

/** A topology file, parsed: complete, frozen, in the program's units. Made by src/topology only. */
export interface Topology {
  readonly name: string;
  /** The file it came from, as given. */
  readonly file: string;
  readonly connections: Connections;
  readonly source: SourceSettings;
  readonly enrich: readonly EnrichSettings[];
  /** Looked up by what was predicted; their keys may name `prediction.NAME`. */
  readonly details?: readonly EnrichSettings[];
  readonly model: ModelSettings;
  readonly flow: FlowSettings;
  /** Undefined: overload means lag, an outage of the store a pause. */
  readonly onOverload?: OverloadSettings;
  readonly output: OutputSettings;
  readonly deadLetter: DeadLetterSettings;
}

export interface DeadLetterSettings {
  readonly topic: string;
  /** Above this share of dead letters among so many records nothing more is processed; undefined: never. */
  readonly limit?: { readonly ratio: number; readonly window: number };
}

export interface ModelSettings {
  readonly bundle: string;
  readonly device: Device;
  /** With cuda and tensorrt: GPUs by number, a session on each at least; the first, if not given. */
  readonly deviceIds?: readonly number[];
  /** Where the model runs: on the thread of the pipeline, or in a process of its own. */
  readonly isolation: 'none' | 'process';
  /** With `process`: a run that has not answered by then hangs. */
  readonly runTimeoutMs: number;
  /** With `process`: resident memory of that process at most; 0: no limit. */
  readonly maxBytes: number;
  /** With `none`: on the thread of the pipeline, or in threads of its own; auto, if not given: as measured at the start. */
  readonly placement?: 'auto' | 'inline' | 'thread';
  /** In threads: how many, each with a session; undefined: as many as pay. */
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
  /** Who reads and writes record batches: Sluice, in columns, or the client, an object per record. */
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
      /** Gives tokens for client credentials. */
      readonly tokenEndpoint: string;
      readonly clientId: Secret;
      readonly clientSecret: Secret;
      readonly scope: string | undefined;
      /** Of the endpoint. */
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
  /** Of a cluster some of its nodes, otherwise one. */
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

/** How a value is written: the parsed .avsc, and what frames it. */
export type ValueFormat =
  | {
      readonly kind: 'avro';
      readonly schemaFile: string;
      readonly schema: unknown;
      /** confluent: a zero byte and a 4-byte schema id in front; plain: nothing in front. */
      readonly wire: 'confluent' | 'plain';
      /** Ids that mean this schema when there is no registry; the first is written. */
      readonly ids: readonly number[];
      /** With plain: the schema that values were written with, where it is another one. */
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
  /** From this age on a row that is asked for is read anew in the background. */
  readonly refreshAfterMs?: number;
  /** A topic whose record keys are row keys: such a row has changed. */
  readonly invalidateBy?: string;
  /** Rows are also kept where other processes find them. */
  readonly secondLevel?: SecondLevelSettings;
}

/** In `connections.redis`. */
export interface SecondLevelSettings {
  /** For so long after the store was asked a row is used, there and in memory together. */
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  /** Longest time that a look there may cost. */
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

/** Steps that are undefined (or false) are not declared, and never taken. */
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
