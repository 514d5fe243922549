import { decimalOf } from './fields.ts';
import { clashes } from './resolve.ts';
import type { AvroRecord, AvroType } from './schema.ts';

/**
 * Whether every value of one type, as bytes, is the same value of the other: what may be passed on as it lies. Names do not
 * matter, and neither do defaults; an enum may have further symbols behind, a union further branches, a decimal more digits.
 */
export function sameEncoding(
  from: AvroType,
  to: AvroType,
  open: ReadonlyMap<AvroRecord, AvroRecord> = new Map(),
): boolean {
  if (clashes(from, to)) return false;
  if (from.type === 'int') return to.type === 'int' || to.type === 'long';
  switch (to.type) {
    case 'bytes':
    case 'fixed': {
      if (from.type !== to.type || (from.type === 'fixed' && from.size !== (to as typeof from).size)) return false;
      const [own, other] = [decimalOf(from)?.precision, decimalOf(to)?.precision];
      return own === undefined || other === undefined ? own === other : own <= other;
    }
    case 'enum':
      return from.type === 'enum' && from.symbols.every((symbol, k) => to.symbols[k] === symbol);
    case 'array':
      return from.type === 'array' && sameEncoding(from.items, to.items, open);
    case 'map':
      return from.type === 'map' && sameEncoding(from.values, to.values, open);
    case 'union':
      return (
        from.type === 'union' &&
        from.branches.length <= to.branches.length &&
        from.branches.every((branch, k) => sameEncoding(branch, to.branches[k], open))
      );
    case 'record': {
      if (from.type !== 'record' || from.fields.length !== to.fields.length) return false;
      const known = open.get(from);
      if (known !== undefined) return known === to;
      const inside = new Map(open).set(from, to);
      return from.fields.every(
        ({ name, type }, k) => to.fields[k].name === name && sameEncoding(type, to.fields[k].type, inside),
      );
    }
    default:
      return from.type === to.type;
  }
}

/**
 * Where a value of a type goes in a field of another as it lies: index of the branch that has to be written in front, -1 where
 * none is; undefined: nowhere.
 */
export function rawBranch(from: AvroType, to: AvroType): number | undefined {
  if (sameEncoding(from, to)) return -1;
  if (to.type !== 'union' || from.type === 'union') return undefined;
  const index = to.branches.findIndex((branch) => sameEncoding(from, branch));
  return index < 0 ? undefined : index;
}
