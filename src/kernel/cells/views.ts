/** Where features are read from. */
export type StoreName = 'bigtable' | 'redis' | 'file';

/** How feature rows are stored: `packed`, one cell per view; `cells`, one cell per column; `feast`, as Feast writes them. */
export type Layout = 'packed' | 'cells' | 'feast';

/** The content of a cell with one column, for layout `cells`. Floats have 4 or 8 bytes each, by the cell's length. */
export const NUMBER_ENCODINGS = ['float-le', 'float-be', 'int64-be', 'text'] as const;
export type NumberEncoding = (typeof NUMBER_ENCODINGS)[number];

/** The only column family of Feast's online store. */
export const FEAST_FAMILY = 'features';

export const JOIN_KEY_TYPES = ['string', 'int32', 'int64'] as const;
export type JoinKeyType = (typeof JOIN_KEY_TYPES)[number];

/** From what Feast makes the name of a row. */
export interface FeastEntity {
  /** In the order in which a key has their values, with `separator` between. */
  readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[];
  /** One character. */
  readonly separator: string;
  /** `entity_key_serialization_version` of the feature repository. */
  readonly keyVersion: 2 | 3;
}

/** Columns of one row that are read together; in Bigtable a column family. */
export interface ViewSpec {
  /** Name in the topology: what expressions say. */
  readonly name: string;
  readonly family: string;
  /** With layout `cells`; float-le where it is not said. */
  readonly numbers?: NumberEncoding;
  readonly columns: readonly ColumnSpec[];
}

export interface ColumnSpec {
  readonly name: string;
  readonly kind: 'number' | 'vector';
  /** 1 for a number, n for a vector column `name[n]` (which may be 1). */
  readonly width: number;
  /** Position of its first number within the row. */
  readonly offset: number;
}
