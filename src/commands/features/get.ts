import { existsSync } from 'node:fs';
import { createFeatureFiles } from '../../adapters/files/feature-files.ts';
import { linesOf } from '../../adapters/files/lines.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { type MergedRead, mergeReads } from '../../check/reads.ts';
import { didYouMean } from '../../documents/did-you-mean.ts';
import { formatFindings } from '../../documents/finding.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import { lookUpsOf } from '../../plan/look-ups.ts';
import type { Topology } from '../../plan/topology.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { type LoadedTopology, loadTopology } from '../../topology/load.ts';
import type { Io } from '../io.ts';
import { answeredBy, answeredText, hasSecondLevel, throughLevels } from '../look/levels.ts';
import { paintFor } from '../look/paint.ts';
import { keyText, readRow, rowLines, type ShownRow, shownViews, sourceText, tellingStore } from '../look/rows.ts';
import { createStores } from '../world/stores.ts';
import { createEventKeys } from './event-keys.ts';

export interface FeaturesGetOptions {
  readonly topology: string;
  readonly keys: readonly string[];
  readonly table: readonly string[];
  readonly view: readonly string[];
  /** JSON Lines; `-` is standard input. */
  readonly event?: string | undefined;
  /** Feature files instead of the store. */
  readonly features?: string | undefined;
  /** Read the store directly, bypassing a second level of the cache. */
  readonly store: boolean;
  readonly json: boolean;
}

type Loaded = Extract<LoadedTopology, { ok: true }>;

/** Look-ups made together: for one key, or for the keys of one event. */
interface Asked {
  /** Position of the event; undefined: a key was given. */
  readonly place: string | undefined;
  readonly lookUps: readonly { readonly read: MergedRead; readonly key: Buffer | undefined }[];
}

interface Answering {
  readonly topology: Topology;
  readonly store: FeatureStore;
  readonly options: FeaturesGetOptions;
  readonly io: Io;
}

const TIMEOUT_MS = 10_000;

/** `sluice features get`: prints rows as the processor reads them. Resolves with the exit code. */
export async function featuresGet(options: FeaturesGetOptions, io: Io): Promise<number> {
  const loaded = loadTopology(options.topology, io.env);
  if (!loaded.ok) {
    throw new SluiceError(
      'topology-invalid',
      `${options.topology} cannot be used:\n${formatFindings(loaded.findings)}`,
    );
  }
  if ((options.keys.length === 0) === (options.event === undefined)) {
    throw new SluiceError('usage-invalid', 'give row keys, such as ORD#LGA, or --event FILE to make them from events');
  }
  const reads = chosen(loaded, options);
  const store = storeOf(loaded, reads, options, io);
  try {
    await store.open([...new Set(reads.map(({ table }) => table))]);
    let lacking = 0;
    for await (const asked of askedOf(options, loaded, reads, io)) {
      if (!(await answer(asked, { topology: loaded.topology, store, options, io }))) lacking++;
    }
    return lacking === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await store.close();
  }
}

/** The topology's look-ups, filtered by `--table` and `--view`. */
function chosen({ topology }: Loaded, options: FeaturesGetOptions): MergedRead[] {
  const { table, view, event } = options;
  // Keys of `details` need predictions, which an event does not have.
  const all = mergeReads(event === undefined ? lookUpsOf(topology) : topology.enrich);
  if (all.length === 0) {
    const none = event === undefined ? 'has no enrich and no details' : 'has no enrich';
    throw new SluiceError('usage-invalid', `${topology.file} looks nothing up: it ${none}`);
  }
  checkNames(
    '--table',
    table,
    all.map((read) => read.table),
    topology.file,
  );
  checkNames(
    '--view',
    view,
    all.flatMap(({ views }) => views.map(({ name }) => name)),
    topology.file,
  );
  return all.flatMap((read) => {
    if (table.length > 0 && !table.includes(read.table)) return [];
    const views = view.length === 0 ? read.views : read.views.filter(({ name }) => view.includes(name));
    if (views.length === 0) return [];
    // The second level holds rows with all their views, so they are read whole and filtered for display.
    return [isLevelled(read, topology, options) ? read : { ...read, views }];
  });
}

function isLevelled(read: MergedRead, topology: Topology, { store, features }: FeaturesGetOptions): boolean {
  return !store && features === undefined && hasSecondLevel(read, topology);
}

