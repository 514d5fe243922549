import jsep from 'jsep';
import { type Node, pathInEvent } from './event-path.ts';

/**
 * Text → syntax tree. Operators, calls and members follow JavaScript's grammar, as read by the library jsep;
 * everything that is not in `Expr` is refused here, so later steps never see it.
 *
 * Promise: for any text, it returns or throws an ExpressionError; time and stack are bounded by the limits below.
 * `??` has JavaScript's precedence, below comparison, and mixes with `||` and `&&` only in parentheses.
 */
export const MAX_EXPRESSION_CHARS = 65_536;
export const MAX_EXPRESSION_DEPTH = 64;

export type BinaryOp = '+' | '-' | '*' | '/' | '%' | '<' | '<=' | '>' | '>=' | '==' | '!=' | '&&' | '||' | '??';
export type UnaryOp = '-' | '+' | '!';

/** `at` is the 0-based character of the text at which the node begins. */
export type Expr = { readonly at: number } & (
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'name'; readonly name: string }
  /** For `event` the name may be a path, `customer.age`. */
  | { readonly kind: 'member'; readonly object: string; readonly name: string }
  | { readonly kind: 'index'; readonly of: Expr; readonly index: Expr }
  | { readonly kind: 'list'; readonly items: readonly Expr[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expr[] }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly of: Expr }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'choose'; readonly test: Expr; readonly yes: Expr; readonly no: Expr }
);

/** An expression with a mistake at a place; becomes a Finding. */
export class ExpressionError extends Error {
  readonly at: number;
  readonly remedy: string;

  constructor(at: number, message: string, remedy: string) {
    super(message);
    this.name = 'ExpressionError';
    this.at = at;
    this.remedy = remedy;
  }
}

/** The use of a name whose own line already has a finding: not reported again. */
export class BrokenName extends ExpressionError {
  constructor(name: string) {
    super(0, `${name} is broken`, `correct ${name}`);
  }
}

export function parseExpression(text: string): Expr {
  if (text.length > MAX_EXPRESSION_CHARS) {
    throw new ExpressionError(
      0,
      `the expression has ${text.length} characters, more than ${MAX_EXPRESSION_CHARS}`,
      'split it with let',
    );
  }
  if (text.trim() === '') throw new ExpressionError(0, 'the expression is empty', 'write an expression');
  const parser = new PositionedParser(text);
  let tree: Node;
  try {
    tree = parser.parse();
  } catch (thrown) {
    if (thrown instanceof ExpressionError) throw thrown;
    const { description, index } = thrown as { description?: string; index?: number };
    throw new ExpressionError(
      index ?? 0,
      `syntax: ${description ?? String(thrown)}`,
      otherLanguage(text, index ?? 0) ??
        'complete the expression at this place; docs/reference/expressions.md shows each form',
    );
  }
  return toExpr(tree, 1);
}

const OTHER_LANGUAGES: readonly (readonly [RegExp, string])[] = [
  [/^=(?!=)/, 'write == to compare; a value gets a name under let'],
  [/^(and|or)\b/i, 'write && for and, || for or, ! for not'],
  [/^if\b/i, 'write test ? x : y'],
];

/** The remedy for syntax of Python, SQL or spreadsheets at this place. */
function otherLanguage(text: string, at: number): string | undefined {
  if (/\bnot\s+$/i.test(text.slice(0, at))) return 'write !x for not x';
  return OTHER_LANGUAGES.find(([words]) => words.test(text.slice(at)))?.[1];
}

/** The overridden part of the library's class, which its type declarations omit. */
interface JsepInstance {
  readonly expr: string;
  index: number;
  parse(): Node;
  gobbleSpaces(): void;
  gobbleExpression(): Node | undefined;
  gobbleExpressions(untilICode?: number): Node[];
  gobbleArguments(termination: number): Node[];
  gobbleToken(): Node | undefined;
  gobbleGroup(): Node;
  throwError(message: string): never;
}

