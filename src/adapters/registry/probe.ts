import type { Clock } from '../../kernel/clock.ts';
import { type TlsSettings, tlsTrouble, tlsWords } from '../../kernel/connections/tls.ts';
import { askWeb } from '../../kernel/connections/web.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { baseOf, type RegistryLogin, registryHeaders } from './address.ts';

/** What answers at the address of a registry. */
export interface ProbedRegistry {
  /** Without credentials. */
  readonly base: string;
  readonly status: number;
  /** Names of subjects; undefined where the answer is none of a schema registry. */
  readonly subjects: readonly string[] | undefined;
  /** How much later its clock is than ours, to about a second; undefined where it does not date its answers. */
  readonly aheadMs: number | undefined;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Dates in HTTP have whole seconds: the true time is within the one that begins there. */
const HALF_A_SECOND_MS = 500;

/** Asks for the list of subjects once; rejects with the cause in words where nobody answers. */
export async function probeRegistry(
  clock: Clock,
  {
    url,
    login,
    ssl,
    timeoutMs,
  }: { readonly url: string; readonly login?: RegistryLogin; readonly ssl?: TlsSettings; readonly timeoutMs: number },
): Promise<ProbedRegistry> {
  const base = baseOf(url);
  const whoWeAre = registryHeaders(login);
  const sentMs = clock.wallMs();
  let status: number;
  let text: string;
  let date: string | undefined;
  let answeredMs: number;
  try {
    const answer = await askWeb({
      method: 'GET',
      url: `${base}/subjects`,
      headers: { accept: 'application/json', ...whoWeAre },
      tls: ssl,
      timeoutMs,
      maxBytes: MAX_BODY_BYTES,
    });
    answeredMs = clock.wallMs();
    status = answer.status;
    date = answer.headers.date;
    text = answer.text;
  } catch (thrown) {
    const { message, code } = thrown as NodeJS.ErrnoException;
    const trouble = tlsTrouble(code, 'connections.registry');
    if (trouble === undefined) throw new SluiceError('registry-unavailable', `${base} does not answer: ${message}`);
    throw new SluiceError('peer-untrusted', `${base}: ${trouble.what} (${tlsWords(message)}); ${trouble.remedy}`);
  }
  const dateMs = date === undefined ? Number.NaN : Date.parse(date);
  const aheadMs = dateMs + HALF_A_SECOND_MS - (sentMs + answeredMs) / 2;
  return { base, status, subjects: subjectsIn(text), aheadMs: Number.isNaN(aheadMs) ? undefined : aheadMs };
}

function subjectsIn(text: string): readonly string[] | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) && found.every((each) => typeof each === 'string') ? found : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
