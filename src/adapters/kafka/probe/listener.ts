import type { Clock } from '../../../kernel/clock.ts';
import { isTls } from '../../../kernel/connections/tls.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import type { ProbeOptions } from './probe.ts';
import { openTalk, type Talk } from './talk.ts';
import { ProbeWriter } from './wire.ts';

/**
 * Whether a listener matches the settings: with TLS or without, with a login or without.
 *
 * In each case of a mismatch a broker hangs up, and so does a broker that is still starting, or a proxy without a backend (cause) →
 * we would wait for a broker because of a mistake in a file (effect) → the listener is probed both ways, and only if it answers in
 * the way that the settings do not have is it a mistake (guard). Nothing secret is sent, and no peer is trusted that the settings
 * would not trust.
 */
type Misfit = keyof typeof SAID;

const SAID = {
  'wants-tls': [
    'peer-untrusted',
    'is a listener with TLS, and connections.kafka has no ssl',
    'write ssl: true there (or ssl: { ca: FILE }), or give the port of a listener without TLS',
  ],
  'has-no-tls': [
    'peer-untrusted',
    'is a listener without TLS, and connections.kafka.ssl asks for it',
    'give the port of a listener with TLS, or leave ssl out',
  ],
  'wants-login': [
    'login-refused',
    'is a listener with a login, and connections.kafka has no sasl: it hangs up',
    'write sasl: { mechanism, username, password } there, or give the port of a listener without a login',
  ],
  'has-no-login': [
    'login-refused',
    'is a listener without a login, and connections.kafka.sasl has one',
    'leave sasl out, or give the port of a listener with SASL',
  ],
} as const;

const METADATA = 3;
const METADATA_VERSION = 4;
const SASL_HANDSHAKE = 17;
const API_VERSIONS = 18;
const ILLEGAL_SASL_STATE = 34;

/** The mistake in the settings, as an error that ends a start; undefined if they match, or the listener's answer does not tell. */
export async function misfitAt(clock: Clock, options: ProbeOptions): Promise<SluiceError | undefined> {
  const found = await look(clock, options);
  if (found === 'fits' || found === 'unknown') return undefined;
  const [code, what, remedy] = SAID[found];
  return new SluiceError(code, `${options.address} ${what}; ${remedy}`);
}

/** Like `misfitAt`, for several brokers, if none of them matches the settings; one that matches lets the client in. */
export async function misfitOfAll(
  clock: Clock,
  addresses: readonly string[],
  options: Omit<ProbeOptions, 'address'>,
): Promise<SluiceError | undefined> {
  const found = await Promise.all(addresses.map((address) => look(clock, { ...options, address })));
  if (found.includes('fits')) return undefined;
  const at = found.findIndex((each) => each !== 'unknown');
  return at < 0 ? undefined : misfitAt(clock, { ...options, address: addresses[at] });
}

async function look(clock: Clock, options: ProbeOptions): Promise<Misfit | 'fits' | 'unknown'> {
  const { ssl, sasl } = options;
  const asWritten = () =>
    ask(clock, options, async (talk) => {
      const keys = await requestsOf(talk);
      return sasl === undefined ? loginWanted(talk) : loginHad(talk, keys, sasl.mechanism);
    });
  const found = await asWritten();
  // A broker that ends just then hangs up as well, but once.
  if (found === 'wants-login') return (await asWritten()) ?? 'unknown';
  if (found !== undefined) return found;
  if (ssl !== undefined) {
    const plain = await ask(clock, { ...options, ssl: undefined }, requestsOf);
    return plain === undefined ? 'unknown' : 'has-no-tls';
  }
  return (await speaksTls(clock, options)) ? 'wants-tls' : 'unknown';
}

/** One connection; undefined if it could not be made, or the peer does not speak Kafka. */
async function ask<T>(
  clock: Clock,
  options: ProbeOptions,
  question: (talk: Talk) => Promise<T>,
): Promise<T | undefined> {
  let talk: Talk | undefined;
  try {
    talk = await openTalk(clock, options);
    return await question(talk);
  } catch {
    return undefined;
  } finally {
    talk?.close();
  }
}

/** The requests that it supports, by key; a broker tells that even before a login. */
async function requestsOf(talk: Talk): Promise<ReadonlySet<number>> {
  const answer = await talk.ask(API_VERSIONS, 0, new ProbeWriter());
  if (answer.int16() !== 0) throw new RangeError('refused');
  const keys = answer.list(() => {
    const key = answer.int16();
    answer.int32();
    return key;
  });
  if (!keys.includes(METADATA)) throw new RangeError('no metadata');
  return new Set(keys);
}

/** A metadata request about no topic. */
async function loginWanted(talk: Talk): Promise<Misfit | 'fits' | 'unknown'> {
  try {
    await talk.ask(METADATA, METADATA_VERSION, new ProbeWriter().int32(0).int8(0));
    return 'fits';
  } catch {
    return talk.hasEnded ? 'wants-login' : 'unknown';
  }
}

async function loginHad(talk: Talk, keys: ReadonlySet<number>, mechanism: string): Promise<Misfit | 'fits'> {
  if (!keys.has(SASL_HANDSHAKE)) return 'has-no-login';
  const answer = await talk.ask(SASL_HANDSHAKE, 1, new ProbeWriter().text(mechanism.toUpperCase()));
  return answer.int16() === ILLEGAL_SASL_STATE ? 'has-no-login' : 'fits';
}

/** Whether to trust it is a separate question. */
async function speaksTls(clock: Clock, options: ProbeOptions): Promise<boolean> {
  try {
    (await openTalk(clock, { ...options, ssl: {} })).close();
    return true;
  } catch (thrown) {
    return isTls((thrown as { readonly cause?: { readonly code?: unknown } }).cause?.code);
  }
}
