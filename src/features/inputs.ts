import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide } from '../kernel/frame.ts';
import { assemble, indent } from './assemble.ts';
import { Checker } from './check.ts';
import { DTYPES } from './dtypes.ts';
import { Block, indexSum, Program } from './emit.ts';
import { emitPassed, emitWhole, FLOAT32_RUNTIME, passedSlot } from './float32-vectors.ts';
import { InputNames, Wants } from './names.ts';
import type { Transforms } from './transforms.ts';
import type { Compiled, CompiledInputs, InputProgram, Line, RowFiller, Scope } from './types.ts';
import { describe, isNumeric, type NumericValue, remembered } from './value.ts';

/** Most values in a row of one input. */
const MAX_ROW_WIDTH = 1 << 20;

export interface InputsSpec {
  readonly let: readonly Line[];
  readonly inputs: readonly InputProgram[];
  readonly scope: Scope;
  readonly transforms?: Transforms;
}

/** Compiles a bundle's preprocessing: all inputs and the values that they share, as one function over a frame. */
export function compileInputs(spec: InputsSpec): Compiled<CompiledInputs> {
  const wants = new Wants();
  const names = new InputNames(spec.scope, wants);
  const checker = new Checker(names, spec.transforms);
  for (const line of spec.let) {
    const value = checker.check(line);
    if (!checker.isNewName(line, (name) => names.taken(name))) continue;
    names.lets.set(line.name, value !== undefined && isNumeric(value) ? remembered(value) : value);
  }
  const typed = spec.inputs.map((input) => typeInput(checker, input));
  const { findings } = checker;
  if (checker.failed) return { ok: false, findings };

  const program = new Program();
  const body = new Block(program);
  for (const [k, lines] of typed.entries()) emitInput(body, spec.inputs[k], k, lines);
  const slabs = typed.flatMap((lines, k) => declareSlab(program, spec.inputs[k], k, lines));
  const source = assemble(program, [
    'return function fill(frame, lent) {',
    '  const { count, fate, columns, reads } = frame;',
    ...indent(program.frame, 1),
    ...indent(slabs, 1),
    '  const recordOf = lent === undefined ? new Int32Array(count) : lent.recordOf;',
    '  let rows = 0;',
    '  for (let i = 0; i < count; i++) {',
    `    if (fate[i] !== ${OPEN}) continue;`,
    '    let bad = 0;',
    ...indent(body.lines, 2),
    '    if (bad < 0) notFinite(frame, i);',
    '    else recordOf[rows++] = i;',
    '  }',
    `  frame.inputs = [${typed.map((lines, k) => finishedSlab(program, spec.inputs[k], k, lines)).join(', ')}];`,
    '  frame.recordOf = recordOf;',
    '  frame.rows = rows;',
    '};',
  ]);
  const compiled: CompiledInputs = {
    wants: wants.list,
    widths: typed.map(widthOf),
    columnNames: typed.map((lines) => lines.flatMap(({ line, value }) => columnNames(line.name, value))),
    fill: source.evaluate({ notFinite, ...FLOAT32_RUNTIME }) as RowFiller,
    source: source.text,
  };
  return { ok: true, program: compiled, findings };
}

const NOT_FINITE = reasonCode('feature-not-finite');

function notFinite(frame: Parameters<typeof decide>[0], i: number): void {
  decide(frame, i, DEAD_LETTERED, NOT_FINITE);
}

interface TypedLine {
  readonly line: Line;
  readonly value: NumericValue;
}

function typeInput(checker: Checker, input: InputProgram): readonly TypedLine[] {
  const typed: TypedLine[] = [];
  const seen = new Set<string>();
  for (const line of input.lines) {
    const value = checker.check(line);
    if (seen.has(line.name)) checker.error(line, `two lines are named ${line.name}`, 'use another name');
    seen.add(line.name);
    if (value === undefined) continue;
    if (!isNumeric(value)) {
      const remedy =
        value.kind === 'mixed'
          ? `write number(…) ?? DEFAULT: number(…) and text(…) take the values of their type from a union`
          : 'compare text with ==, turn views into columns, use labels in predictions';
      checker.error(line, `an input takes numbers, not ${describe(value)}`, remedy);
      continue;
    }
    checker.unhandled(value);
    typed.push({ line, value });
    if (widthOf(typed) > MAX_ROW_WIDTH) {
      checker.error(line, `the row is wider than ${MAX_ROW_WIDTH}`, 'use fewer or narrower vectors');
      return typed;
    }
  }
  return typed;
}

function emitInput(body: Block, input: InputProgram, k: number, lines: readonly TypedLine[]): void {
  const dtype = DTYPES[input.dtype];
  const row = body.bind(`rows * ${widthOf(lines)}`);
  let offset = 0;
  for (const { line, value } of lines) {
    body.comment(`${line.name}: ${line.expression}`);
    const first = offset;
    const elementwise = (): void =>
      body.each(value.width, (block, j) => {
        dtype.store(block, `s${k}`, `w${k}`, `${row} + ${indexSum(first, j)}`, value.code(block, j));
      });
    const slot = passedSlot(value, input.dtype);
    if (slot === undefined) elementwise();
    else if (lines.length === 1) emitWhole(body, { slot, width: value.width }, elementwise);
    else emitPassed(body, { slot, width: value.width }, k, `${row} + ${first}`, elementwise);
    offset += value.width;
  }
}

/** The slot of a vector that is an input's whole row, see float32-vectors.ts. */
function wholeSlot(input: InputProgram, lines: readonly TypedLine[]): number | undefined {
  return lines.length === 1 ? passedSlot(lines[0].value, input.dtype) : undefined;
}

function declareSlab(program: Program, input: InputProgram, k: number, typed: readonly TypedLine[]): string[] {
  const { slab, words } = DTYPES[input.dtype];
  const lines = [`const m${k} = () => lent === undefined ? new ${slab}(count * ${widthOf(typed)}) : lent.slab(${k});`];
  const whole = wholeSlot(input, typed);
  // If the column is the slab, nothing is written to it, so its words are never used.
  const isColumn = whole === undefined ? '' : `${program.hoist(`float32Values(columns[${whole}])`)} !== undefined`;
  lines.push(`const s${k} = ${whole === undefined ? `m${k}()` : `${isColumn} ? columns[${whole}].values : m${k}()`};`);
  if (words) lines.push(`const w${k} = new Int32Array(s${k}.buffer, s${k}.byteOffset);`);
  const passes = whole === undefined && typed.some(({ value }) => passedSlot(value, input.dtype) !== undefined);
  if (passes) lines.push(`const b${k} = slabBytes(s${k});`);
  return lines;
}

/** The expression for the finished slab. */
function finishedSlab(program: Program, input: InputProgram, k: number, typed: readonly TypedLine[]): string {
  const whole = wholeSlot(input, typed);
  if (whole === undefined) return `s${k}`;
  const values = program.hoist(`float32Values(columns[${whole}])`);
  return `${values} === undefined ? s${k} : slabOf(columns[${whole}], count, recordOf, rows, m${k})`;
}

function widthOf(lines: readonly TypedLine[]): number {
  return lines.reduce((sum, { value }) => sum + value.width, 0);
}

function columnNames(name: string, value: NumericValue): string[] {
  return value.kind === 'number' ? [name] : Array.from({ length: value.width }, (_, j) => `${name}[${j}]`);
}
