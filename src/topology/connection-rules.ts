import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import { hideSecrets } from '../kernel/connections/secret.ts';
import { pemOf, type TlsSettings } from '../kernel/connections/tls.ts';
import type { Connections } from '../plan/topology.ts';
import { withoutUser } from './connection-build.ts';
import type { TopologyFile } from './schema.ts';

type ConnectionsFile = TopologyFile['connections'];
type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

const KAFKA: Path = ['connections', 'kafka'];
const REGISTRY: Path = ['connections', 'registry'];
const LOOP_BACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const PASSWORD_KEYS = ['username', 'password'] as const;
const TOKEN_KEYS = ['token', 'tokenEndpoint', 'tokenEndpointCa', 'clientId', 'clientSecret', 'scope'] as const;

/** Which keys of `connections` may be combined: no secret goes over an unencrypted line, and certificates are valid. */
export function checkConnections(file: ConnectionsFile, built: Connections, yaml: YamlDocument): CheckFinding[] {
  const findings: CheckFinding[] = [];
  const report: Report = (path, message, remedy, severity) => findings.push(yaml.at(path, message, remedy, severity));
  const { kafka, registry } = file;
  if (kafka?.sasl !== undefined) checkSasl(kafka.sasl, built.kafka?.ssl !== undefined, report);
  if (built.kafka?.ssl !== undefined) checkTls(built.kafka.ssl, [...KAFKA, 'ssl'], report);
  if (built.redis?.ssl !== undefined) checkTls(built.redis.ssl, ['connections', 'redis', 'ssl'], report);
  if (registry !== undefined) checkRegistry(registry, report);
  if (built.registry?.ssl !== undefined) checkTls(built.registry.ssl, [...REGISTRY, 'ssl'], report);
  return findings;
}

