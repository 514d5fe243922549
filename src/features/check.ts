import { Call } from './functions/spec.ts';
import { FUNCTIONS, operatorSpec } from './functions/table.ts';
import { vectorOf } from './functions/vectors.ts';
import { didYouMean } from './nearest.ts';
import { BrokenName, type Expr, ExpressionError, parseExpression } from './syntax.ts';
import { NO_TRANSFORMS, type Transforms } from './transforms.ts';
import type { Finding, Line } from './types.ts';
import {
  type Absence,
  constantNumber,
  describe,
  isNumeric,
  type NumericValue,
  remembered,
  type TextsValue,
  type Value,
} from './value.ts';

/** What names mean to an expression. Each method returns undefined if it knows no such thing, or throws an ExpressionError. */
export interface Names {
  name(name: string): Value | undefined;
  member(object: string, name: string, at: number): Value | undefined;
  /** `of[index]`, where that means something other than an element of a vector. */
  indexed(of: Expr, index: number): Value | undefined;
  /** `output("name")`, for names that are not identifiers. */
  output?(name: string): Value | undefined;
  /** For the remedy: all known names. */
  known(): readonly string[];
  /** For the remedy: how to create a member that does not exist, as ` or …`. */
  makable?(object: string, name: string): string;
}

/** Types the expressions of one program, one after the other, and collects their findings. */
export class Checker {
  readonly findings: Finding[] = [];
  private readonly lines: Line[] = [];
  private readonly names: Names;
  private readonly transforms: Transforms;

  constructor(names: Names, transforms = NO_TRANSFORMS) {
    this.names = names;
    this.transforms = transforms;
  }

  get failed(): boolean {
    return this.findings.some((finding) => finding.severity === 'error');
  }

  /** The value of a line, or undefined after a finding. */
  check(line: Line): Value | undefined {
    const lineIndex = this.lines.push(line) - 1;
    try {
      return this.typed(parseExpression(line.expression), lineIndex);
    } catch (thrown) {
      if (thrown instanceof BrokenName) return undefined;
      if (!(thrown instanceof ExpressionError)) throw thrown;
      this.error(line, thrown.message, thrown.remedy, thrown.at);
      return undefined;
    }
  }

  error(line: Line, message: string, remedy: string, at = 0): void {
    this.add(line, 'error', message, remedy, at);
  }

  /** Reports, once for each place, that the value is used without `??`. */
  unhandled(value: NumericValue): void {
    for (const { lineIndex, at, severity, what, message, remedy } of value.missing) {
      this.add(this.lines[lineIndex], severity, `${what} ${message}`, remedy, at);
    }
  }

  /** Whether later lines may use the name; a name that is used twice, or already means something, is an error. */
  isNewName(line: Line, taken: (name: string) => boolean): boolean {
    const { name } = line;
    if (name === 'true' || name === 'false' || name === 'null' || name === 'this') {
      this.error(line, `${name} is a reserved word in expressions`, 'use another name');
      return false;
    }
    if (!/^[A-Za-z_$][\w$]*$/.test(name)) {
      this.error(line, `${JSON.stringify(name)} is not a valid name`, 'use letters, digits and _');
      return false;
    }
    if (!taken(name)) return true;
    this.error(line, `the name ${name} is taken`, 'use another name');
    return false;
  }

  private add(line: Line, severity: Finding['severity'], message: string, remedy: string, at: number): void {
    const column = line.column + at;
    const seen = this.findings.some(
      (other) => other.line === line.line && other.column === column && other.message === message,
    );
    if (!seen) this.findings.push({ severity, line: line.line, column, name: line.name, message, remedy });
  }

  private typed(expr: Expr, lineIndex: number): Value {
    const value = this.meaning(expr, lineIndex);
    // Otherwise a number used by many elements of a vector would be generated for each, and when nested, without bound.
    return value.kind === 'number' ? remembered(value) : value;
  }

