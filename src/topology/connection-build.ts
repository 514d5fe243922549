import { Secret } from '../kernel/connections/secret.ts';
import { isPem, type TlsSettings } from '../kernel/connections/tls.ts';
import type { Connections, KafkaConnection, RegistryConnection, SaslSettings } from '../plan/topology.ts';
import type { TopologyFile } from './schema.ts';
import { buildRedis } from './store-connections.ts';

type ConnectionsFile = TopologyFile['connections'];
type KafkaFile = NonNullable<ConnectionsFile['kafka']>;
type SslFile = KafkaFile['ssl'];

/** Wraps the value of a key as a secret; one that came from a file is read again from there. */
type Hide = (path: string, text: string | undefined) => Secret;

/**
 * Converts the connections of a file to the program's terms. From here on secrets are `Secret`s; a missing one is empty, which the rules
 * of connection-rules.ts refuse.
 */
export function buildConnections(
  { kafka, registry, bigtable, redis, files: featureFiles }: ConnectionsFile,
  files: ReadonlyMap<string, () => string>,
  resolve: (path: string) => string,
): Connections {
  const hide: Hide = (path, text) => new Secret(text ?? '', files.get(path));
  return {
    kafka: kafka && buildKafka(kafka, hide, resolve),
    registry: registry && buildRegistry(registry, hide, resolve),
    bigtable,
    ...(redis !== undefined && {
      redis: buildRedis(redis, buildTls(redis.ssl, 'connections.redis.ssl', hide, resolve), (key, text) =>
        hide(`connections.redis.${key}`, text),
      ),
    }),
    ...(featureFiles !== undefined && { files: { folder: resolve(featureFiles.folder) } }),
  };
}

function buildKafka(kafka: KafkaFile, hide: Hide, resolve: (path: string) => string): KafkaConnection {
  const ssl = buildTls(kafka.ssl, 'connections.kafka.ssl', hide, resolve);
  const sasl = kafka.sasl && buildSasl(kafka.sasl, hide, resolve);
  return {
    brokers: kafka.brokers.split(',').map((broker) => broker.trim()),
    clientId: kafka.clientId,
    sessionTimeoutMs: kafka.sessionTimeout,
    client: kafka.client,
    ...(ssl !== undefined && { ssl }),
    ...(sasl !== undefined && { sasl }),
  };
}

function buildSasl(sasl: NonNullable<KafkaFile['sasl']>, hide: Hide, resolve: (path: string) => string): SaslSettings {
  const at = 'connections.kafka.sasl';
  const { mechanism, tokenEndpoint, tokenEndpointCa, scope } = sasl;
  if (mechanism !== 'oauthbearer') {
    const username = hide(`${at}.username`, sasl.username);
    return { mechanism, username, password: hide(`${at}.password`, sasl.password) };
  }
  if (tokenEndpoint === undefined) return { mechanism, token: hide(`${at}.token`, sasl.token) };
  return {
    mechanism,
    tokenEndpoint,
    clientId: hide(`${at}.clientId`, sasl.clientId),
    clientSecret: hide(`${at}.clientSecret`, sasl.clientSecret),
    scope,
    tls:
      tokenEndpointCa === undefined
        ? undefined
        : { ca: pemAt(`${at}.tokenEndpointCa`, tokenEndpointCa, hide, resolve) },
  };
}

/** Credentials are removed from the URL, because messages show it. */
function buildRegistry(
  { url, username, password, token, ssl }: NonNullable<ConnectionsFile['registry']>,
  hide: Hide,
  resolve: (path: string) => string,
): RegistryConnection {
  const at = 'connections.registry';
  const tls = buildTls(ssl, `${at}.ssl`, hide, resolve);
  const bare = withoutUser(url);
  const rest = { url: bare.url, ...(tls !== undefined && { ssl: tls }) };
  if (token !== undefined) return { ...rest, login: { token: hide(`${at}.token`, token) } };
  if (username !== undefined || password !== undefined) {
    return {
      ...rest,
      login: { username: hide(`${at}.username`, username), password: hide(`${at}.password`, password) },
    };
  }
  return { ...rest, ...registryAt(url) };
}

/** A registry given only by its URL, which may contain a login. */
export function registryAt(given: string): Pick<RegistryConnection, 'url' | 'login'> {
  const { url, user } = withoutUser(given);
  if (user === undefined) return { url };
  return { url, login: { username: new Secret(user.name), password: new Secret(user.password) } };
}

export function withoutUser(url: string): {
  readonly url: string;
  readonly user: { readonly name: string; readonly password: string } | undefined;
} {
  const [, scheme, userInfo, rest] = /^(https?:\/\/)([^/?#]*)@(.*)$/.exec(url) ?? [];
  if (userInfo === undefined) return { url, user: undefined };
  const [name, ...password] = userInfo.split(':');
  return { url: `${scheme}${rest}`, user: { name: decoded(name), password: decoded(password.join(':')) } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (thrown) {
    if (thrown instanceof URIError) return text;
    throw thrown;
  }
}

function buildTls(ssl: SslFile, at: string, hide: Hide, resolve: (path: string) => string): TlsSettings | undefined {
  if (ssl === undefined || ssl === false) return undefined;
  if (ssl === true) return {};
  const { ca, cert, key, passphrase, serverName } = ssl;
  return {
    ...(ca !== undefined && { ca: pemAt(`${at}.ca`, ca, hide, resolve) }),
    ...(cert !== undefined && { cert: pemAt(`${at}.cert`, cert, hide, resolve) }),
    ...(key !== undefined && { key: pemAt(`${at}.key`, key, hide, resolve) }),
    ...(passphrase !== undefined && { passphrase: hide(`${at}.passphrase`, passphrase) }),
    ...(serverName !== undefined && { serverName }),
  };
}

function pemAt(path: string, text: string, hide: Hide, resolve: (path: string) => string): Secret {
  return isPem(text) ? hide(path, text) : new Secret(resolve(text));
}
