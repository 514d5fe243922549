import { type Block, type Index, numberCode } from './emit.ts';
import type { ViewRef } from './types.ts';

/**
 * What an expression means once names and types are resolved: its kind, when it can be missing, and how its code is generated.
 * Numbers are float64, missing is NaN, booleans are 0 and 1.
 */
export type Value = NumericValue | TextValue | TextsValue | StringValue | LabelValue | ViewValue | MixedValue;

/** A way in which a value can be missing: an expression that uses it must say `??`, or there is a finding. */
export interface Absence {
  /** The cause: `route.late_share`, `at(…)`. */
  readonly what: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly remedy: string;
  /** Its place: index of the line among all lines of the program, and character in the line. */
  readonly lineIndex: number;
  readonly at: number;
}

/** A number, or a vector of numbers: `code` gives element k. For a number k is ignored. */
export interface NumericValue {
  readonly kind: 'number' | 'vector';
  readonly width: number;
  readonly missing: readonly Absence[];
  /** Known at compile time. */
  readonly constant?: number;
  /** For a vector: all elements, known at compile time. */
  readonly constants?: readonly number[];
  /** Elements are read, not computed: they need not be stored to be read twice. */
  readonly stored: boolean;
  /** For a vector that is an event column: its slot; asking makes the column wanted. */
  readonly eventSlot?: () => number;
  /** The event field that it is, if its type gives a unit: `timestamp-micros`. */
  readonly counts?: { readonly field: string; readonly logicalType: string };
  /** The store column that it is, for messages. */
  readonly column?: { readonly view: string; readonly name: string };
  code(block: Block, k: Index): string;
}

/** A string constant. */
export interface TextValue {
  readonly kind: 'text';
  readonly text: string;
}

/** A list of string constants, in which a text is looked up. */
export interface TextsValue {
  readonly kind: 'texts';
  readonly texts: readonly string[];
}

/** A text of the record: a column of the event, or a part of one. It is never made into a string. */
export interface StringValue {
  readonly kind: 'string';
  readonly missing: readonly Absence[];
  /** Where its bytes are; asking makes the column wanted. */
  place(root: Block): TextPlace;
}

/** Atoms: `bytes[start .. end)` is the text as UTF-8; a start below 0 is a text that is missing. */
export interface TextPlace {
  readonly bytes: string;
  readonly start: string;
  readonly end: string;
}

/** One of a fixed list of strings, as its index; -1 if missing. */
export interface LabelValue {
  readonly kind: 'label';
  readonly labels: readonly string[];
  readonly missing: readonly Absence[];
  code(block: Block): string;
}

/** A union of the event: number(…) and text(…) take the branches of their kind; values of other branches are missing. */
export interface MixedValue {
  readonly kind: 'mixed';
  readonly avroType: string;
  readonly number: NumericValue | undefined;
  readonly text: StringValue | undefined;
}

export interface ViewValue {
  readonly kind: 'view';
  readonly name: string;
  readonly ref: ViewRef;
}

export function isNumeric(value: Value): value is NumericValue {
  return value.kind === 'number' || value.kind === 'vector';
}

export function describe(value: Value): string {
  switch (value.kind) {
    case 'number':
      return 'a number';
    case 'vector':
      return `a vector of ${value.width}`;
    case 'text':
    case 'string':
      return 'text';
    case 'texts':
      return 'a list of texts';
    case 'label':
      return 'a label';
    case 'view':
      return `the view ${value.name}`;
    case 'mixed':
      return `a union (${value.avroType})`;
  }
}

export function constantNumber(value: number): NumericValue {
  return { kind: 'number', width: 1, missing: [], constant: value, stored: true, code: () => numberCode(value) };
}

/** A number computed by `code` from the record alone. */
export function scalar(missing: readonly Absence[], code: (block: Block) => string): NumericValue {
  return { kind: 'number', width: 1, missing, stored: false, code: (block) => code(block.root) };
}

export function vector(
  width: number,
  missing: readonly Absence[],
  code: (block: Block, k: Index) => string,
): NumericValue {
  return { kind: 'vector', width, missing, stored: false, code };
}

/** The atom with element k of a vector, or with the number; numbers do not depend on k, so they are bound outside loops. */
export function read(value: NumericValue, block: Block, k: Index): string {
  return value.kind === 'number' ? block.root.bind(value.code(block.root, 0)) : block.bind(value.code(block, k));
}

/** The same value, computed at most once for each record, however often it is used. */
export function remembered(value: NumericValue): NumericValue {
  if (value.constant !== undefined || value.stored) return value;
  let atom: string | undefined;
  if (value.kind === 'number') {
    const code = (block: Block): string => {
      atom ??= block.root.bind(value.code(block.root, 0));
      return atom;
    };
    return { ...value, code };
  }
  return {
    ...value,
    stored: true,
    code: (block, k) => {
      if (atom === undefined) {
        const room = block.program.scratch(value.width);
        block.root.each(value.width, (inner, j) => inner.push(`${room}[${j}] = ${value.code(inner, j)};`));
        atom = room;
      }
      return `${atom}[${k}]`;
    },
  };
}

export function union(...lists: (readonly Absence[])[]): readonly Absence[] {
  const all = lists.flat();
  return all.length < 2 ? all : [...new Set(all)];
}
