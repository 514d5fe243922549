/**
 * One Bigtable table in memory, with the filters that Sluice's client asks for.
 * Keys and qualifiers are latin1 strings, one char a byte, so that string order is byte order. Old cells stay for ever.
 */
export interface Cell {
  readonly family: string;
  readonly qualifier: string;
  readonly timestampMicros: number;
  readonly value: Buffer;
}

export interface Table {
  readonly families: Map<string, object>;
  /** Key → cells, ordered by family and qualifier, and from new to old. */
  readonly rows: Map<string, Cell[]>;
}

export interface Mutation {
  readonly setCell?: Omit<Cell, 'family' | 'qualifier'> & { familyName: string; columnQualifier: Buffer };
  readonly deleteFromRow?: object;
}

export interface RowFilter {
  /** Which one it is. */
  readonly filter?: string;
  readonly chain?: { readonly filters: readonly RowFilter[] };
  readonly familyNameRegexFilter?: string;
  readonly columnQualifierRegexFilter?: Buffer;
  readonly cellsPerColumnLimitFilter?: number;
}

export interface RowSet {
  readonly rowKeys: readonly Buffer[];
  readonly rowRanges: readonly Partial<
    Record<'startKeyClosed' | 'startKeyOpen' | 'endKeyClosed' | 'endKeyOpen', Buffer>
  >[];
}

/** Applies all or nothing; returns what is wrong. */
export function mutate(table: Table, key: Buffer, mutations: readonly Mutation[], nowMs?: number): string | undefined {
  for (const { setCell, deleteFromRow } of mutations) {
    if (!setCell && !deleteFromRow) return 'this look-alike has setCell and deleteFromRow only';
    if (setCell && !table.families.has(setCell.familyName)) return `unknown family "${setCell.familyName}"`;
    if (setCell?.timestampMicros === -1 && nowMs === undefined) return 'a cell without a time, and no clock here';
    if (setCell && setCell.timestampMicros !== -1 && setCell.timestampMicros % 1000 !== 0) {
      return `invalid timestamp ${setCell.timestampMicros}`;
    }
  }
  let cells = table.rows.get(key.toString('latin1')) ?? [];
  for (const { setCell } of mutations) {
    if (!setCell) {
      cells = [];
      continue;
    }
    const cell: Cell = {
      family: setCell.familyName,
      qualifier: setCell.columnQualifier.toString('latin1'),
      timestampMicros: setCell.timestampMicros === -1 ? Math.floor(nowMs ?? 0) * 1000 : setCell.timestampMicros,
      value: Buffer.from(setCell.value), // a slice of the request, which would otherwise live as long as this cell
    };
    cells = [...cells.filter((old) => compare(old, cell) !== 0), cell].sort(compare);
  }
  if (cells.length > 0) table.rows.set(key.toString('latin1'), cells);
  else table.rows.delete(key.toString('latin1'));
  return undefined;
}

function compare(a: Cell, b: Cell): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  if (a.qualifier !== b.qualifier) return a.qualifier < b.qualifier ? -1 : 1;
  return b.timestampMicros - a.timestampMicros;
}

/** Rows asked for, in order and once each; without keys and ranges, as in Bigtable, the whole table. */
export function selectKeys(table: Table, set: RowSet | null): string[] {
  const keys = new Set(set?.rowKeys.map((key) => key.toString('latin1')));
  const ranges = (set?.rowRanges ?? []).map((range) => (key: string) => {
    if (range.startKeyClosed && key < range.startKeyClosed.toString('latin1')) return false;
    if (range.startKeyOpen && key <= range.startKeyOpen.toString('latin1')) return false;
    if (range.endKeyClosed?.length && key > range.endKeyClosed.toString('latin1')) return false;
    return !(range.endKeyOpen?.length && key >= range.endKeyOpen.toString('latin1'));
  });
  if (ranges.length === 0 && keys.size > 0) return [...keys].filter((key) => table.rows.has(key)).sort();
  const all = [...table.rows.keys()].sort();
  return ranges.length === 0 ? all : all.filter((key) => keys.has(key) || ranges.some((within) => within(key)));
}

/** Throws Error for a filter that is not valid or not here. */
export function compileFilter(filter: RowFilter | null): (cells: Cell[]) => Cell[] {
  switch (filter?.filter) {
    case undefined:
    case 'passAllFilter':
      return (cells) => cells;
    case 'blockAllFilter':
      return () => [];
    case 'chain': {
      const steps = filter!.chain!.filters.map(compileFilter);
      return (cells) => steps.reduce((kept, step) => step(kept), cells);
    }
    case 'familyNameRegexFilter': {
      const pattern = new RegExp(`^(?:${filter!.familyNameRegexFilter})$`);
      return (cells) => cells.filter((cell) => pattern.test(cell.family));
    }
    case 'columnQualifierRegexFilter': {
      const pattern = new RegExp(`^(?:${filter!.columnQualifierRegexFilter!.toString('latin1')})$`);
      return (cells) => cells.filter((cell) => pattern.test(cell.qualifier));
    }
    case 'cellsPerColumnLimitFilter': {
      const limit = filter!.cellsPerColumnLimitFilter!;
      return (cells) =>
        cells.filter((cell, i) => {
          const newer = cells[i - limit];
          return newer?.family !== cell.family || newer.qualifier !== cell.qualifier;
        });
    }
    default:
      throw new Error(`this look-alike has no ${filter?.filter}`);
  }
}
