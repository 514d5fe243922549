import {
  type Column,
  labelColumn,
  longColumn,
  numberColumn,
  rawColumn,
  stringColumn,
  vectorColumn,
} from '../kernel/columns.ts';
import type { ColumnShape } from './avro/output-plan.ts';

/**
 * A row function is bound for one frame and garbage after it. V8 keeps optimised code only while closures that run it are alive
 * (cause) → a garbage collection between two frames frees it, and later frames run in the interpreter until it is compiled
 * again (effect) → one more closure, over columns without entries, lives as long as the codec (guard).
 */
const kept = new WeakMap<object, unknown>();

export function keepCode<T extends object>(codec: T, closure: unknown): T {
  kept.set(codec, closure);
  return codec;
}

export function emptyColumn({ kind, width }: ColumnShape): Column {
  switch (kind) {
    case 'number':
      return numberColumn(0);
    case 'long':
      return longColumn(0);
    case 'string':
      return stringColumn(0);
    case 'label':
      return labelColumn(0, []);
    case 'raw':
      return rawColumn(0);
    case 'vector':
      return vectorColumn(0, width);
  }
}
