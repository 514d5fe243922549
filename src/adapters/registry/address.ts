import { SluiceError } from '../../kernel/errors.ts';

/** Credentials in a URL would be refused by fetch, and show in every message: they become a header. */
export function addressOf(url: string): { readonly base: string; readonly authorization: string | undefined } {
  if (!URL.canParse(url)) {
    throw new SluiceError('usage-invalid', 'connections.registry.url is not a URL; it looks like http://host:8081');
  }
  const { username, password, protocol, host, pathname } = new URL(url);
  const base = `${protocol}//${host}${pathname}`.replace(/\/+$/, '');
  if (username === '' && password === '') return { base, authorization: undefined };
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { base, authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}
