import type { Clock } from '../../kernel/clock.ts';
import { addressOf } from './address.ts';

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

/** Dates in HTTP have whole seconds: the true time is within the one that begins there. */
const HALF_A_SECOND_MS = 500;

/** Asks for the list of subjects once; rejects with the cause in words where nobody answers. */
export async function probeRegistry(
  clock: Clock,
  { url, timeoutMs }: { readonly url: string; readonly timeoutMs: number },
): Promise<ProbedRegistry> {
  const { base, authorization } = addressOf(url);
  const sentMs = clock.wallMs();
  let status: number;
  let text: string;
  let date: string | null;
  let answeredMs: number;
  try {
    const answer = await fetch(`${base}/subjects`, {
      headers: { accept: 'application/json', ...(authorization === undefined ? {} : { authorization }) },
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    });
    answeredMs = clock.wallMs();
    status = answer.status;
    date = answer.headers.get('date');
    text = await answer.text();
  } catch (thrown) {
    const { message } = ((thrown as Error).cause ?? thrown) as Error;
    throw new Error(`${base} does not answer: ${message}`);
  }
  const dateMs = date === null ? Number.NaN : Date.parse(date);
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
