import type { Secret } from './secret.ts';

/** How a client authenticates to a Kafka cluster. */
export type KafkaLogin =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: Secret;
      readonly password: Secret;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** One that is valid for a while; asked for each login. */
      token(): Promise<string>;
    };
