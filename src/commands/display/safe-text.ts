/**
 * Untrusted text → one line for a terminal. Control characters, line separators and direction marks could move the cursor, forge
 * lines or hide some (cause, effect), so they are shown as escapes (guard).
 */
export function inLine(text: string): string {
  return text.replace(UNSAFE, (found) => `\\u{${(found.codePointAt(0) as number).toString(16)}}`);
}

const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Valid UTF-8 without control characters other than white space. */
export function isText(bytes: Buffer): boolean {
  return !/[\ufffd\u202a-\u202e\u2066-\u2069]|(?![\t\n\r])\p{Cc}/u.test(bytes.toString('utf8'));
}
