/**
 * Feature store over a folder of feature files, for `from: file`, `batch --features DIR` and cases.
 *
 * Promise: answers like Bigtable after `features load` of the same folder: numbers are rounded to float32 like floats in cells, integers
 * and text are not; a view exists if any number of its family does. With `reload`, a changed file is loaded again, and a read gets all
 * its rows from either the old or the new file. Limits: all rows are held in memory, twice while a file is being reloaded, and there
 * are no times of writing.
 */

import type { ViewSpec } from '../../kernel/cells/views.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import { FileReload, type ReloadDeps } from './feature-reload.ts';
import { cellsOf, featureFileOf, featureRowsOf, shapeOf, type TableRead, type TableShape } from './feature-rows.ts';

export interface FeatureFilesOptions {
  /** Holds TABLE.jsonl or TABLE.jsonl.gz for each table. */
  readonly folder: string;
  /** All that will be asked for. */
  readonly reads: readonly TableRead[];
  /** Given: files are looked at again while this is open. */
  readonly reload?: ReloadDeps | undefined;
}

interface LoadedTable {
  readonly shape: TableShape;
  /** Key, a char a byte → row. */
  readonly rows: ReadonlyMap<string, number>;
  readonly values: Numbers;
  readonly present: Uint8Array;
}

type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** For one view that is asked for: its place among the loaded ones, and where its columns are copied from and to. */
interface ViewCopy {
  readonly view: number;
  readonly columns: readonly { readonly from: number; readonly to: number; readonly width: number }[];
}

export function createFeatureFiles(options: FeatureFilesOptions): FeatureStore {
  const tables = new Map<string, LoadedTable>();
  const copies = new WeakMap<readonly ViewSpec[], readonly ViewCopy[]>();
  const reload = options.reload && new FileReload<LoadedTable>(options.reload);
  let closed = false;

  async function openTable(name: string): Promise<void> {
    const shape = shapeOf(name, options.reads);
    const table = {
      name,
      fileOf: () => featureFileOf(options.folder, name),
      load: (file: string) => loadTable(file, shape),
      rowsOf: ({ rows }: LoadedTable) => rows.size,
      use: (loaded: LoadedTable) => void tables.set(name, loaded),
    };
    if (reload === undefined) table.use(await table.load(table.fileOf()));
    else await reload.begin(table);
  }

  function copiesOf(read: FeatureRead, { shape }: LoadedTable): readonly ViewCopy[] {
    let known = copies.get(read.views);
    if (known === undefined) {
      known = read.views.map((view) => copyOf(read.table, shape, view));
      copies.set(read.views, known);
    }
    return known;
  }

  return {
    async open(names) {
      for (const table of new Set(names)) {
        if (!tables.has(table)) await openTable(table);
      }
    },

    async read(read) {
      if (closed)
        throw new SluiceError('invariant-broken', 'the feature files are closed; nothing may be read from them');
      const table = tables.get(read.table);
      if (table === undefined) {
        throw new SluiceError('table-missing', `feature table "${read.table}" was not opened from ${options.folder}`);
      }
      const wanted = copiesOf(read, table);
      const { shape, rows, values, present } = table;
      const { into, rowWidth, keys } = read;
      for (let k = 0; k < keys.length; k++) {
        const row = rows.get(keys[k].toString('latin1'));
        if (row === undefined) continue;
        for (let v = 0; v < wanted.length; v++) {
          const { view, columns } = wanted[v];
          if (present[row * shape.views.length + view] === 0) continue;
          // One cell per column: a view of which no cell is there is absent, whatever else its family has.
          if (read.layout === 'cells' && !anyOf(values, row * shape.rowWidth, columns)) continue;
          into.writtenAtMs[k * wanted.length + v] = 0;
          for (const { from, to, width } of columns) {
            const start = row * shape.rowWidth + from;
            into.values.set(values.subarray(start, start + width), k * rowWidth + to);
          }
        }
      }
    },

    async close() {
      closed = true;
      reload?.close();
      tables.clear();
    },
  };
}

function anyOf(values: Numbers, base: number, columns: ViewCopy['columns']): boolean {
  for (const { from, width } of columns)
    for (let i = 0; i < width; i++) if (!Number.isNaN(values[base + from + i])) return true;
  return false;
}

function copyOf(table: string, shape: TableShape, wanted: ViewSpec): ViewCopy {
  const { family, columns } = wanted;
  const view = shape.views.findIndex((loaded) => cellsOf(loaded) === cellsOf(wanted));
  return {
    view,
    columns: columns.map(({ name, width, offset }) => {
      const loaded = shape.views[view]?.columns.find((column) => column.name === name && column.width === width);
      if (loaded === undefined) {
        throw new SluiceError(
          'invariant-broken',
          `column ${family}.${name} of table "${table}" was not loaded: not in \`reads\``,
        );
      }
      return { from: loaded.offset, to: offset, width };
    }),
  };
}

async function loadTable(file: string, shape: TableShape): Promise<LoadedTable> {
  const { rowWidth, views } = shape;
  const rows = new Map<string, number>();
  const exact = views.some(isExact);
  const slab = (length: number): Numbers => (exact ? new Float64Array(length) : new Float32Array(length));
  let values = slab(1024 * rowWidth);
  let present = new Uint8Array(1024 * views.length);
  for await (const row of featureRowsOf(file, shape)) {
    const key = row.key.toString('latin1');
    // Of two lines with one key the later counts, as a second write would.
    const at = rows.get(key) ?? rows.size;
    rows.set(key, at);
    if ((at + 1) * rowWidth > values.length) {
      const more = slab(values.length * 2);
      more.set(values);
      values = more;
      const marks = new Uint8Array(present.length * 2);
      marks.set(present);
      present = marks;
    }
    values.set(row.values, at * rowWidth);
    if (exact) roundFloats(values, at * rowWidth, views);
    present.set(row.present, at * views.length);
  }
  return { shape, rows, values, present };
}

/** Integers and text come back as they were written; floats as float32. */
export function isExact({ numbers }: ViewSpec): boolean {
  return numbers === 'int64-be' || numbers === 'text';
}

function roundFloats(values: Numbers, at: number, views: readonly ViewSpec[]): void {
  for (const view of views) {
    if (isExact(view)) continue;
    for (const { offset, width } of view.columns)
      for (let i = at + offset; i < at + offset + width; i++) values[i] = Math.fround(values[i]);
  }
}
