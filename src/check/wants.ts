import type { AvroType } from '../codecs/avro/schema.ts';
import type { ColumnWant } from '../codecs/types.ts';

/** The event columns that some part needs, each once, in the order first asked for: what decode must deliver. */
export interface WantList {
  readonly wants: readonly ColumnWant[];
  /** The slot of a column, which is added if nobody has asked for it yet. */
  slotOf(field: string, kind: ColumnWant['kind'], width?: number): number;
  /** As slotOf, for a whole value. */
  rawSlotOf(field: string, type: AvroType): number;
}

/** The wants in `first` keep their slots. */
export function createWantList(first: readonly ColumnWant[]): WantList {
  const wants = [...first];
  return {
    wants,
    slotOf(field, kind, width = 1) {
      const known = wants.findIndex((want) => want.field === field && want.kind === kind && want.width === width);
      return known >= 0 ? known : wants.push({ field, kind, width }) - 1;
    },
    rawSlotOf(field, type) {
      const known = wants.findIndex((want) => want.field === field && want.kind === 'raw');
      return known >= 0 ? known : wants.push({ field, kind: 'raw', width: 1, type }) - 1;
    },
  };
}
