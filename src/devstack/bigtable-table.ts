/**
 * One Bigtable table in memory, with the mutations and filters that Sluice's client uses; others are refused.
 * Keys and qualifiers are latin1 strings, one char per byte, so that string order is byte order. Old cells stay until `dropBefore`.
 */
export interface Cell {
  readonly family: string;
  readonly qualifier: string;
  readonly timestampMicros: number;
  readonly value: Buffer;
}

export interface Mutation {
  readonly setCell?: Omit<Cell, 'family' | 'qualifier'> & { familyName: string; columnQualifier: Buffer };
}

export interface RowFilter {
  /** The filter that was refused. */
  readonly filter?: string;
  readonly blockAllFilter?: boolean;
  readonly chain?: { readonly filters: readonly RowFilter[] };
  readonly familyNameRegexFilter?: string;
  readonly columnQualifierRegexFilter?: Buffer;
  readonly cellsPerColumnLimitFilter?: number;
}

export class Table {
  readonly families: Record<string, object>;
  /** Key → cells, ordered by family and qualifier, newest first. */
  readonly #rows = new Map<string, readonly Cell[]>();

  constructor(families: Readonly<Record<string, object>>) {
    this.families = { ...families };
  }

  /** Applies all mutations or none; returns what is wrong. */
  mutate(rowKey: Buffer, mutations: readonly Mutation[]): string | undefined {
    const key = rowKey.toString('latin1');
    let cells = this.#rows.get(key) ?? [];
    for (const { setCell } of mutations) {
      if (!setCell) return 'this look-alike has setCell only';
      const { familyName: family, columnQualifier: name, timestampMicros, value } = setCell;
      if (!Object.hasOwn(this.families, family)) return `unknown family "${family}"`;
      if (timestampMicros < 0 || timestampMicros % 1000 !== 0) return `invalid timestamp ${timestampMicros}`;
      // The value is a view of the request, which would otherwise live as long as this cell.
      const cell = { family, qualifier: name.toString('latin1'), timestampMicros, value: Buffer.from(value) };
      cells = [...cells.filter((old) => compare(old, cell) !== 0), cell].sort(compare);
    }
    this.#rows.set(key, cells);
  }

  /** Removes cells written before a time. */
  dropBefore(timestampMicros: number): void {
    for (const [key, cells] of this.#rows) {
      const left = cells.filter((cell) => cell.timestampMicros >= timestampMicros);
      if (left.length === 0) this.#rows.delete(key);
      else this.#rows.set(key, left);
    }
  }

  /** Existing rows among those requested, or all rows if none is, with the cells that pass. Throws for an invalid or unknown filter. */
  read(rowKeys: readonly Buffer[], filter: RowFilter | null): { key: string; cells: readonly Cell[] }[] {
    const predicates = compile(filter);
    const keys = rowKeys.length === 0 ? this.#rows.keys() : new Set(rowKeys.map((key) => key.toString('latin1')));
    const passing = (key: string): readonly Cell[] =>
      predicates.reduce((kept, predicate) => kept.filter(predicate), this.#rows.get(key) ?? []);
    const rows = [...keys].sort().map((key) => ({ key, cells: passing(key) }));
    return rows.filter(({ cells }) => cells.length > 0);
  }
}

function compare(a: Cell, b: Cell): number {
  if (sameColumn(a, b)) return b.timestampMicros - a.timestampMicros;
  return a.family < b.family || (a.family === b.family && a.qualifier < b.qualifier) ? -1 : 1;
}

type Predicate = (cell: Cell, index: number, cells: readonly Cell[]) => boolean;

/** The predicates that a cell must pass, in order. */
function compile(filter: RowFilter | null): Predicate[] {
  if (filter?.filter === undefined) return [];
  if (filter.blockAllFilter) return [() => false];
  const { chain, familyNameRegexFilter, columnQualifierRegexFilter, cellsPerColumnLimitFilter: limit } = filter;
  if (chain) return chain.filters.flatMap(compile);
  if (limit !== undefined) return [(cell, i, cells) => !sameColumn(cells[i - limit], cell)];
  const regex = familyNameRegexFilter ?? columnQualifierRegexFilter?.toString('latin1');
  if (regex === undefined) throw new Error(`this look-alike has no ${filter.filter}`);
  const pattern = new RegExp(`^(?:${regex})$`);
  return [({ family, qualifier }) => pattern.test(familyNameRegexFilter === undefined ? qualifier : family)];
}

export function sameColumn(a: Cell | undefined, b: Cell): boolean {
  return a?.family === b.family && a.qualifier === b.qualifier;
}
