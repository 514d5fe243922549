import { featureFileOf, featureRowsOf, shapeOf, type TableRead } from '../../adapters/files/feature-rows.ts';
import { familiesOf } from '../../kernel/cells/feature-cells.ts';
import type { ColumnSpec, FeastEntity, Layout, StoreName, ViewSpec } from '../../kernel/cells/views.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { lookUpsOf } from '../../plan/look-ups.ts';
import type { Topology } from '../../plan/topology.ts';
import type { FeatureWrite, FeatureWriter } from '../../ports/feature-store.ts';

export interface FeaturesLoadOptions {
  readonly topology: Topology;
  /** Folder of feature files. */
  readonly dir: string;
  /** Load only tables of this store. */
  readonly from?: StoreName;
  /** `FAMILY.COLUMN` or `FAMILY.COLUMN[n]`, instead of the columns that the topology reads. */
  readonly columns?: readonly string[] | undefined;
}

export interface FeaturesLoadDeps {
  readonly writer: FeatureWriter;
  readonly clock: Clock;
  /** Called every thousand rows, and at the end of each table. */
  readonly progress?: (progress: LoadedTable) => void;
}

export interface LoadedTable {
  readonly table: string;
  readonly rows: number;
  /** Views written, over all rows; a row without a family in the file lacks that view. */
  readonly views: number;
}

const BATCH_ROWS = 200;
const PROGRESS_ROWS = 1_000;

/**
 * Feature files → the tables that a topology reads; missing tables and families are created.
 * A repeated load writes newer cells and does not delete rows that are no longer in the files. All cells carry the start time of the load.
 */
export async function featuresLoad(
  options: FeaturesLoadOptions,
  deps: FeaturesLoadDeps,
): Promise<{ readonly tables: readonly LoadedTable[] }> {
  const { topology, dir, columns, from } = options;
  const mine = lookUpsOf(topology).filter((entry) => from === undefined || entry.from === from);
  const layouts = new Map(
    mine.map(({ table, layout, feast }) => [JSON.stringify([table, layout, feast]), { table, layout, feast }]),
  );
  const all = [...layouts.values()].map(({ table, layout, feast }) => {
    const reads = mine.filter(
      (entry) =>
        entry.table === table && entry.layout === layout && JSON.stringify(entry.feast) === JSON.stringify(feast),
    );
    return { table, layout, feast, reads: columns === undefined ? reads : [namedColumns(table, columns, topology)] };
  });
  // `--columns` may select nothing from some tables.
  const wanted = all.filter(({ reads }) => reads.some(({ views }) => views.length > 0));
  const files = wanted.map(({ table }) => featureFileOf(dir, table));
  const timestampMs = deps.clock.wallMs();
  const tables: LoadedTable[] = [];
  for (const [i, { table, layout, feast, reads }] of wanted.entries()) {
    tables.push(await loadTable({ table, layout, feast, reads, file: files[i], timestampMs }, deps));
  }
  return { tables };
}

interface TableLoad {
  readonly table: string;
  readonly layout: Layout;
  readonly feast: FeastEntity | undefined;
  readonly reads: readonly TableRead[];
  readonly file: string;
  readonly timestampMs: number;
}

async function loadTable(load: TableLoad, { writer, progress }: FeaturesLoadDeps): Promise<LoadedTable> {
  const { table, layout, feast, timestampMs } = load;
  const { views, rowWidth } = shapeOf(table, load.reads);
  await writer.ensureTable(table, familiesOf(layout, views));
  const values = new Float64Array(BATCH_ROWS * rowWidth);
  const present = new Uint8Array(BATCH_ROWS * views.length);
  let keys: Buffer[] = [];
  let rows = 0;
  let written = 0;
  const flush = async (): Promise<void> => {
    if (keys.length === 0) return;
    const batch: FeatureWrite = { table, layout, feast, views, rowWidth, keys, values, present, timestampMs };
    await writer.write(batch);
    keys = [];
  };
  for await (const row of featureRowsOf(load.file, { views, rowWidth })) {
    values.set(row.values, keys.length * rowWidth);
    present.set(row.present, keys.length * views.length);
    keys.push(row.key);
    rows++;
    for (const there of row.present) written += there;
    if (keys.length === BATCH_ROWS) await flush();
    if (rows % PROGRESS_ROWS === 0) progress?.({ table, rows, views: written });
  }
  await flush();
  const loaded = { table, rows, views: written };
  progress?.(loaded);
  return loaded;
}

/** `--columns` for one table: families that the topology reads from this table, or from no table. */
function namedColumns(table: string, names: readonly string[], topology: Topology): TableRead {
  const read = (family: string, from?: string): readonly ViewSpec[] => {
    const entries = lookUpsOf(topology).filter((entry) => from === undefined || entry.table === from);
    return entries.flatMap(({ views }) => views).filter((view) => view.family === family);
  };
  const views = names.flatMap((text) => {
    const match = /^([-\w.]+?)\.([^.,[\]]+)(?:\[([1-9]\d{0,6})\])?$/.exec(text);
    if (match === null) {
      throw new SluiceError('usage-invalid', `--columns: "${text}" is not FAMILY.COLUMN or FAMILY.COLUMN[WIDTH]`);
    }
    const [, family, name, width] = match;
    const here = read(family, table);
    if (here.length === 0 && read(family).length > 0) return [];
    const owner = here.find(({ columns }) => columns.some((column) => column.name === name));
    const known = owner?.columns.find((column) => column.name === name);
    const numbers = (owner ?? here[0])?.numbers;
    const stated: ColumnSpec = {
      name,
      kind: width === undefined ? 'number' : 'vector',
      width: Number(width ?? 1),
      offset: 0,
    };
    const columns = [width === undefined && known ? known : stated];
    return [{ name: family, family, ...(numbers !== undefined && { numbers }), columns }];
  });
  return { table, views };
}
