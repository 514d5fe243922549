const SECRET_NAME =
  /pass(word|phrase|wd)?$|secret|token|authorization|credential|api[-_]?key|private[-_]?key|cookie|^sasl$/i;
const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi;
const ASSIGNED = /\b(password|passwd|secret|token|api[-_]?key)(["']?\s*[=:]\s*["']?)[^\s"',;&}]+/gi;
const BEARER = /\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi;

const REDACTED = '[redacted]';
const MAX_DEPTH = 4;
const MAX_ENTRIES = 32;
const MAX_TEXT = 2000;

/**
 * A copy of a log field that is safe to write: likely secrets are removed by name and by pattern, errors become code, message and
 * chain of causes, and depth and length are bounded, so that a field that is a whole client object cannot flood a line.
 */
export function redact(value: unknown, name = '', depth = 0): unknown {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (SECRET_NAME.test(name)) return REDACTED;
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object') return String(value);
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => redact(item, name, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).slice(0, MAX_ENTRIES)) copy[key] = redact(item, key, depth + 1);
  return copy;
}

function redactText(text: string): string {
  return text
    .slice(0, MAX_TEXT)
    .replace(USER_INFO, `$1${REDACTED}@`)
    .replace(ASSIGNED, `$1$2${REDACTED}`)
    .replace(BEARER, `$1 ${REDACTED}`);
}

/** Stack only where nobody translated the failure: there it is the one clue. */
function redactError(error: Error & { code?: unknown }, depth: number): unknown {
  const { code, message, cause, stack } = error;
  const untranslated = code === undefined || code === 'unexpected' || code === 'invariant-broken';
  return {
    ...(code === undefined ? { name: error.name } : { code: String(code) }),
    message: redactText(message),
    ...(cause === undefined ? {} : { cause: redact(cause, 'cause', depth + 1) }),
    ...(untranslated && stack !== undefined ? { stack: redactText(stack) } : {}),
  };
}
