import type { Clock } from '../../kernel/clock.ts';
import { hideSecrets, type Secret } from '../../kernel/connections/secret.ts';
import { type TlsSettings, tlsTrouble, tlsWords } from '../../kernel/connections/tls.ts';
import { askWeb, type WebAnswer } from '../../kernel/connections/web.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

export interface TokenOptions {
  readonly tokenEndpoint: string;
  readonly clientId: Secret;
  readonly clientSecret: Secret;
  readonly scope: string | undefined;
  readonly tls: TlsSettings | undefined;
  readonly timeoutMs?: number;
}

const MAX_BODY_BYTES = 256 * 1024;
/**
 * Of the time that a token is valid, the last fifth is left, and never less than this, or half: a session with a broker ends with
 * its token, and is begun anew ten seconds before.
 */
const LEFT_SHARE = 0.2;
const LEFT_MS = 20_000;
/** The lifetime of a token if the endpoint does not state it. */
const DEFAULT_LIFE_MS = 5 * 60_000;

/**
 * Tokens for client credentials (RFC 6749, 4.4): a token is fetched on demand, used for four fifths of its lifetime and then replaced;
 * concurrent callers share one request. If a fetch fails while the last token is still valid, that one is used: an endpoint that is
 * down for a minute is no outage. Each fetch is counted with its outcome.
 *
 * Rejects with `login-refused` if the endpoint refuses the credentials, `peer-untrusted` if it cannot be verified, otherwise with
 * `broker-unavailable`. No message contains the secret or a token, whatever the endpoint answers.
 */
export function createTokens(
  deps: { readonly clock: Clock; readonly telemetry: Telemetry },
  options: TokenOptions,
): () => Promise<string> {
  const { clock, telemetry } = deps;
  const { tokenEndpoint, tls, timeoutMs = 5_000 } = options;
  const count = (outcome: string): void => telemetry.counter('sluice_token_fetches_total', { outcome }).add(1);
  /** A query may hold a key. */
  const where = tokenEndpoint.replace(/[?#].*$/s, '');
  let held: { readonly value: string; readonly renewAtMs: number; readonly endsAtMs: number } | undefined;
  let flight: Promise<string> | undefined;

  function loginOf(): string {
    const id = encodeURIComponent(options.clientId.reveal());
    return Buffer.from(`${id}:${encodeURIComponent(options.clientSecret.reveal())}`).toString('base64');
  }

  async function ask(login: string): Promise<WebAnswer> {
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (options.scope !== undefined) form.set('scope', options.scope);
    try {
      return await askWeb({
        method: 'POST',
        url: tokenEndpoint,
        headers: {
          authorization: `Basic ${login}`,
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: form.toString(),
        tls,
        timeoutMs,
        maxBytes: MAX_BODY_BYTES,
      });
    } catch (thrown) {
      const trouble = tlsTrouble((thrown as NodeJS.ErrnoException).code, 'connections.kafka');
      if (trouble === undefined) {
        const why = (thrown as Error).message;
        throw new SluiceError(
          'broker-unavailable',
          `no token from ${where}: ${why}; check connections.kafka.sasl.tokenEndpoint, and that it runs`,
          thrown,
        );
      }
      const remedy = trouble.remedy.replace('ssl.ca', 'sasl.tokenEndpointCa');
      throw new SluiceError(
        'peer-untrusted',
        `no token from ${where}: ${trouble.what} (${tlsWords((thrown as Error).message)}); ${remedy}`,
        thrown,
      );
    }
  }

  async function fetchToken(): Promise<string> {
    const askedMs = clock.monotonicMs();
    const login = loginOf();
    const { status, text } = await ask(login);
    const answer = parsed(text);
    if (status === 200 && typeof answer.access_token === 'string' && answer.access_token !== '') {
      const seconds = Number(answer.expires_in);
      const lifeMs = seconds > 0 ? seconds * 1000 : DEFAULT_LIFE_MS;
      const leftMs = Math.max(lifeMs * LEFT_SHARE, Math.min(LEFT_MS, lifeMs / 2));
      held = { value: answer.access_token, renewAtMs: askedMs + lifeMs - leftMs, endsAtMs: askedMs + lifeMs };
      return held.value;
    }
    // What others answer may repeat what they were sent.
    const said = hideSecrets([answer.error, answer.error_description].filter(isText).join(': '), [
      options.clientSecret,
      login,
      ...(held === undefined ? [] : [held.value]),
    ]).slice(0, 200);
    const what = `${where} gives no token: HTTP ${status}${said === '' ? '' : `, ${said}`}`;
    if (status === 429 || status >= 500) throw new SluiceError('broker-unavailable', `${what}; it is tried again`);
    throw new SluiceError(
      'login-refused',
      `${what}; check tokenEndpoint, clientId, clientSecret and scope in connections.kafka.sasl`,
    );
  }

  async function counted(): Promise<string> {
    try {
      const token = await fetchToken();
      count('fetched');
      return token;
    } catch (thrown) {
      count('failed');
      telemetry.event('token-failed', { error: (thrown as Error).message });
      throw thrown;
    }
  }

  return async () => {
    const nowMs = clock.monotonicMs();
    if (held !== undefined && nowMs < held.renewAtMs) return held.value;
    flight ??= counted().finally(() => {
      flight = undefined;
    });
    try {
      return await flight;
    } catch (thrown) {
      if (held !== undefined && nowMs < held.endsAtMs) return held.value;
      throw thrown;
    }
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return {};
    throw thrown;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
