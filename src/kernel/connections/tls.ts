import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Secret } from './secret.ts';

/**
 * The TLS settings of a connection. The peer is always verified: there is no switch that turns it off.
 * Each of `ca`, `cert` and `key` is PEM, or the path of a PEM file.
 */
export interface TlsSettings {
  /** Trusted in place of the authorities that Node brings. */
  readonly ca?: Secret;
  /** Ours, for a peer that asks who we are. */
  readonly cert?: Secret;
  readonly key?: Secret;
  readonly passphrase?: Secret;
  /** The name that the peer's certificate must have, where it is not the host's. */
  readonly serverName?: string;
}

/** Options for one connection. Files are read for each, so that renewed certificates need no restart. */
export function tlsOptions(tls: TlsSettings): ConnectionOptions {
  return {
    rejectUnauthorized: true,
    ...(tls.ca !== undefined && { ca: pemOf(tls.ca) }),
    ...(tls.cert !== undefined && { cert: pemOf(tls.cert) }),
    ...(tls.key !== undefined && { key: pemOf(tls.key) }),
    ...(tls.passphrase !== undefined && { passphrase: tls.passphrase.reveal() }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  };
}

export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}

export function pemOf(secret: Secret): string {
  const text = secret.reveal();
  return isPem(text) ? text : readFileSync(text, 'utf8');
}

const UNKNOWN_AUTHORITY: readonly [string, string] = [
  'its certificate was signed by nobody who is trusted here',
  'name the certificate of its authority: ssl.ca',
];
const NO_TLS: readonly [string, string] = [
  'it does not speak TLS there, or another version of it',
  'give the port of a TLS listener, or leave ssl out',
];
const OURS_REFUSED: readonly [string, string] = [
  'it does not take our certificate',
  'give ssl.cert and ssl.key of a certificate that it trusts and that has not expired',
];

/** What is wrong, and the remedy; by the codes of Node and OpenSSL. */
const TROUBLE: Readonly<Record<string, readonly [string, string]>> = {
  CERT_HAS_EXPIRED: ['its certificate has expired', "have it renewed, or set this machine's clock right"],
  CERT_NOT_YET_VALID: ['its certificate is not valid yet', 'synchronise the clocks of both machines'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another name',
    'connect by a name that the certificate has, or give that name: ssl.serverName',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_UNTRUSTED: UNKNOWN_AUTHORITY,
  CERT_REVOKED: ['its certificate was revoked', 'have it replaced'],
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_UNSUPPORTED_PROTOCOL: NO_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NO_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ['it wants to see our certificate', 'give ssl.cert and ssl.key'],
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: OURS_REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: OURS_REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: OURS_REFUSED,
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE': OURS_REFUSED,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: OURS_REFUSED,
};

/** Whether only a peer that speaks TLS can have caused this failure. */
export function isTls(code: unknown): boolean {
  const known = TROUBLE[String(code)];
  return known !== undefined && known !== NO_TLS;
}

/**
 * Why TLS with a peer failed, in words; undefined for a failure that has nothing to do with TLS. `where` names the keys in the remedy:
 * `connections.kafka` for `connections.kafka.ssl`.
 */
export function tlsTrouble(
  code: unknown,
  where: string,
): { readonly what: string; readonly remedy: string } | undefined {
  const known = TROUBLE[String(code)];
  if (known !== undefined) return { what: known[0], remedy: known[1].replaceAll(/\bssl\b/g, `${where}.ssl`) };
  if (!/^ERR_SSL_|^CERT_/.test(String(code))) return undefined;
  return { what: `TLS fails (${code})`, remedy: `compare ${where}.ssl with what the listener asks for` };
}

/** What Node and OpenSSL say of it, without line breaks and places in C. */
export function tlsWords(message: string): string {
  return message
    .replace(/[0-9A-F]{6,}:error:[^:]*:SSL routines:[^:]*:([^:]*):.*/s, '$1')
    .replaceAll(/\s*[\n;]\s*/g, ', ');
}