function checkSasl(
  sasl: NonNullable<NonNullable<ConnectionsFile['kafka']>['sasl']>,
  isSecure: boolean,
  report: Report,
) {
  const at = [...KAFKA, 'sasl'];
  const { mechanism, token, tokenEndpoint } = sasl;
  const lacks = (key: keyof typeof sasl, remedy: string): void => {
    if (sasl[key] === undefined) report(at, `has no ${key}, which ${mechanism} needs`, remedy);
  };
  const refuses = (keys: readonly (keyof typeof sasl)[], why: string): void => {
    for (const key of keys)
      if (sasl[key] !== undefined) report([...at, key], `means nothing ${why}`, 'leave this key out');
  };
  if (!isSecure && (mechanism === 'plain' || mechanism === 'oauthbearer')) {
    const what = mechanism === 'plain' ? 'the password' : 'the token';
    report(
      [...at, 'mechanism'],
      `is ${mechanism}, and without ssl ${what} would go over the line as it is`,
      `add connections.kafka.ssl: true${mechanism === 'plain' ? ', or write mechanism: scram-sha-512' : ''}`,
    );
  }
  if (mechanism !== 'oauthbearer') {
    for (const key of PASSWORD_KEYS) lacks(key, `add ${key}: "\${file:/run/secrets/kafka-${key}}"`);
    return refuses(TOKEN_KEYS, `with mechanism: ${mechanism}`);
  }
  refuses(PASSWORD_KEYS, 'with mechanism: oauthbearer');
  if (token !== undefined && tokenEndpoint !== undefined) {
    report([...at, 'token'], 'is given, and tokenEndpoint gives tokens too', 'leave one of both out');
  } else if (token !== undefined) {
    refuses(['tokenEndpointCa', 'clientId', 'clientSecret', 'scope'], 'with token, which is used as it is');
  } else if (tokenEndpoint === undefined) {
    report(
      at,
      'has neither token nor tokenEndpoint, one of which oauthbearer needs',
      `add tokenEndpoint, clientId and clientSecret; or token: "\${file:/run/secrets/token}"`,
    );
  } else {
    for (const key of ['clientId', 'clientSecret'] as const)
      lacks(key, `add ${key}: "\${file:/run/secrets/${key === 'clientId' ? 'client-id' : 'client-secret'}}"`);
    if (/^https?:\/\/[^/?#]*@/.test(tokenEndpoint)) {
      report(
        [...at, 'tokenEndpoint'],
        'has a login in it',
        'write clientId and clientSecret, and no user in the address',
      );
    }
    if (isOpen(tokenEndpoint)) {
      report([...at, 'tokenEndpoint'], 'would be sent the client secret over an open line', 'write an https address');
    }
  }
}

function checkRegistry(registry: NonNullable<ConnectionsFile['registry']>, report: Report): void {
  const { url, username, password, token, ssl } = registry;
  const { user } = withoutUser(url);
  const ways = [
    user !== undefined && 'in the url',
    username !== undefined && 'username',
    token !== undefined && 'token',
  ];
  const given = ways.filter((way) => way !== false);
  if (given.length > 1) {
    report(
      REGISTRY,
      `says in several ways who we are (${given.join(', ')})`,
      'leave one of them, and no user in the url',
    );
  }
  if (user === undefined && (username === undefined) !== (password === undefined)) {
    const lacking = username === undefined ? 'username' : 'password';
    report(REGISTRY, `has no ${lacking}`, `add ${lacking}: "\${file:/run/secrets/registry-${lacking}}"`);
  }
  if (user !== undefined && user.password !== '') {
    report(
      [...REGISTRY, 'url'],
      'has a password in it',
      `write username: and password: "\${file:…}" beside the url: there a file is read again for each request`,
      'warning',
    );
  }
  if (given.length > 0 && isOpen(withoutUser(url).url)) {
    const remedy = 'write an https address, with ssl: { ca: … } for an authority of your own';
    report([...REGISTRY, 'url'], 'would be sent the credentials over an open line', remedy, 'warning');
  }
  if (/[?#]/.test(url)) {
    const remedy = 'leave out what follows the path; who we are goes into username and password, or token';
    report([...REGISTRY, 'url'], 'has a query, which is not sent', remedy);
  }
  if (ssl !== undefined && ssl !== false && !url.startsWith('https:')) {
    report([...REGISTRY, 'ssl'], 'means nothing with an http url', 'write an https url, or leave ssl out');
  }
}

function isOpen(url: string): boolean {
  return url.startsWith('http:') && !LOOP_BACK.test(/^http:\/\/([^/?#]*?)(:\d+)?([/?#]|$)/.exec(url)?.[1] ?? '');
}

/** Checks without a peer: the files exist, are PEM, and fit together. The doctor checks dates. */
function checkTls(tls: TlsSettings, at: Path, report: Report): void {
  const { ca, cert, key, passphrase } = tls;
  if ((cert === undefined) !== (key === undefined)) {
    const lacking = cert === undefined ? 'cert' : 'key';
    report(at, `has no ${lacking}`, `add ${lacking}: cert and key belong together`);
  }
  if (passphrase !== undefined && key === undefined)
    report([...at, 'passphrase'], 'is for no key', 'leave it out, or add key');
  if (ca !== undefined) read('ca', () => new X509Certificate(pemOf(ca)));
  const ours = cert && read('cert', () => new X509Certificate(pemOf(cert)));
  const secret = key && read('key', () => createPrivateKey({ key: pemOf(key), passphrase: passphrase?.reveal() }));
  if (ours !== undefined && secret !== undefined && !ours.checkPrivateKey(secret)) {
    report([...at, 'key'], 'is not the key of cert', 'give the private key that the certificate was made for');
  }

  function read<Made>(name: string, make: () => Made): Made | undefined {
    try {
      return make();
    } catch (thrown) {
      const [what, remedy] = troubleOf(thrown as NodeJS.ErrnoException, name);
      const secrets = [passphrase, key].filter((each) => each !== undefined);
      report([...at, name], hideSecrets(what, secrets), remedy);
      return undefined;
    }
  }
}

function troubleOf({ code = '', message, ...rest }: NodeJS.ErrnoException, name: string): readonly [string, string] {
  const path = (rest as { path?: string }).path ?? 'the file';
  if (code === 'ENOENT') return [`there is no file ${path}`, 'correct the path, or have the file put there'];
  if (code === 'EACCES' || code === 'EISDIR') return [`cannot read ${path}: ${code}`, 'make it a readable file'];
  if (code === 'ERR_MISSING_PASSPHRASE') {
    return ['is encrypted, and there is no passphrase', `add passphrase: "\${file:/run/secrets/passphrase}"`];
  }
  if (code === 'ERR_OSSL_BAD_DECRYPT') return ['does not open with this passphrase', 'correct passphrase'];
  const kind = name === 'key' ? 'private key' : 'certificate';
  return [`holds no ${kind} in PEM: ${message}`, `give a file that begins with -----BEGIN ${kind.toUpperCase()}-----`];
}
