import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls';
import type { Clock } from '../../../kernel/clock.ts';
import { type TlsSettings, tlsOptions, tlsTrouble, tlsWords } from '../../../kernel/connections/tls.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import { ProbeReader, ProbeWriter } from './wire.ts';

/** Longer than any answer about a few topics can be. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Requests and answers over one connection to a broker. */
export interface Talk {
  /** Of the peer; undefined without TLS. */
  readonly certificateEndsMs: number | undefined;
  /** The other side has hung up. */
  readonly hasEnded: boolean;
  /** The body of the answer. One question at a time. */
  ask(key: number, version: number, question: ProbeWriter): Promise<ProbeReader>;
  close(): void;
}

export async function openTalk(
  clock: Clock,
  {
    address,
    clientId,
    timeoutMs,
    ssl,
  }: {
    /** host:port */
    readonly address: string;
    readonly clientId: string;
    readonly timeoutMs: number;
    readonly ssl?: TlsSettings | undefined;
  },
): Promise<Talk> {
  const [, name, digits] = /^(.*):(\d+)$/.exec(address) ?? [];
  const [host, port] = [name.replace(/^\[|\]$/g, ''), Number(digits)];
  const secure = ssl && connectSecurely(dialSecurely(host, port, ssl));
  const socket = secure ?? connect({ host, port, noDelay: true });
  let isOpen = false;
  let hasEnded = false;
  let number = 0;
  let received = Buffer.alloc(0);
  let wake: () => void = () => undefined;
  let ended: Error | undefined;
  const end = (why: Error): void => {
    ended ??= why;
    wake();
  };
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    hasEnded = true;
    end(failureOf(error, host));
  });
  socket.on(secure === undefined ? 'connect' : 'secureConnect', () => {
    isOpen = true;
    wake();
  });
  socket.on('close', () => {
    hasEnded = true;
    end(new Error(`it hung up: ${number > 1 ? WANTS_LOGIN : notKafka(ssl)}`));
  });

  /** Waits until there is something to see, or it is certain that there never will be. */
  async function until<Seen>(look: () => Seen | undefined): Promise<Seen> {
    const timer = clock.after(timeoutMs, () => end(new Error(`no answer within ${timeoutMs} ms`)));
    try {
      for (;;) {
        const seen = look();
        if (seen !== undefined) return seen;
        if (ended !== undefined) throw ended;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      timer.cancel();
    }
  }

  const talk: Talk = {
    get certificateEndsMs() {
      const ends = Date.parse(secure?.getPeerCertificate().valid_to ?? '');
      return Number.isNaN(ends) ? undefined : ends;
    },
    get hasEnded() {
      return hasEnded;
    },
    async ask(key, version, question) {
      number++;
      const body = new ProbeWriter().int16(key).int16(version).int32(number).text(clientId).bytes();
      const message = Buffer.concat([body, question.bytes()]);
      socket.write(Buffer.concat([new ProbeWriter().int32(message.length).bytes(), message]));
      const bytes = await until(() => {
        if (received.length < 8) return undefined;
        const size = received.readInt32BE(0);
        if (size < 4 || size > MAX_ANSWER_BYTES || received.readInt32BE(4) !== number)
          throw new RangeError(notKafka(ssl));
        if (received.length < 4 + size) return undefined;
        const whole = received.subarray(8, 4 + size);
        received = received.subarray(4 + size);
        return whole;
      });
      return new ProbeReader(bytes);
    },
    close: () => void socket.destroy(),
  };
  try {
    await until(() => (isOpen ? true : undefined));
  } catch (thrown) {
    talk.close();
    throw thrown;
  }
  return talk;
}

/** It has answered a request that is allowed before a login. */
const WANTS_LOGIN = 'a listener that wants a login does so, see connections.kafka.sasl';

export function notKafka(ssl: TlsSettings | undefined): string {
  return ssl === undefined
    ? 'what answers there does not speak plain Kafka: a listener with TLS, or another service'
    : 'what answers there does not speak Kafka over TLS: a listener without TLS, or another service';
}

function dialSecurely(host: string, port: number, ssl: TlsSettings): ConnectionOptions {
  return { host, port, ...(isIP(host) === 0 && { servername: host }), ...tlsOptions(ssl) };
}

function failureOf(error: NodeJS.ErrnoException, host: string): Error {
  const tls = tlsTrouble(error.code, 'connections.kafka');
  if (tls === undefined) return new Error(inWords(error, host));
  return new SluiceError('peer-untrusted', `${tls.what} (${tlsWords(error.message)}); ${tls.remedy}`, error);
}

function inWords({ code = '', message }: NodeJS.ErrnoException, host: string): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: `there is no host ${host}`,
    EAI_AGAIN: `the name ${host} cannot be resolved`,
    ECONNRESET: 'it hung up: what answers there is another service, or wants TLS, or none',
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    ETIMEDOUT: 'no answer',
  };
  return known[code] ?? message;
}
