import { decimalOf } from './fields.ts';
import { clashes } from './resolve.ts';
import type { AvroRecord, AvroType } from './schema.ts';

/**
 * Whether every value of one type has the same bytes and meaning in the other, so that it can be passed on unchanged. Names and
 * defaults do not matter; the other's enum may have more symbols at its end, its union more branches, its decimal more digits.
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
 * How a value of a type goes unchanged into a field of another: the index of the branch to write before it, -1 if none is
 * needed; undefined: not possible.
 */
export function rawBranch(from: AvroType, to: AvroType): number | undefined {
  if (sameEncoding(from, to)) return -1;
  if (to.type !== 'union' || from.type === 'union') return undefined;
  const index = to.branches.findIndex((branch) => sameEncoding(from, branch));
  return index < 0 ? undefined : index;
}
