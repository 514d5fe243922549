import { createRequire } from 'node:module';
import type { SASLOptions } from 'kafkajs';
import type { KafkaLogin } from '../../kernel/login.ts';
import { translate } from './errors.ts';
import { saslOf } from './login.ts';
import type { Talk } from './probe-talk.ts';
import { ProbeWriter } from './probe-wire.ts';

/** The mechanisms of kafkajs 2.2.4, which are told how to send and know nothing of connections. */
interface Exchange {
  readonly request: { encode(): Promise<Buffer> };
  readonly response?: { decode(bytes: Buffer): Promise<unknown>; parse(data: unknown): Promise<unknown> };
}
type Provider = (
  sasl: SASLOptions,
) => (deps: {
  readonly host: string;
  readonly port: number;
  readonly logger: { debug(): void; error(): void };
  readonly saslAuthenticate: (exchange: Exchange) => Promise<unknown>;
}) => { authenticate(): Promise<void> };

const FILES: Readonly<Record<KafkaLogin['mechanism'], string>> = {
  plain: 'plain',
  'scram-sha-256': 'scram256',
  'scram-sha-512': 'scram512',
  oauthbearer: 'oauthBearer',
};
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const SILENT = { debug: () => undefined, error: () => undefined };
const require = createRequire(import.meta.url);

/** Logs in over a connection that was just opened, as the client of a pipeline would. Rejects with `login-refused` and why. */
export async function logIn(talk: Talk, login: KafkaLogin, address: string): Promise<void> {
  const mechanism = login.mechanism.toUpperCase();
  try {
    const answer = await talk.ask(SASL_HANDSHAKE, 1, new ProbeWriter().text(mechanism));
    answer.int16();
    const offered = answer.list(() => answer.text());
    if (!offered.includes(mechanism)) {
      const message = `mechanism is not supported by the server: ${mechanism}; it has ${offered.join(', ')}`;
      throw Object.assign(new Error(message), { type: 'UNSUPPORTED_SASL_MECHANISM' });
    }
    const provide = require(`kafkajs/src/broker/saslAuthenticator/${FILES[login.mechanism]}`) as Provider;
    const authenticator = provide(saslOf(login))({ host: address, port: 0, logger: SILENT, saslAuthenticate });
    await authenticator.authenticate();
  } catch (thrown) {
    if (thrown instanceof RangeError) throw thrown;
    throw translate(thrown, 'log in', [address]);
  }

  async function saslAuthenticate({ request, response }: Exchange): Promise<unknown> {
    const answer = await talk.ask(SASL_AUTHENTICATE, 0, new ProbeWriter().raw(await request.encode()));
    const code = answer.int16();
    const said = answer.text();
    if (code !== 0) throw new Error(said === '' ? `code ${code}` : said);
    return response === undefined ? undefined : response.parse(await response.decode(answer.rest()));
  }
}
