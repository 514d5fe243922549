/**
 * Puts generated code together: a Program has hoisted parts; a Block is a body with its constants.
 *
 * Promise: user text never reaches the code. Names are made here, numbers are finite literals, strings and buffers
 * go in as the `constants` array, and comments keep only printable ASCII (a line separator in a comment would end it).
 * Every piece of code is total and without side effects, so it may be moved outwards and computed once.
 */
export class Program {
  /** Run once, when the program is created: helpers, scratch vectors. */
  readonly setup: string[] = [];
  /** Run once a frame: column arrays. */
  readonly frame: string[] = [];
  /** Values that setup reads as `constants[k]`. */
  readonly constants: unknown[] = [];
  private readonly hoisted = new Map<string, string>();
  private names = 0;
  private unrolled = 0;

  name(prefix: string): string {
    return `${prefix}${this.names++}`;
  }

  /** A constant of the frame; the same code is computed once. */
  hoist(code: string): string {
    return this.once(this.frame, 'f', code);
  }

  /** A constant of the whole program, from code. */
  fixed(code: string): string {
    return this.once(this.setup, 'k', code);
  }

  /** A value that cannot be written as code. */
  constant(value: unknown): string {
    const name = this.name('k');
    this.setup.push(`const ${name} = constants[${this.constants.push(value) - 1}];`);
    return name;
  }

  /** A vector that holds values between their computation and their uses; every record overwrites it. */
  scratch(width: number): string {
    const name = this.name('v');
    this.setup.push(`const ${name} = new Float64Array(${width});`);
    return name;
  }

  mayUnroll(width: number): boolean {
    if (width > UNROLL_WIDTH || this.unrolled + width > UNROLL_BUDGET) return false;
    this.unrolled += width;
    return true;
  }

  private once(section: string[], prefix: string, code: string): string {
    const seen = this.hoisted.get(code);
    if (seen !== undefined) return seen;
    const name = this.name(prefix);
    section.push(`const ${name} = ${code};`);
    this.hoisted.set(code, name);
    return name;
  }
}

/** Position in a vector: known at code generation, or the name of an integer variable within range. */
export type Index = number | string;

const ATOM = /^(?:[A-Za-z_$][\w$]*|\d[\d.]*(?:e[+-]?\d+)?|\(-\d[\d.]*(?:e[+-]?\d+)?\))$/;

/**
 * Widest vector that is unrolled rather than looped over, and the most elements that are unrolled in all:
 * V8 never optimises a function of more than 60 kB of bytecode.
 */
const UNROLL_WIDTH = 64;
const UNROLL_BUDGET = 768;

export class Block {
  readonly program: Program;
  readonly root: Block;
  readonly lines: string[] = [];
  private readonly parent: Block | undefined;
  private readonly known = new Map<string, string>();

  constructor(program: Program, parent?: Block) {
    this.program = program;
    this.parent = parent;
    this.root = parent?.root ?? this;
  }

  push(line: string): void {
    this.lines.push(line);
  }

  comment(text: string): void {
    const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
    this.push(`// ${shown.replace(/[^\x20-\x7e]/g, '?')}`);
  }

  /** A name (or literal) for the value of `code`; the same code is computed once. */
  bind(code: string): string {
    if (ATOM.test(code)) return code;
    for (let block: Block | undefined = this; block !== undefined; block = block.parent) {
      const seen = block.known.get(code);
      if (seen !== undefined) return seen;
    }
    const name = this.program.name('t');
    this.push(`const ${name} = ${code};`);
    this.known.set(code, name);
    return name;
  }

  /** Runs `body` for every index below `width`: unrolled if narrow, as a loop if wide. */
  each(width: number, body: (block: Block, k: Index) => void): void {
    if (this.program.mayUnroll(width)) {
      for (let k = 0; k < width; k++) body(this, k);
      return;
    }
    const k = this.program.name('j');
    const inner = new Block(this.program, this);
    body(inner, k);
    this.push(`for (let ${k} = 0; ${k} < ${width}; ${k}++) {`);
    for (const line of inner.lines) this.push(`  ${line}`);
    this.push('}');
  }
}

/** A finite number as a literal that is valid anywhere in an expression. */
export function numberCode(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no literal`);
  return value < 0 || Object.is(value, -0) ? `(-${Math.abs(value)})` : String(value);
}

/** Code that is true if one of the atoms is NaN; literals never are. */
export function anyMissing(...atoms: string[]): string {
  const tests = [...new Set(atoms)].filter((atom) => !/^[\d(]/.test(atom)).map((atom) => `${atom} !== ${atom}`);
  return tests.length === 0 ? 'false' : tests.join(' || ');
}

export function indexSum(base: number, k: Index): string {
  if (typeof k === 'number') return String(base + k);
  return base === 0 ? k : `${base} + ${k}`;
}
