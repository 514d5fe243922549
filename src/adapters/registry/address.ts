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

/** Made anew for each request: a password or token in a file may have been rolled. */
export function registryHeaders(login: RegistryLogin | undefined): Readonly<Record<string, string>> {
  if (login === undefined) return {};
  if ('token' in login) return { authorization: `Bearer ${login.token.reveal()}` };
  const text = `${login.username.reveal()}:${login.password.reveal()}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

export function refusal(login: RegistryLogin | undefined): string {
  if (login === undefined)
    return 'it asks who we are (HTTP 401); add connections.registry.username and password, or token';
  const what = 'token' in login ? 'token' : 'username and password';
  return `it does not know who we are (HTTP 401); check connections.registry.${what}`;
}
