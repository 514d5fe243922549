import type { CheckFinding } from '../documents/finding.ts';
import type { Path } from '../documents/yaml-document.ts';
import { lookUpsIn, type PlacedLookUp } from './look-ups.ts';
import type { TopologyFile } from './schema.ts';
import { formatDuration } from './units.ts';

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/**
 * What the steps of `onOverload` need from the rest of the topology. A step that could have no effect, or that would turn an outage
 * into dead letters or drops, is an error.
 */
export function checkOverload(file: TopologyFile, report: Report): void {
  const { onOverload: steps, flow, model } = file;
  const lookUps = lookUpsIn(file);
  if (steps === undefined) return;
  const { lag, largerBatches, staleCache, defaultFeatures, smallerModel, skipToLatest } = steps;
  const at = (key: string): Path => ['onOverload', key];
  if ([largerBatches, staleCache, defaultFeatures || undefined, smallerModel, skipToLatest].every(isAbsent)) {
    const remedy =
      'add largerBatches, staleCache, defaultFeatures, smallerModel or skipToLatest, or leave onOverload out';
    report(['onOverload'], 'declares no step', remedy);
  }
  if (lag <= flow.latencyBudget) {
    const message = `is ${lag} ms, within the latencyBudget of ${flow.latencyBudget} ms: nothing is late by then`;
    report(at('lag'), message, 'write a multiple of the latencyBudget, for example 30s');
  }
  if (largerBatches !== undefined && flow.maxBatch !== undefined && largerBatches <= flow.maxBatch) {
    const message = `is ${largerBatches}, not more than flow.maxBatch (${flow.maxBatch})`;
    report(at('largerBatches'), message, 'raise it, or leave it out');
  }
  if (largerBatches !== undefined && largerBatches > flow.maxInFlight.records) {
    const message = `is ${largerBatches}, and only ${flow.maxInFlight.records} records may be in flight: a batch could never fill`;
    report(at('largerBatches'), message, 'lower it, or raise flow.maxInFlight.records');
  }
  if (lookUps.length === 0) {
    const remedy = 'leave it out';
    if (staleCache !== undefined) report(at('staleCache'), 'needs features, and enrich names none', remedy);
    if (defaultFeatures === true) report(at('defaultFeatures'), 'needs features, and enrich names none', remedy);
  } else {
    if (staleCache !== undefined) checkStaleCache(staleCache, lookUps, report);
    if (defaultFeatures === true) checkDefaults(lookUps, report);
  }
  if (smallerModel !== undefined && smallerModel === model.bundle) {
    report(at('smallerModel'), `is model.bundle, "${smallerModel}", itself`, 'name another bundle, or leave it out');
  }
  if (skipToLatest !== undefined && skipToLatest <= lag) {
    const message = `is ${formatDuration(skipToLatest)}, not more than the lag that counts as overload (${formatDuration(lag)})`;
    report(at('skipToLatest'), message, 'raise it: what is dropped here could be worked off by the steps before');
  }
}

function checkStaleCache(limit: number, lookUps: readonly PlacedLookUp[], report: Report): void {
  const path = ['onOverload', 'staleCache'];
  const caches = lookUps.flatMap(({ entry: { cache } }) => (cache === undefined ? [] : [cache]));
  if (caches.length === 0) {
    report(
      path,
      'needs a cache, and no entry of enrich has one',
      'add cache: { entries: 100000 } to an entry, or leave it out',
    );
  }
  const longest = Math.max(0, ...caches.flatMap(({ ttl, negativeTtl }) => [ttl, negativeTtl]));
  if (limit <= longest) {
    const message = `is ${formatDuration(limit)}, and rows are fresh for ${formatDuration(longest)} anyway`;
    report(path, message, 'write the greatest age that a row may be used at, above every ttl');
  }
  for (const { list, i, entry } of lookUps) {
    const { cache, views } = entry;
    for (const [name, { onStale }] of Object.entries(views)) {
      if (cache === undefined || onStale !== 'dead-letter') continue;
      const message =
        'is dead-letter, and onOverload.staleCache keeps rows for longer: an outage would dead-letter the topic';
      report([list, i, 'views', name, 'onStale'], message, 'write use or missing, or leave staleCache out');
    }
  }
}

function checkDefaults(lookUps: readonly PlacedLookUp[], report: Report): void {
  for (const { list, i, entry } of lookUps) {
    const { onMissing } = entry;
    if (onMissing === 'impute') continue;
    const does = onMissing === 'drop' ? 'drop' : 'dead-letter';
    const message = `is ${onMissing}, and onOverload.defaultFeatures makes rows missing: an outage would ${does} the topic`;
    const instead = list === 'enrich' ? 'impute' : 'null';
    report([list, i, 'onMissing'], message, `write ${instead}, or leave defaultFeatures out`);
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined;
}
