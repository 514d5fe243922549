import type { LogLevel } from '../../ports/telemetry.ts';

const COLOR_OF_LEVEL: Readonly<Record<LogLevel, string>> = { debug: '90', info: '32', warn: '33', error: '31' };
/** Shown elsewhere in the line, or repeating it. */
const NOT_LISTED: ReadonlySet<string> = new Set(['component', 'event']);

/** `12:03:04 info  pipeline  message key=value …`, in local time, with its line feed. */
export function formatLine(
  wallMs: number,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
  color: boolean,
): string {
  const paint = (code: string, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const time = new Date(wallMs).toTimeString().slice(0, 8);
  const component = String(fields.component ?? '').padEnd(9);
  let line = `${paint('90', time)} ${paint(COLOR_OF_LEVEL[level], level.padEnd(5))} ${paint('36', component)} ${printable(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (NOT_LISTED.has(name) || value === undefined) continue;
    line += ` ${paint('90', `${name}=`)}${formatValue(value)}`;
  }
  return `${line}\n`;
}

function formatValue(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? printable(value) : printable(JSON.stringify(value));
  if (typeof value === 'object' && value !== null && 'message' in value) return formatError(value);
  return printable(JSON.stringify(value) ?? String(value));
}

function formatError(error: { readonly message?: unknown; readonly code?: unknown; readonly cause?: unknown }): string {
  const text = printable(JSON.stringify(`${error.code === undefined ? '' : `${error.code}: `}${error.message}`));
  const { cause } = error;
  return typeof cause === 'object' && cause !== null && 'message' in cause ? `${text} ← ${formatError(cause)}` : text;
}

/** Text may come from data: control characters could move the cursor or forge a line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\u00b7');
}