  private meaning(expr: Expr, lineIndex: number): Value {
    switch (expr.kind) {
      case 'number':
        return constantNumber(expr.value);
      case 'text':
        return { kind: 'text', text: expr.value };
      case 'name': {
        const value = this.names.name(expr.name);
        if (value === undefined) throw this.unknown(expr.name, expr.at);
        return value;
      }
      case 'member': {
        const value = this.names.member(expr.object, expr.name, expr.at);
        if (value === undefined) {
          const makable = this.names.makable?.(expr.object, expr.name);
          throw this.unknown(`${expr.object}.${expr.name}`, expr.at, makable);
        }
        return placed(value, lineIndex, expr.at);
      }
      case 'list':
        return this.list(expr.items, lineIndex, expr.at);
      case 'index':
        return this.index(expr.of, expr.index, lineIndex, expr.at);
      case 'call': {
        if (expr.name === 'output' && this.names.output !== undefined) return this.output(expr.args, expr.at);
        const spec = FUNCTIONS.get(expr.name);
        if (spec === undefined) {
          throw absent(`function ${expr.name}`, expr.name, [...FUNCTIONS.keys()], expr.at);
        }
        return this.call(spec.name, expr.args, lineIndex, expr.at);
      }
      case 'unary': {
        if (expr.op === '-' && expr.of.kind === 'number') return constantNumber(-expr.of.value);
        return this.call(`u${expr.op}`, [expr.of], lineIndex, expr.at);
      }
      case 'binary':
        return this.call(expr.op, [expr.left, expr.right], lineIndex, expr.at);
      case 'choose':
        return this.call('?:', [expr.test, expr.yes, expr.no], lineIndex, expr.at);
    }
  }

  private call(name: string, args: readonly Expr[], lineIndex: number, at: number): Value {
    const spec = FUNCTIONS.get(name) ?? operatorSpec(name);
    const values = args.map((argument) => this.typed(argument, lineIndex));
    const places = args.map((argument) => argument.at);
    return spec.build(new Call(spec, values, places, at, lineIndex, this.transforms));
  }

  private output(args: readonly Expr[], at: number): Value {
    const [name] = args;
    if (args.length !== 1 || name.kind !== 'text') {
      throw new ExpressionError(at, 'output takes a name in quotes', 'write output("name")');
    }
    const value = this.names.output?.(name.value);
    if (value === undefined) throw this.unknown(`output ${JSON.stringify(name.value)}`, at);
    return value;
  }

  private index(of: Expr, index: Expr, lineIndex: number, at: number): Value {
    const own = index.kind === 'number' ? this.names.indexed(of, index.value) : undefined;
    if (own !== undefined) return placed(own, lineIndex, of.at);
    return this.call('at', [of, index], lineIndex, at);
  }

  private list(items: readonly Expr[], lineIndex: number, at: number): NumericValue | TextsValue {
    const [first] = items;
    if (first?.kind === 'text') return { kind: 'texts', texts: items.map(textOf) };
    const values = items.map((item) => {
      const value = this.typed(item, lineIndex);
      if (value.kind === 'number') return value;
      throw new ExpressionError(item.at, `an element of a vector is ${describe(value)}`, 'write numbers: [1, 2, 3]');
    });
    if (values.length === 0) throw new ExpressionError(at, 'a vector has no elements', 'write numbers: [1, 2, 3]');
    return vectorOf(values);
  }

  private unknown(name: string, at: number, makable = ''): ExpressionError {
    return absent(name, name, this.names.known(), at, makable);
  }
}

/** Most names that a remedy lists. */
const MOST_LISTED = 40;

function absent(what: string, word: string, known: readonly string[], at: number, makable = ''): ExpressionError {
  // `distance` for `event.distance`: the likeliest mistake, and not a typing error.
  const member = known.find((name) => name.endsWith(`.${word}`));
  const meant = member === undefined ? didYouMean(word, known) : `did you mean ${member}? `;
  const all =
    known.length > MOST_LISTED ? 'docs/reference/expressions.md lists them all' : `known are ${known.join(', ')}`;
  const remedy = `${meant}${all}${makable}`;
  return new ExpressionError(at, `there is no ${what}`, remedy);
}

function textOf(item: Expr): string {
  if (item.kind === 'text') return item.value;
  throw new ExpressionError(item.at, 'the list mixes texts with other values', 'write only texts: ["a", "b"]');
}

/** The same value, with its absences located at this use of it. */
function placed(value: Value, lineIndex: number, at: number): Value {
  if (value.kind !== 'string' && !isNumeric(value)) return value;
  const missing = value.missing.map((absence): Absence => ({ ...absence, lineIndex, at }));
  return { ...value, missing };
}
