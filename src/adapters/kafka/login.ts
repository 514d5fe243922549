import type { SASLOptions } from 'kafkajs';
import type { KafkaLogin } from '../../kernel/login.ts';

/**
 * A login as the client takes it. It keeps this object for as long as it lives and reads it at each login, re-authentication
 * within a session (KIP-368) included: what is secret is asked for there, and a password that was rolled is used from then on.
 */
export function saslOf(login: KafkaLogin): SASLOptions {
  if (login.mechanism === 'oauthbearer') {
    return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await login.token() }) };
  }
  const { mechanism, username, password } = login;
  const options = {
    mechanism,
    get username() {
      return username.reveal();
    },
    get password() {
      return password.reveal();
    },
  };
  return options as SASLOptions;
}
