/**
 * Every failure that Sluice knows, as a code with a disposition. Vendor errors are translated to one of
 * these in their adapter, with the original as `cause`; the rest of the program asks for the disposition only.
 *
 *   retry        the world is at fault and may recover: wait, try the same thing again, count it
 *   dead-letter  the record is at fault: it alone goes to the dead-letter topic
 *   usage        a person is at fault (file, flag, key): say which, exit 2
 *   fatal        going on could lose or falsify something: stop, exit 1, let the group replay
 */
export type Disposition = 'retry' | 'dead-letter' | 'usage' | 'fatal';

export const DISPOSITIONS = {
  'usage-invalid': 'usage',
  'topology-invalid': 'usage',
  'bundle-invalid': 'usage',
  'contract-broken': 'usage',
  'file-missing': 'usage',
  'file-invalid': 'usage',

  'broker-unavailable': 'retry',
  'broker-rejected': 'retry',
  'store-unavailable': 'retry',
  'registry-unavailable': 'retry',
  'device-memory': 'retry',
  /** One side rejects the other's identity; that may pass, because credentials and certificates are rotated while fleets run. */
  'login-refused': 'retry',
  'peer-untrusted': 'retry',

  'record-too-large': 'dead-letter',
  'record-refused': 'dead-letter',
  'schema-unknown': 'dead-letter',
  'schema-incompatible': 'dead-letter',
  'model-failed': 'dead-letter',

  'topic-missing': 'fatal',
  'table-missing': 'fatal',
  'store-refused': 'fatal',
  'registry-refused': 'fatal',
  'file-failed': 'fatal',
  'broker-refused': 'fatal',
  'client-unsupported': 'fatal',
  'consumer-dead': 'fatal',
  'offset-out-of-range': 'fatal',
  'device-unavailable': 'fatal',
  'device-failed': 'fatal',
  'stage-broken': 'fatal',
  'dead-letters-exceeded': 'fatal',
  'port-taken': 'fatal',
  'invariant-broken': 'fatal',
  unexpected: 'fatal',
} as const satisfies Record<string, Disposition>;

export type ErrorCode = keyof typeof DISPOSITIONS;

export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly disposition: Disposition;

  /** `message` says what happened, to which record, key or thing, and what to do about it. */
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SluiceError';
    this.code = code;
    this.disposition = DISPOSITIONS[code];
  }
}

/** Total: any thrown value becomes a SluiceError; one that nobody translated is `unexpected`, hence fatal. */
export function classify(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  return new SluiceError('unexpected', `unexpected failure: ${textOf(thrown)}`, thrown);
}

/** An object without a prototype, or whose toString throws, cannot be turned into text; that must not hide the failure. */
function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return `a thrown ${typeof thrown} that has no text`;
  }
}

/** A retryable error that ends a start: nothing can have been rotated yet, so the password, the authority or the name in the file is wrong. */
export function mayPassAtStart({ code, disposition }: SluiceError): boolean {
  return disposition === 'retry' && code !== 'login-refused' && code !== 'peer-untrusted';
}

/** Exit codes of the command line, see docs: 0 done, 1 failed, 2 usage, 3 drain budget ran out. */
export const EXIT = { done: 0, failed: 1, usage: 2, drainBudget: 3 } as const;

export function exitCodeOf(error: SluiceError): number {
  return error.disposition === 'usage' ? EXIT.usage : EXIT.failed;
}
