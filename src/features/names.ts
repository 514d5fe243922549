import type { ColumnWant } from '../codecs/types.ts';
import type { ColumnSpec } from '../kernel/cells/views.ts';
import type { Names } from './check.ts';
import { type Block, type Index, indexSum } from './emit.ts';
import { BrokenName, type Expr, ExpressionError } from './syntax.ts';
import type { EventField, Scope, ViewRef } from './types.ts';
import type { Absence, MixedValue, NumericValue, StringValue, TextPlace, Value } from './value.ts';

/** Event columns that generated code reads, in order of first use: the slots of `frame.columns`. */
export class Wants {
  readonly list: ColumnWant[] = [];

  slot(field: string, kind: ColumnWant['kind'], width: number): number {
    const found = this.list.findIndex((want) => want.field === field && want.kind === kind && want.width === width);
    return found >= 0 ? found : this.list.push({ field, kind, width }) - 1;
  }
}

/** Names before the model: `event.FIELD`, `VIEW.COLUMN`, and the `let` names so far. */
export class InputNames implements Names {
  readonly lets = new Map<string, Value | undefined>();
  private readonly scope: Scope;
  private readonly wants: Wants;

  constructor(scope: Scope, wants: Wants) {
    this.scope = scope;
    this.wants = wants;
  }

  taken(name: string): boolean {
    return name === 'event' || name === 'prediction' || this.lets.has(name) || this.scope.views.has(name);
  }

  name(name: string): Value | undefined {
    if (this.lets.has(name)) return known(name, this.lets.get(name));
    const ref = this.scope.views.get(name);
    return ref === undefined ? undefined : { kind: 'view', name, ref };
  }

  member(object: string, name: string, at: number): Value | undefined {
    if (object !== 'event') {
      const ref = this.scope.views.get(object);
      const column = ref?.spec.columns.find((candidate) => candidate.name === name);
      return ref === undefined || column === undefined ? undefined : viewColumn(object, ref, column);
    }
    const field = this.scope.event.get(name);
    if (field === undefined) {
      const why = this.scope.event.why?.(name);
      if (why === undefined) return undefined;
      throw new ExpressionError(at, why.message, why.remedy);
    }
    if (field.kind === 'none') {
      const type = field.avroType ?? 'of another type';
      throw new ExpressionError(
        at,
        `event.${name} is ${type}, which expressions cannot read`,
        field.instead ?? INSTEAD,
      );
    }
    if (field.kind === 'vector' && field.width === 0) {
      throw new ExpressionError(at, `event.${name} is a vector of unknown width`, `write event.${name}[WIDTH]`);
    }
    return this.eventField(name, field, field.width);
  }

  /** `event.image[784]` gives the width of a vector if the schema does not. */
  indexed(of: Expr, width: number): Value | undefined {
    const field = of.kind === 'member' && of.object === 'event' ? this.scope.event.get(of.name) : undefined;
    if (of.kind !== 'member' || field?.kind !== 'vector') return undefined;
    if (!Number.isInteger(width) || width < 1 || width > MAX_EVENT_VECTOR) return undefined;
    return field.width === 0 || field.width === width ? this.eventField(of.name, field, width) : undefined;
  }

  known(): readonly string[] {
    const { event } = this.scope;
    const fields = [...event.keys()].filter((path) => event.get(path)?.kind !== 'none').map((path) => `event.${path}`);
    const columns = [...this.scope.views].flatMap(([view, { spec }]) =>
      spec.columns.map(({ name }) => `${view}.${name}`),
    );
    return [...this.lets.keys(), ...fields, ...columns];
  }

  makable(view: string, column: string): string {
    return this.scope.views.has(view) ? `; or add ${column} to the columns of view ${view} in the topology` : '';
  }

  private eventField(name: string, field: EventField, width: number): NumericValue | StringValue | MixedValue {
    if (field.kind === 'mixed') {
      const part = (kind: 'number' | 'string'): NumericValue | StringValue | undefined => {
        if (field.parts?.includes(kind) !== true) return undefined;
        return this.column(name, { kind, nullable: false, width: 1 }, 1);
      };
      return {
        kind: 'mixed',
        avroType: field.avroType ?? 'several types',
        number: part('number') as NumericValue | undefined,
        text: part('string') as StringValue | undefined,
      };
    }
    return this.column(name, field, width);
  }

  private column(name: string, field: EventField, width: number): NumericValue | StringValue {
    const missing = field.nullable ? [nullable(`event.${name}`)] : [];
    const kind = field.kind as 'number' | 'string' | 'vector';
    const slot = (): number => this.wants.slot(name, kind, kind === 'vector' ? width : 1);
    if (field.kind === 'string') {
      const place = ({ program, root }: Block): TextPlace => {
        const part = (of: string): string => program.hoist(`columns[${slot()}].${of}`);
        return { bytes: part('bytes'), start: root.bind(`${part('start')}[i]`), end: root.bind(`${part('end')}[i]`) };
      };
      return { kind: 'string', missing, place };
    }
    const values = (block: Block): string => block.program.hoist(`columns[${slot()}].values`);
    if (field.kind === 'number') {
      const { logicalType } = field;
      const counts = logicalType === undefined ? {} : { counts: { field: `event.${name}`, logicalType } };
      return { kind: 'number', width: 1, missing, stored: true, ...counts, code: (block) => `${values(block)}[i]` };
    }
    return {
      kind: 'vector',
      width,
      missing,
      stored: true,
      eventSlot: slot,
      code: (block, k) => `${values(block)}[${block.root.bind(`i * ${width}`)} + ${k}]`,
    };
  }
}

const INSTEAD =
  'expressions read numbers, text and lists of numbers: let the producer put what the model needs into such a field';

const MAX_EVENT_VECTOR = 1 << 20;

/** The value of an earlier line; throws BrokenName if that line has a finding. */
export function known(name: string, value: Value | undefined): Value {
  if (value === undefined) throw new BrokenName(name);
  return value;
}

function viewColumn(view: string, ref: ViewRef, column: ColumnSpec): NumericValue {
  const imputed = ref.onMissing === 'impute';
  const code = (block: Block, k: Index): string => {
    const { program, root } = block;
    const row = root.bind(`${program.hoist(`reads[${ref.read}].index`)}[i]`);
    const base = root.bind(`${row} * ${ref.rowWidth}`);
    const place = column.kind === 'number' ? column.offset : indexSum(column.offset, k);
    return `${program.hoist(`reads[${ref.read}].values`)}[${base} + ${place}]`;
  };
  const missing = imputed ? [notInStore(`${view}.${column.name}`)] : [];
  return { kind: column.kind, width: column.width, missing, stored: true, column: { view, name: column.name }, code };
}

function notInStore(what: string): Absence {
  return {
    what,
    severity: 'error',
    message: 'can be missing and has no ??',
    remedy: `write ${what} ?? DEFAULT`,
    lineIndex: 0,
    at: 0,
  };
}

function nullable(what: string): Absence {
  return {
    what,
    severity: 'warning',
    message: 'can be null and has no ??: such records are dead-lettered as feature-not-finite',
    remedy: `write ${what} ?? DEFAULT`,
    lineIndex: 0,
    at: 0,
  };
}