function checkNames(option: string, names: readonly string[], known: readonly string[], file: string): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const hint = didYouMean(unknown, known) || ';';
  throw new SluiceError(
    'usage-invalid',
    `${option}: ${file} reads no "${unknown}"${hint} it reads ${[...new Set(known)].join(', ')}`,
  );
}

function storeOf(
  { topology }: Loaded,
  reads: readonly MergedRead[],
  options: FeaturesGetOptions,
  io: Io,
): FeatureStore {
  if (options.features !== undefined) return createFeatureFiles({ folder: options.features, reads });
  const { clock } = io;
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'warn', pretty: true }) });
  const stores = createStores(topology, reads, { clock, telemetry, env: io.env });
  const store = options.store ? stores : throughLevels(stores, topology, reads, { io, telemetry });
  return tellingStore(store, sourceText(reads, topology, undefined, io.env));
}

async function* askedOf(
  { keys, event }: FeaturesGetOptions,
  loaded: Loaded,
  reads: readonly MergedRead[],
  io: Io,
): AsyncGenerator<Asked> {
  for (const text of keys) {
    const key = Buffer.from(text);
    yield { place: undefined, lookUps: reads.map((read) => ({ read, key })) };
  }
  if (event === undefined) return;
  const keysOf = createEventKeys(loaded, reads);
  const name = event === '-' ? 'standard input' : event;
  if (event !== '-' && !existsSync(event)) {
    throw new SluiceError('file-missing', `there is no file ${event}; give --event a file of JSON Lines, or -`);
  }
  let number = 0;
  for await (const line of linesOf(name, () => {}, event === '-' ? io.stdin : undefined)) {
    number++;
    if (line.length === 0) continue;
    const place = `${name}:${number}`;
    const made = keysOf(Buffer.from(line), place);
    yield { place, lookUps: reads.map((read, k) => ({ read, key: made[k] })) };
  }
}

/** False if nothing was found. */
async function answer({ place, lookUps }: Asked, { topology, store, options, io }: Answering): Promise<boolean> {
  const paint = paintFor(io);
  const nowMs = io.clock.wallMs();
  const write = (line: string): void => void io.stdout.write(`${line}\n`);
  if (place !== undefined && !options.json) write(paint('grey', place));
  const rows = new Map<string, ShownRow & { readonly template: string }>();
  let any = false;
  for (const { read, key } of lookUps) {
    const { table, key: template } = read;
    const source = sourceText([read], topology, options.features, io.env);
    if (key === undefined) {
      if (options.json)
        write(JSON.stringify({ ...(place && { event: place }), table, key: null, template, found: false, views: [] }));
      else write(`${paint('bold', table)}  ${paint('yellow', 'no key')}: a field that ${template} names is missing`);
      continue;
    }
    const raw = await readRow(store, read, key, TIMEOUT_MS);
    const all = shownViews(read, raw, nowMs);
    const views = options.view.length === 0 ? all : all.filter(({ view }) => options.view.includes(view));
    const by = isLevelled(read, topology, options) ? { answeredBy: answeredBy(raw.askedAtMs[0], nowMs) } : {};
    const found = views.some((view) => view.found);
    any ||= found;
    // Look-ups of the same row with different key templates count once if the key is given directly.
    const id = JSON.stringify([table, key.toString('latin1')]);
    const known = rows.get(id);
    rows.set(id, {
      ...{ table, key: keyText(key), source },
      template: known === undefined || known.template === template ? template : `${known.template} or ${template}`,
      found: found || known?.found === true,
      ...by,
      views: [...(known?.views ?? []), ...views],
    });
  }
  for (const { template, ...row } of rows.values()) {
    if (options.json) {
      write(JSON.stringify({ ...(place && { event: place }), ...row }));
      continue;
    }
    const from = row.answeredBy === undefined ? '' : `  ${paint('grey', answeredText(row.answeredBy))}`;
    const head = `${paint('bold', row.table)}  ${paint('cyan', row.key)}  ${paint('grey', row.source)}${from}`;
    if (!row.found) {
      write(`${head}  ${paint('yellow', 'no such row')}; keys of this table are made by ${template}`);
      continue;
    }
    write(head);
    for (const line of rowLines(row, paint)) write(line);
  }
  return any;
}