const Jsep = (jsep as unknown as { Jsep: new (text: string) => JsepInstance }).Jsep;

const COMMA = 44;

/**
 * The library's parser with three additions: where each token begins, which nodes were in parentheses, and a depth limit.
 * It is also stricter: the library accepts `f(a b)`, `a;` and `(a, b)`.
 */
class PositionedParser extends Jsep {
  private depth = 0;

  override gobbleToken(): Node | undefined {
    this.gobbleSpaces();
    const start = this.index;
    this.descend();
    const node = super.gobbleToken();
    this.depth--;
    if (node) node.start ??= start;
    return node;
  }

  override gobbleExpression(): Node | undefined {
    this.gobbleSpaces();
    const start = this.index;
    this.descend();
    const node = super.gobbleExpression();
    this.depth--;
    if (node) node.start ??= start;
    return node;
  }

  override gobbleGroup(): Node {
    const node = super.gobbleGroup();
    if (node) node.grouped = true;
    return node;
  }

  override gobbleExpressions(untilICode?: number): Node[] {
    const node = this.gobbleExpression();
    if (!node) this.throwError(this.index < this.expr.length ? `unexpected ${this.shown()}` : 'unexpected end');
    if (this.index < this.expr.length && this.expr.charCodeAt(this.index) !== untilICode) {
      this.throwError(`unexpected ${this.shown()}`);
    }
    return [node];
  }

  override gobbleArguments(termination: number): Node[] {
    const list: Node[] = [];
    this.gobbleSpaces();
    if (this.expr.charCodeAt(this.index) === termination) {
      this.index++;
      return list;
    }
    for (;;) {
      const node = this.gobbleExpression();
      if (!node) this.throwError(`expected a value, not ${this.shown()}`);
      list.push(node);
      const code = this.expr.charCodeAt(this.index);
      if (code !== COMMA && code !== termination) {
        this.throwError(`expected , or ${String.fromCharCode(termination)}, not ${this.shown()}`);
      }
      this.index++;
      if (code === termination) return list;
    }
  }

  private shown(): string {
    return this.index < this.expr.length ? JSON.stringify(this.expr.charAt(this.index)) : 'the end';
  }

  // Deeply nested text → the recursive parser exhausts the stack → a depth limit.
  private descend(): void {
    if (++this.depth > 2 * MAX_EXPRESSION_DEPTH) throw tooDeep(this.index);
  }
}

const BINARY: ReadonlySet<string> = new Set<BinaryOp>([
  ...(['+', '-', '*', '/', '%', '<', '<=', '>', '>=', '==', '!='] as const),
  ...(['&&', '||', '??'] as const),
]);
const UNARY: ReadonlySet<string> = new Set<UnaryOp>(['-', '+', '!']);
const INSTEAD: Readonly<Record<string, string>> = { '===': 'write ==', '!==': 'write !=', '**': 'write pow(x, y)' };

function toExpr(node: Node, depth: number): Expr {
  const at = startOf(node);
  if (depth > MAX_EXPRESSION_DEPTH) throw tooDeep(at);
  const child = (key: string): Expr => toExpr(node[key] as Node, depth + 1);
  switch (node.type) {
    case 'Literal':
      return literal(node, at);
    case 'Identifier':
      return { kind: 'name', at, name: node.name as string };
    case 'ArrayExpression':
      return { kind: 'list', at, items: (node.elements as Node[]).map((item) => toExpr(item, depth + 1)) };
    case 'ConditionalExpression':
      return { kind: 'choose', at, test: child('test'), yes: child('consequent'), no: child('alternate') };
    case 'MemberExpression':
      return member(node, at, depth);
    case 'CallExpression': {
      const callee = node.callee as Node;
      if (callee.type !== 'Identifier' || node.optional === true) {
        throw new ExpressionError(at, 'only named functions can be called', 'write name(…), without a dot');
      }
      const args = (node.arguments as Node[]).map((argument) => toExpr(argument, depth + 1));
      return { kind: 'call', at, name: callee.name as string, args };
    }
    case 'UnaryExpression': {
      const op = node.operator as string;
      if (!UNARY.has(op)) throw unsupported(at, op);
      return { kind: 'unary', at, op: op as UnaryOp, of: child('argument') };
    }
    case 'BinaryExpression': {
      const op = node.operator as string;
      if (!BINARY.has(op)) throw unsupported(at, op);
      refuseMixed(node, at);
      return { kind: 'binary', at, op: op as BinaryOp, left: child('left'), right: child('right') };
    }
    default:
      throw new ExpressionError(
        at,
        `${node.type === 'ThisExpression' ? 'this' : node.type} has no meaning here`,
        'name event.FIELD, VIEW.COLUMN or a let',
      );
  }
}

