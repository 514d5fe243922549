/**
 * Assembles the chunks of a ReadRows stream, and writes their numbers to their places.
 *
 * A row is applied only when the server commits it: a reset, a split cell or a broken stream leaves no trace.
 * If two cells of a family hold the same column, the newer one counts.
 */
import type { protos } from '@google-cloud/bigtable-api';
import { type CellPlan, type CellTarget, type FamilyPlan, placeCell } from '../../kernel/cells/feature-cells.ts';

type Chunk = protos.google.bigtable.v2.ReadRowsResponse.ICellChunk;

/** The rows of a read. Shared by its calls. */
export interface RowTarget extends CellTarget {
  readonly families: ReadonlyMap<string, FamilyPlan>;
  readonly keys: readonly Buffer[];
  /** Key → row, where they are not in the same order. */
  readonly rows?: readonly number[];
  /** When all cells of a row are from, where another cell says so; NaN: each is from when it was written. */
  readonly dateRow?: (plans: readonly CellPlan[], values: readonly Uint8Array[], cells: number) => number;
}

/** For one call, whose keys are a slice of the target's from `first`; rows come in the order of the keys. */
export class RowMerger {
  private readonly target: RowTarget;
  private row: number;
  private inRow = false;
  private family: FamilyPlan | undefined;
  private plan: CellPlan | null = null;
  private writtenAtMs = 0;
  /** Between the first part of a cell and its last. */
  private inCell = false;
  private parts: Uint8Array[] = [];
  private cellBytes = 0;
  /** Cells of the row, 0..cells. */
  private cells = 0;
  private readonly plans: CellPlan[] = [];
  private readonly times: number[] = [];
  private readonly values: Uint8Array[] = [];
  private readonly sizes: number[] = [];
  /** The row's key, while `inRow`. */
  private key: Uint8Array = Buffer.alloc(0);

  constructor(target: RowTarget, first: number) {
    this.target = target;
    this.row = first;
  }

  /** Throws Error when the stream breaks the protocol: then nothing after it can be believed. */
  add(chunks: readonly Chunk[]): void {
    for (const chunk of chunks) this.addChunk(chunk);
  }

  /** Throws when the stream ended inside a row. */
  end(): void {
    if (this.inRow) throw new Error('the stream ended inside a row');
  }

  private addChunk(chunk: Chunk): void {
    if (chunk.resetRow) {
      this.leaveRow();
      return;
    }
    const key = chunk.rowKey as Uint8Array;
    if (!this.inRow) {
      if (key.length === 0) throw new Error('a row came without a key');
      this.inRow = true;
      this.key = key;
    } else if (key.length > 0 && Buffer.compare(key, this.key) !== 0) {
      throw new Error('a row began before the one in front of it was committed');
    }
    if (!this.inCell) this.beginCell(chunk);
    this.takePart(chunk.value as Uint8Array);
    if (!chunk.valueSize) this.endCell();
    if (chunk.commitRow) this.commit();
  }

  private beginCell(chunk: Chunk): void {
    if (chunk.familyName) this.family = this.target.families.get(chunk.familyName.value as string);
    if (chunk.qualifier) this.plan = this.family?.cell((chunk.qualifier.value ?? NOTHING) as Buffer) ?? null;
    this.inCell = true;
    this.cellBytes = 0;
    const micros = chunk.timestampMicros as number | { toNumber(): number };
    this.writtenAtMs = (typeof micros === 'number' ? micros : micros.toNumber()) / 1000;
  }

  /** A cell may have a hundred megabytes: what is longer than its column is only counted. */
  private takePart(value: Uint8Array): void {
    this.cellBytes += value.length;
    const { plan } = this;
    if (plan !== null && this.cellBytes <= plan.maxBytes) this.parts.push(value);
    else this.parts = [];
  }

  private endCell(): void {
    const { parts } = this;
    this.inCell = false;
    this.parts = [];
    if (this.plan === null) return;
    const i = this.cells++;
    this.plans[i] = this.plan;
    this.times[i] = this.writtenAtMs;
    this.values[i] = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    this.sizes[i] = this.cellBytes;
  }

  private commit(): void {
    if (this.inCell) throw new Error('a row was committed inside a cell');
    const { keys } = this.target;
    while (this.row < keys.length && keys[this.row].compare(this.key) < 0) this.row++;
    if (this.row === keys.length || keys[this.row].compare(this.key) !== 0) {
      throw new Error('a row came that was not asked for, or out of order');
    }
    if (this.cells > 1) this.oldestFirst();
    const row = this.target.rows?.[this.row] ?? this.row;
    const at = this.target.dateRow?.(this.plans, this.values, this.cells) ?? Number.NaN;
    for (let i = 0; i < this.cells; i++) this.apply(i, row, at > 0 ? at : this.times[i]);
    this.row++;
    this.leaveRow();
  }

  private apply(i: number, row: number, writtenAtMs: number): void {
    placeCell(this.target, row, this.plans[i], this.values[i], this.sizes[i], writtenAtMs);
  }

  /** Insertion sort by time: rows have a few cells, as a rule in order already. */
  private oldestFirst(): void {
    const { plans, times, values, sizes } = this;
    for (let i = 1; i < this.cells; i++) {
      const plan = plans[i];
      const time = times[i];
      const value = values[i];
      const size = sizes[i];
      let at = i;
      for (; at > 0 && times[at - 1] > time; at--) {
        plans[at] = plans[at - 1];
        times[at] = times[at - 1];
        values[at] = values[at - 1];
        sizes[at] = sizes[at - 1];
      }
      plans[at] = plan;
      times[at] = time;
      values[at] = value;
      sizes[at] = size;
    }
  }

  private leaveRow(): void {
    this.inRow = false;
    this.inCell = false;
    this.family = undefined;
    this.plan = null;
    this.parts = [];
    this.cells = 0;
  }
}

const NOTHING = Buffer.alloc(0);
