import { createRequire } from 'node:module';
import type { SASLOptions } from 'kafkajs';
import type { KafkaLogin } from '../../../kernel/connections/login.ts';
import { translate } from '../client/errors.ts';
import { type Exchange, type LoginProvider, saslOf } from '../client/login.ts';
import type { Talk } from './talk.ts';
import { ProbeWriter } from './wire.ts';

/** The mechanisms of kafkajs 2.2.4, except the one that is ours. */
const FILES = {
  plain: 'plain',
  'scram-sha-256': 'scram256',
  'scram-sha-512': 'scram512',
} as const;
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const SILENT = { debug: () => undefined, error: () => undefined };
const require = createRequire(import.meta.url);

/** Logs in over a newly opened connection, as the client of a pipeline would. Rejects with `login-refused` and the reason. */
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
    await providerOf(login)({ host: address, port: 0, logger: SILENT, saslAuthenticate }).authenticate();
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

function providerOf(login: KafkaLogin): LoginProvider {
  const options = saslOf(login);
  if (login.mechanism === 'oauthbearer') {
    return (options as unknown as { readonly authenticationProvider: LoginProvider }).authenticationProvider;
  }
  const provide = require(`kafkajs/src/broker/saslAuthenticator/${FILES[login.mechanism]}`) as (
    sasl: SASLOptions,
  ) => LoginProvider;
  return provide(options);
}
