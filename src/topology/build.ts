import type { ColumnSpec, FeastEntity } from '../kernel/cells/views.ts';
import type {
  Connections,
  EnrichSettings,
  OverloadSettings,
  SecondLevelSettings,
  Topology,
  ValueFormat,
  ViewSettings,
} from '../plan/topology.ts';
import { asEnrich } from './look-ups.ts';
import { maxBatchOf } from './max-batch.ts';
import { type TopologyFile, VIEW_COLUMN } from './schema.ts';
import type { SecondLevelFile } from './store-connections.ts';
import { separatorOf } from './store-rules.ts';

export interface ResolvedFiles {
  readonly sourceValue: ValueFormat;
  readonly outputValue: ValueFormat;
  readonly bundle: string;
  readonly smallerBundle: string | undefined;
}

const RUN_TIMEOUT_MS = 10_000;

/** Converts a checked topology file to the program's terms and units, deeply frozen. */
export function buildTopology(
  file: string,
  parsed: TopologyFile,
  connections: Connections,
  files: ResolvedFiles,
): Topology {
  const { source, model, flow, output, deadLetter } = parsed;
  return deepFreeze({
    name: parsed.topology,
    file,
    connections,
    source: {
      topics: source.topics,
      group: source.group,
      from: source.from,
      value: files.sourceValue,
      onTombstone: source.onTombstone,
    },
    enrich: parsed.enrich.map(buildEnrich),
    details: parsed.details.map((entry) => buildEnrich(asEnrich(entry))),
    model: {
      bundle: files.bundle,
      device: model.device,
      ...(model.deviceIds !== undefined && { deviceIds: model.deviceIds }),
      isolation: model.isolation,
      runTimeoutMs: model.runTimeout ?? RUN_TIMEOUT_MS,
      maxBytes: model.memory ?? 0,
      placement: model.placement,
      sessions: model.sessions === 'auto' ? undefined : model.sessions,
    },
    flow: {
      latencyBudgetMs: flow.latencyBudget,
      maxBatch: maxBatchOf(parsed),
      maxInFlight: flow.maxInFlight,
      order: flow.order,
      delivery: flow.delivery,
      drainMs: flow.drain,
    },
    onOverload: buildOverload(parsed.onOverload, files.smallerBundle),
    output: { topic: output.topic, key: output.key, value: files.outputValue, fields: output.fields },
    deadLetter: { topic: deadLetter.topic, limit: deadLetter.limit === 'off' ? undefined : deadLetter.limit },
  });
}

function buildOverload(
  parsed: TopologyFile['onOverload'],
  smallerModel: string | undefined,
): OverloadSettings | undefined {
  return (
    parsed && {
      lagMs: parsed.lag,
      largerBatches: parsed.largerBatches,
      staleCacheMs: parsed.staleCache,
      defaultFeatures: parsed.defaultFeatures === true,
      smallerModel,
      skipToLatestMs: parsed.skipToLatest,
    }
  );
}

function buildEnrich(entry: TopologyFile['enrich'][number]): EnrichSettings {
  let offset = 0;
  const views: ViewSettings[] = [];
  for (const [name, view] of Object.entries(entry.views)) {
    const columns = view.columns.map((text) => {
      const column = buildColumn(text, offset);
      offset += column.width;
      return column;
    });
    const { family, numbers, maxAge: maxAgeMs, onStale = 'use' } = view;
    views.push({ name, family, ...(numbers !== undefined && { numbers }), columns, maxAgeMs, onStale });
  }
  const { cache } = entry;
  return {
    from: entry.from,
    table: entry.table,
    key: entry.key,
    views,
    onMissing: entry.onMissing,
    layout: entry.layout,
    ...(entry.feast !== undefined && { feast: buildFeast(entry.key, entry.feast) }),
    cache: cache && {
      entries: cache.entries,
      ttlMs: cache.ttl,
      negativeTtlMs: cache.negativeTtl,
      ...(cache.refreshAfter !== undefined && { refreshAfterMs: cache.refreshAfter }),
      ...(cache.invalidateBy !== undefined && { invalidateBy: cache.invalidateBy }),
      ...(cache.secondLevel !== undefined && { secondLevel: buildSecondLevel(cache.secondLevel) }),
    },
  };
}

function buildSecondLevel({ ttl, negativeTtl, timeout }: SecondLevelFile): SecondLevelSettings {
  return { ttlMs: ttl, negativeTtlMs: negativeTtl, timeoutMs: timeout };
}

/** Its key is fields separated by one character; store-rules.ts has checked that. */
function buildFeast(key: string, feast: NonNullable<TopologyFile['enrich'][number]['feast']>): FeastEntity {
  const joinKeys = Object.entries(feast.joinKeys).map(([name, type]) => ({ name, type }));
  return { joinKeys, separator: separatorOf(key) ?? '', keyVersion: feast.keyVersion };
}

/** Parses `late_share` or `n[96]`; `offset` is where its first number is in the row of its entry. */
function buildColumn(text: string, offset: number): ColumnSpec {
  const [, name, width] = VIEW_COLUMN.exec(text) ?? [];
  return { name, kind: width === undefined ? 'number' : 'vector', width: Number(width ?? 1), offset };
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
