import type { Secret } from '../../kernel/connections/secret.ts';
import { SluiceError } from '../../kernel/errors.ts';

export type RegistryLogin = { readonly username: Secret; readonly password: Secret } | { readonly token: Secret };

export function baseOf(url: string): string {
  if (!URL.canParse(url)) {
    throw new SluiceError('usage-invalid', 'connections.registry.url is not a URL; it looks like http://host:8081');
  }
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`.replace(/\/+$/, '');
}

/** Made for each request: a password or token in a file may have been rotated. */
export function registryHeaders(login: RegistryLogin | undefined): Readonly<Record<string, string>> {
  if (login === undefined) return {};
  if ('token' in login) return { authorization: `Bearer ${inHeader(login.token.reveal())}` };
  const text = `${login.username.reveal()}:${login.password.reveal()}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

/** A token is sent as it is, and a header may contain only visible ASCII: Node's own error would not say what is wrong. */
function inHeader(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const what = 'holds a blank, a line break or another character that no header can have';
  throw new SluiceError('login-refused', `connections.registry.token ${what}; write the token alone`);
}

/** What a registry, or a gateway in front of it, may echo of the credentials. */
export function repeatable(login: RegistryLogin | undefined): readonly (Secret | string)[] {
  if (login === undefined) return [];
  if ('token' in login) return [login.token];
  const { authorization = '' } = registryHeaders(login);
  return [login.password, authorization.replace(/^Basic /, '')];
}

export function refusal(login: RegistryLogin | undefined): string {
  if (login === undefined)
    return 'it asks who we are (HTTP 401); add connections.registry.username and password, or token';
  const what = 'token' in login ? 'token' : 'username and password';
  return `it does not know who we are (HTTP 401); check connections.registry.${what}`;
}
