import { createRequire } from 'node:module';
import type { SASLOptions } from 'kafkajs';
import type { KafkaLogin } from '../../../kernel/connections/login.ts';

const require = createRequire(import.meta.url);

/** One message of a mechanism and the broker's answer, each with its length in front. */
export interface Exchange {
  readonly request: { encode(): Promise<Buffer> };
  readonly response?: { decode(bytes: Buffer): Promise<unknown>; parse(data: unknown): Promise<unknown> };
}

/** A login mechanism as the client calls it: it gets a way to send, and knows nothing of connections. */
export type LoginProvider = (deps: {
  readonly host: string;
  readonly port: number;
  readonly logger: { debug(): void; error(): void };
  readonly saslAuthenticate: (exchange: Exchange) => Promise<unknown>;
}) => { authenticate(): Promise<void> };

const LENGTH_BYTES = 4;

/**
 * A login in the form the client expects. The client keeps this object for its whole life and reads it at each login, including
 * re-authentication within a session (KIP-368). So secrets are read there, and a rotated password is used from then on.
 */
export function saslOf(login: KafkaLogin): SASLOptions {
  const { mechanism } = login;
  if (mechanism === 'oauthbearer') {
    return { mechanism, authenticationProvider: bearer(login.token) } as unknown as SASLOptions;
  }
  const options = {
    mechanism,
    get username() {
      return login.username.reveal();
    },
    get password() {
      return login.password.reveal();
    },
  };
  return options as SASLOptions;
}

/**
 * OAUTHBEARER (RFC 7628), in place of the client's own, which ignores a broker's objection to a token because it comes as a
 * challenge, not as an error (cause) → the login counts as successful, and the next request fails for a misleading reason
 * (effect) → the challenge is read, answered as the protocol requires, and reported as the reason (guard).
 */
function bearer(token: () => Promise<string>): LoginProvider {
  return ({ saslAuthenticate }) => ({
    async authenticate() {
      const said = await saslAuthenticate(messageOf(`n,,\x01auth=Bearer ${await token()}\x01\x01`));
      if (said === '') return;
      const { KafkaJSSASLAuthenticationError: Refused } = require('kafkajs/src/errors') as {
        readonly KafkaJSSASLAuthenticationError: new (message: string) => Error;
      };
      // The answer to this is an error, after which the broker hangs up.
      await saslAuthenticate(messageOf('\x01')).catch(() => undefined);
      throw new Refused(`SASL OAUTHBEARER authentication failed: ${statusOf(String(said))}`);
    },
  });
}

function messageOf(text: string): Exchange {
  const body = Buffer.from(text);
  const whole = Buffer.alloc(LENGTH_BYTES + body.length);
  whole.writeInt32BE(body.length);
  body.copy(whole, LENGTH_BYTES);
  return {
    request: { encode: async () => whole },
    response: {
      decode: async (bytes) => bytes.toString('utf8', LENGTH_BYTES),
      parse: async (said) => said,
    },
  };
}

/** Of the challenge only its status, a word: the rest is the broker's own. */
function statusOf(challenge: string): string {
  return /"status"\s*:\s*"([a-z_]{1,40})"/.exec(challenge)?.[1] ?? 'the token was refused';
}
