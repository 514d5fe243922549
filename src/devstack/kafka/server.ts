/**
 * One node: a listening socket, its connections, requests cut out of their bytes. As in Kafka, a connection has one
 * request in work and is answered in order: a waiting fetch or join holds up what was sent behind it.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { After } from './group.ts';
import type { Call } from './protocol.ts';
import { Reader, Writer } from './wire.ts';

export type RequestInfo = {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string;
  readonly nodeId: number;
};
/** What shall go wrong with one request. With both of the last two the work is done, then the connection closes. */
export type Fault = {
  /** Wait before the work is done. */
  readonly delayMs?: number;
  /** Answer with this code, do nothing: Produce, Fetch, ListOffsets and all calls of groups. */
  readonly errorCode?: number;
  /** Do the work, never answer. */
  readonly dropResponse?: boolean;
  /** Do nothing, hang up. */
  readonly closeConnection?: boolean;
};
export type ServerOptions = {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly maxRequestBytes: number;
  readonly after: After;
  readonly handle: (call: Call) => void | Promise<void>;
  readonly onRequest: (request: RequestInfo) => Fault | undefined;
  /** Hears why a connection was closed on a client. */
  readonly log: (line: string) => void;
};
export type Server = { readonly port: number; close(): Promise<void> };

export async function listen(options: ServerOptions): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    new Connection(socket, options);
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, close };
}

class Connection {
  readonly #socket: Socket;
  readonly #options: ServerOptions;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #busy = false;
  #call: Call | null = null;

  constructor(socket: Socket, options: ServerOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', () => socket.destroy()); // a client that resets is not news; 'close' follows
    socket.on('close', () => this.#call?.onGone?.());
  }

  #received(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (!this.#busy) void this.#serveAll();
  }

  async #serveAll(): Promise<void> {
    this.#busy = true;
    try {
      for (let frame = this.#nextFrame(); frame && !this.#socket.destroyed; frame = this.#nextFrame())
        await this.#serve(frame);
    } catch (error) {
      this.#options.log(`node ${this.#options.nodeId} closed a connection: ${error}`);
      this.#socket.destroy();
    }
    this.#busy = false;
  }

  /** The next whole request, without its length; its bytes are copied only if they came in several chunks. */
  #nextFrame(): Buffer | null {
    if (this.#bytes < 4) return null;
    if (this.#chunks[0].length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0].readInt32BE(0);
    if (length < 8 || length > this.#options.maxRequestBytes)
      throw new RangeError(`a request of ${length} bytes: not a Kafka client, or above the limit`);
    const end = 4 + length;
    if (this.#bytes < end) return null;
    if (this.#chunks[0].length < end) this.#chunks = [Buffer.concat(this.#chunks, this.#bytes)];
    const [first] = this.#chunks;
    if (first.length === end) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(end);
    this.#bytes -= end;
    return first.subarray(4, end);
  }

  async #serve(frame: Buffer): Promise<void> {
    const { nodeId, after, handle, onRequest } = this.#options;
    const r = new Reader(frame);
    const [apiKey, version, correlationId, clientId] = [r.i16(), r.i16(), r.i32(), r.str()];
    const fault = onRequest({ apiKey, apiVersion: version, correlationId, clientId, nodeId }) ?? {};
    if (fault.delayMs) await new Promise<void>((resolve) => void after(fault.delayMs ?? 0, resolve));
    if (fault.closeConnection && !fault.dropResponse) return void this.#socket.destroy();
    const w = new Writer().i32(correlationId);
    const call = { apiKey, version, clientId, nodeId, r, w, fault: fault.errorCode ?? 0, silent: false, onGone: null };
    this.#call = call;
    await handle(call);
    this.#call = null;
    if (fault.closeConnection) this.#socket.destroy();
    if (call.silent || fault.dropResponse || this.#socket.destroyed) return;
    this.#socket.cork();
    for (const piece of w.finish()) this.#socket.write(piece);
    this.#socket.uncork();
  }
}
