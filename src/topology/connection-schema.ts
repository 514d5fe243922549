import { z } from 'zod';
import { said, shown, strict } from '../documents/zod-findings.ts';
import { choice, duration, flag, matching, text } from './leaves.ts';

/** The `connections` of a topology: where the services are, and how we log in to them. connection-rules.ts checks combinations. */

const URL_PATTERN = /^https?:\/\/[^\s/?#]+\S*$/;
const BROKERS_PATTERN = /^\s*[^\s,:]+:\d{1,5}\s*(,\s*[^\s,:]+:\d{1,5}\s*)*$/;

/** Text that messages never show. */
export function secret(what: string, example: string) {
  const remedy = `write ${what} by reference, for example ${example}`;
  return z
    .string({ error: (issue) => said(issue.input === null ? 'is missing' : 'is not text', `${remedy}, in quotes`) })
    .min(1, { error: said('is empty', remedy) });
}

/** It may contain a password. */
function url(example: string) {
  const remedy = `write an http or https address, for example ${example}`;
  return z.string({ error: () => said('is not an http or https address', remedy) }).regex(URL_PATTERN, {
    error: ({ input }) => {
      const isOpen = typeof input === 'string' && !input.includes('@');
      return said(`${isOpen ? `${shown(input)} ` : ''}is not an http or https address`, remedy);
    },
  });
}

const pem = (what: string, example: string) =>
  secret(`the path of a PEM file, or a PEM`, example).describe(
    `${what}: the path of a PEM file, or the PEM text itself`,
  );

export function tls() {
  const keys = strict({
    ca: pem('the authorities to trust instead of those of Node', 'ca.pem').optional(),
    cert: pem('the client certificate, for a server that asks for one', 'client.pem').optional(),
    key: pem('its private key', 'client.key').optional(),
    passphrase: secret('the passphrase of the key', `"\${file:/run/secrets/passphrase}"`)
      .describe('the passphrase of the key, if it is encrypted')
      .optional(),
    serverName: text('a host name', 'kafka.example.com')
      .describe("the name that the server's certificate must have; default: the host of its address")
      .optional(),
  });
  return z.union([flag('true'), keys], {
    error: ({ input }) =>
      said(`${shown(input)} is neither true, false nor a map of keys`, 'write true, or for example { ca: ca.pem }'),
  });
}

const sasl = strict({
  mechanism: choice(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'], ['gssapi', 'aws-msk-iam']).describe(
    'plain and oauthbearer only with ssl',
  ),
  username: secret('the user', `"\${KAFKA_USER}"`).describe('with plain and scram').optional(),
  password: secret('the password', `"\${KAFKA_PASSWORD}" or "\${file:/run/secrets/kafka-password}"`)
    .describe('with plain and scram; if given by reference to a file, it is read again for each login')
    .optional(),
  token: secret('the token', `"\${file:/run/secrets/token}"`)
    .describe('with oauthbearer: a token that something else keeps fresh in a file, which is read again for each login')
    .optional(),
  tokenEndpoint: url('"https://login.example.com/oauth2/token"')
    .describe('with oauthbearer: issues tokens for clientId and clientSecret (grant client_credentials)')
    .optional(),
  tokenEndpointCa: pem('the authorities to trust for the endpoint', 'ca.pem').optional(),
  clientId: secret('the id', `"\${OAUTH_CLIENT_ID}"`).describe('with tokenEndpoint').optional(),
  clientSecret: secret('the secret', `"\${file:/run/secrets/client-secret}"`).describe('with tokenEndpoint').optional(),
  scope: text('scopes', '"kafka"').describe('with tokenEndpoint: the requested scopes, separated by spaces').optional(),
});

export const kafkaSchema = strict({
  brokers: matching(BROKERS_PATTERN, 'a list host:port,host:port', '"localhost:9092"').describe(
    'host:port, comma-separated',
  ),
  clientId: text('a name', 'sluice').describe('shown in the logs of the brokers').default('sluice'),
  sessionTimeout: duration('10s')
    .describe('how long the group waits for a silent member; after a crash, nobody reads its partitions for that long')
    .prefault('10s'),
  ssl: tls()
    .describe('TLS; true: trust the authorities that Node trusts. The broker is always verified: see docs/security.md')
    .optional(),
  sasl: sasl.describe('how to log in to the brokers').optional(),
  client: choice(['columnar', 'stock'], ['platformatic'])
    .describe(
      "columnar: Sluice itself reads record batches into columns and writes them; stock: one message per record and the client's own producer, for comparison, at several times the cost",
    )
    .default('columnar'),
});

export const registrySchema = strict({
  url: url('"http://localhost:8081"').describe('Confluent Schema Registry'),
  username: secret('the user', `"\${REGISTRY_USER}"`).describe('basic authentication').optional(),
  password: secret('the password', `"\${file:/run/secrets/registry-password}"`).describe('with username').optional(),
  token: secret('the token', `"\${file:/run/secrets/token}"`)
    .describe('bearer authentication; a file is read again for each request')
    .optional(),
  ssl: tls().describe('with an https url: whom to trust, and the client certificate').optional(),
});
