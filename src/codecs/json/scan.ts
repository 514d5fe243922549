import { MAX_DEPTH } from '../avro/schema.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Powers of ten that a double holds exactly, as many as fractions of up to 15 digits need. */
const POWERS = Float64Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);
const EXACT_DIGITS = 15;

/** By byte: what may follow a backslash (1); 2: four hexadecimal digits must follow (\u). */
const ESCAPES = new Uint8Array(256);
for (const letter of '"\\/bfnrt') ESCAPES[letter.charCodeAt(0)] = 1;
ESCAPES[0x75] = 2;

/** By byte: the value of a hexadecimal digit; 16 for any other byte. */
export const HEX = new Uint8Array(256).fill(16);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/**
 * A cursor over JSON text (RFC 8259, strictly) in bytes[at..end). Each reading method returns false if the text is wrong; the
 * cursor is then of no further use. None reads outside the range, throws, or makes an object except for rare numbers.
 * Limit: 64 levels. UTF-8 is not checked here: `nonAscii` says whether there is anything to check.
 */
export class JsonCursor {
  readonly bytes: Buffer;
  readonly view: DataView;
  at = 0;
  end = 0;
  /** Where the text begins. */
  from = 0;
  /** Start and end of the last string, without its quotes, and whether it has escapes. */
  textStart = 0;
  textEnd = 0;
  escaped = false;
  /** The last number, and whether it is written as an integer (no fraction, no exponent). */
  value = 0;
  numberStart = 0;
  isInteger = false;
  nonAscii = false;
  private readonly open = new Uint8Array(MAX_DEPTH);

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  start(start: number, end: number): void {
    this.at = start;
    this.from = start;
    this.end = end;
    this.nonAscii = false;
  }

  /** The next byte that is not white space; -1 at the end. */
  peek(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at];
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** A string whose opening quote is at the cursor. */
  string(): boolean {
    const { bytes, end } = this;
    let at = this.at + 1;
    this.textStart = at;
    this.escaped = false;
    while (at < end) {
      const byte = bytes[at++];
      if (byte === QUOTE) {
        this.textEnd = at - 1;
        this.at = at;
        return true;
      }
      if (byte < 0x20) return false;
      if (byte >= 0x80) {
        this.nonAscii = true;
      } else if (byte === BACKSLASH) {
        this.escaped = true;
        const kind = at < end ? ESCAPES[bytes[at++]] : 0;
        if (kind === 0) return false;
        if (kind === 1) continue;
        if (end - at < 4 || (HEX[bytes[at]] | HEX[bytes[at + 1]] | HEX[bytes[at + 2]] | HEX[bytes[at + 3]]) > 15)
          return false;
        at += 4;
      }
    }
    return false;
  }

  /** A member's name and the colon after it; the cursor is at or before its quote. */
  name(): boolean {
    if (this.peek() !== QUOTE || !this.string() || this.peek() !== COLON) return false;
    this.at++;
    return true;
  }

  /** A number at the cursor → `value`, the nearest double (infinite if out of range). */
  number(): boolean {
    const { bytes, end } = this;
    let at = this.at;
    this.numberStart = at;
    const negative = bytes[at] === 0x2d;
    if (negative) at++;
    let mantissa = 0;
    const whole = at;
    while (at < end && isDigit(bytes[at])) mantissa = mantissa * 10 + bytes[at++] - 0x30;
    let digits = at - whole;
    if (digits === 0 || (digits > 1 && bytes[whole] === 0x30)) return false;
    let fraction = 0;
    let plain = true;
    this.isInteger = true;
    if (at < end && bytes[at] === 0x2e) {
      const point = ++at;
      while (at < end && isDigit(bytes[at])) mantissa = mantissa * 10 + bytes[at++] - 0x30;
      fraction = at - point;
      if (fraction === 0) return false;
      digits += fraction;
      this.isInteger = false;
    }
    if (at < end && (bytes[at] | 0x20) === 0x65) {
      at++;
      if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++;
      const exponent = at;
      while (at < end && isDigit(bytes[at])) at++;
      if (at === exponent) return false;
      plain = false;
      this.isInteger = false;
    }
    this.at = at;
    if (plain && digits <= EXACT_DIGITS) {
      // Both operands are exact, so this one division is correctly rounded.
      mantissa /= POWERS[fraction];
      this.value = negative ? -mantissa : mantissa;
    } else {
      this.value = Number(bytes.toString('latin1', this.numberStart, at));
    }
    return true;
  }

  /** true, false or null at the cursor. */
  literal(word: Buffer): boolean {
    if (this.end - this.at < word.length) return false;
    for (let k = 0; k < word.length; k++) if (this.bytes[this.at + k] !== word[k]) return false;
    this.at += word.length;
    return true;
  }

  /** Any value; the cursor is at or before it, and `depth` containers are open around it. */
  skip(depth: number): boolean {
    const base = depth;
    for (;;) {
      const byte = this.peek();
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth >= MAX_DEPTH) return false;
        this.at++;
        const close = byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
        this.open[depth++] = close;
        if (this.peek() !== close) {
          if (byte === OPEN_BRACE && !this.name()) return false;
          continue;
        }
        this.at++;
        depth--;
      } else if (!this.scalar(byte)) {
        return false;
      }
      for (;;) {
        if (depth === base) return true;
        const next = this.peek();
        this.at++;
        if (next === COMMA) {
          if (this.open[depth - 1] === CLOSE_BRACE && !this.name()) return false;
          break;
        }
        if (next !== this.open[depth - 1]) return false;
        depth--;
      }
    }
  }

  private scalar(byte: number): boolean {
    if (byte === QUOTE) return this.string();
    if (byte === 0x74) return this.literal(TRUE);
    if (byte === 0x66) return this.literal(FALSE);
    if (byte === 0x6e) return this.literal(NULL);
    return (byte === 0x2d || isDigit(byte)) && this.number();
  }
}

export const TRUE = Buffer.from('true');
export const FALSE = Buffer.from('false');
export const NULL = Buffer.from('null');

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