function literal(node: Node, at: number): Expr {
  const { value } = node;
  if (typeof value === 'string') return { kind: 'text', at, value };
  if (typeof value === 'boolean') return { kind: 'number', at, value: value ? 1 : 0 };
  if (typeof value === 'number' && Number.isFinite(value)) return { kind: 'number', at, value };
  if (value === null)
    throw new ExpressionError(at, 'null cannot be used as a value', 'test with missing(x), replace with x ?? DEFAULT');
  throw new ExpressionError(at, `${String(node.raw)} is not a finite number`, 'write a finite number');
}

function member(node: Node, at: number, depth: number): Expr {
  const object = node.object as Node;
  const property = node.property as Node;
  if (node.optional === true) throw new ExpressionError(at, '?. has no meaning here', 'write x.y ?? DEFAULT');
  if (node.computed === true) {
    return { kind: 'index', at, of: toExpr(object, depth + 1), index: toExpr(property, depth + 1) };
  }
  const name = String(property.name);
  if (object.type === 'Identifier') return { kind: 'member', at, object: object.name as string, name };
  const path = pathInEvent(object);
  if (path !== undefined) return { kind: 'member', at, object: 'event', name: `${path}.${name}` };
  const inEvent = object.type === 'MemberExpression' && pathInEvent(object.object as Node) !== undefined;
  throw new ExpressionError(
    at,
    `.${name} can only follow a name${inEvent ? ': only numbers can be read from a list' : ''}`,
    inEvent
      ? 'have the producer write what the model needs as a list of numbers, or as fields of a record'
      : 'write event.FIELD or VIEW.COLUMN',
  );
}

/** `a || b ?? c` can be read in two ways; JavaScript refuses it too. */
function refuseMixed(node: Node, at: number): void {
  const group = (op: unknown): string | undefined =>
    op === '??' ? '??' : op === '||' || op === '&&' ? 'logic' : undefined;
  const own = group(node.operator);
  for (const side of [node.left, node.right] as Node[]) {
    const other = side.type === 'BinaryExpression' && side.grouped !== true ? group(side.operator) : undefined;
    if (own !== undefined && other !== undefined && own !== other) {
      throw new ExpressionError(
        at,
        `${String(node.operator)} and ${String(side.operator)} are mixed`,
        'add parentheses',
      );
    }
  }
}

/** Binary and conditional nodes have no place of their own: they begin where their leftmost part begins. */
function startOf(node: Node): number {
  let here: Node = node;
  while (here.start === undefined) {
    const next = (here.left ?? here.test ?? here.object ?? here.callee) as Node | undefined;
    if (next === undefined) return 0;
    here = next;
  }
  return here.start;
}

function tooDeep(at: number): ExpressionError {
  return new ExpressionError(at, `the expression is nested deeper than ${MAX_EXPRESSION_DEPTH}`, 'split it with let');
}

function unsupported(at: number, op: string): ExpressionError {
  return new ExpressionError(
    at,
    `the operator ${op} has no meaning here`,
    INSTEAD[op] ?? 'see the expression reference',
  );
}
