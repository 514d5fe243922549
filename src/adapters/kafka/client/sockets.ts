import { createRequire } from 'node:module';
import { connect, isIP, type OnReadOpts } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import { type TlsSettings, tlsOptions } from '../../../kernel/connections/tls.ts';
import { fetchMemory } from './fetch-memory.ts';
import type { Connection } from './network.ts';
import { MAX_RESPONSE_BYTES, Responses } from './responses.ts';

/**
 * Sockets for the client, whose 'data' events are whole responses, one each.
 *
 * Node delivers a stream in pieces of 64 KiB, each in its own memory, and the client concatenates all of them again whenever one
 * more arrives (cause) → half a millisecond per megabyte, as much as decoding the records takes (effect) → we read into our own
 * memory, a large response directly to its final place, and the client gets it complete (guard).
 *
 * Everything that a broker sends has its length in front, logins included. Promise: TLS as the client does it, verified; bytes
 * come once and in order; an impossible length ends the connection with an error before memory is allocated for it.
 */
const KEEP_ALIVE_MS = 60_000;
/** Type and version with which every TLS alert begins, where a response has its length. */
const TLS_ALERT = 0x1503;

export function socketsOf(tls: TlsSettings | undefined): ISocketFactory {
  return tls === undefined ? openSocket : (at) => openSocket({ ...at, ssl: tlsOptions(tls) });
}

export const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const responses = new Responses({
    onResponse: (response) => socket.emit('data', response),
    take: (bytes) => fetchMemory.response(bytes),
    onNonsense: (bytes) =>
      socket.destroy(
        new Error(
          bytes >> 16 === TLS_ALERT
            ? `${host}:${port} answers with an alert of TLS: it is a listener with TLS, see connections.kafka.ssl`
            : `${host}:${port} speaks of a response of ${bytes} bytes, which no broker sends (at most ${MAX_RESPONSE_BYTES}): ` +
                'check that it is a Kafka listener, and whether it wants TLS',
        ),
      ),
  });
  const onread: OnReadOpts = {
    // Node asks again after each read; its types know of one buffer for all only.
    buffer: (() => responses.room()) as unknown as Buffer,
    callback: (count) => {
      responses.received(count);
      return true;
    },
  };
  const name = isIP(host) === 0 ? { servername: host } : {};
  const options = { host, port, onread };
  const socket = ssl ? connectSecurely({ ...options, ...name, ...ssl }, onConnect) : connect(options, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
};

interface Receiver extends Connection {
  processData(data: Buffer): void;
}

let installed = false;

/**
 * The client keeps what is left over after a response, even if it is empty, and concatenates it with what comes next: a copy of
 * every response. This avoids it. Idempotent; call `checkClient` (internals.ts) before.
 */
export function takeResponsesWhole(): void {
  if (installed) return;
  installed = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: Receiver };
  const { processData } = prototype;
  prototype.processData = function (this: Receiver, data: Buffer): void {
    if (this.bytesBuffered === 0) this.chunks = [];
    processData.call(this, data);
  };
}
