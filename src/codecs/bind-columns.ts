import type { Column } from '../kernel/columns.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { ColumnWant } from './types.ts';

/** Checks that columns are those a decoder was compiled for, and gives string columns without bytes the arena. */
export function bindColumns(arena: Buffer, wants: readonly ColumnWant[], columns: readonly Column[]): void {
  for (const [slot, want] of wants.entries()) {
    const column = columns[slot];
    if (column?.kind !== want.kind || (column.kind === 'vector' && column.width !== want.width)) {
      throw new SluiceError(
        'invariant-broken',
        `field "${want.field}" was wanted as a ${want.kind} (width ${want.width}) but is bound to a ${column?.kind ?? 'nothing'}`,
      );
    }
    if (column.kind === 'string' && column.bytes.length === 0) column.bytes = arena;
  }
}
