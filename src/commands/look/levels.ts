import type { Topology } from '../../plan/topology.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { duration } from '../display/format.ts';
import type { Io } from '../io.ts';
import { withSecondLevel } from '../world/second-level.ts';

/** Which level had the row. What instances hold in memory cannot be seen from here. */
export interface AnsweredBy {
  readonly level: 'second level' | 'store';
  /** When the store was asked, ISO 8601. */
  readonly askedAt: string;
  readonly ageMs: number;
}

type Reads = Parameters<typeof withSecondLevel>[2];

/** Reads `store` as an instance with an empty memory would; a second level that does not answer is reported on standard error. */
export function throughLevels(
  store: FeatureStore,
  topology: Topology,
  reads: Reads,
  { io, telemetry }: { readonly io: Io; readonly telemetry: Telemetry },
): FeatureStore {
  const { clock, random, env, stderr } = io;
  const event: Telemetry['event'] = (name, fields) => {
    if (name !== 'second-level-out') telemetry.event(name, fields);
    else stderr.write(`the second level of the cache is passed over: ${fields?.reason}\n`);
  };
  const deps = { clock, random, env, telemetry: { ...telemetry, event } };
  return withSecondLevel(store, topology, reads, deps, { onlyLook: true });
}

export function hasSecondLevel({ cache }: Reads[number], { connections }: Topology): boolean {
  return cache?.secondLevel !== undefined && connections.redis !== undefined;
}

/** `askedAtMs` as returned by a read: NaN if this read asked the store. */
export function answeredBy(askedAtMs: number, nowMs: number): AnsweredBy {
  const isKept = !Number.isNaN(askedAtMs);
  const atMs = isKept ? Math.min(askedAtMs, nowMs) : nowMs;
  return { level: isKept ? 'second level' : 'store', askedAt: new Date(atMs).toISOString(), ageMs: nowMs - atMs };
}

export function answeredText({ level, ageMs }: AnsweredBy): string {
  return level === 'store'
    ? 'from the store, not in the second level'
    : `from the second level, where it is since ${duration(ageMs)}`;
}
