/**
 * One node: a listening socket, its connections, and the requests in their byte streams. As in Kafka, a connection handles one
 * request at a time, in order: a waiting fetch or join delays the requests behind it.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Reader, Writer } from './wire.ts';

export type RequestInfo = {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string;
  readonly nodeId: number;
};
/** The fault to inject into a request. If the last two are both set, the work is done and then the connection is closed. */
export type Fault = {
  /** Delay before the work. */
  readonly delayMs?: number;
  /** Answer with this code, do nothing: Produce, Fetch, ListOffsets and all calls of groups and transactions. */
  readonly errorCode?: number;
  /** Do the work, never answer. */
  readonly dropResponse?: boolean;
  /** Do nothing, hang up. */
  readonly closeConnection?: boolean;
};
/** One request on its way through a handler, which reads what it needs from `r` and writes the body to `w`. */
export type Call = RequestInfo & {
  readonly r: Reader;
  readonly w: Writer;
  /** An error code to answer with instead of doing the work, or 0. */
  readonly fault: number;
  /** Set by the handler: there is no response to this call. */
  silent?: boolean;
  /** Set by the handler while it waits: the client has gone. */
  onGone?: () => void;
};
export type Timer = { cancel(): void };
export type After = (delayMs: number, fire: () => void) => Timer;
export type Hooks = { onRequest?(request: RequestInfo): Fault | undefined };
export type ServerOptions = {
  readonly nodeId: number;
  readonly port: number;
  readonly after: After;
  readonly handle: (call: Call) => void | Promise<void>;
  readonly hooks?: Hooks;
  /** Called with the reason when a client's connection is closed. */
  readonly log: (line: string) => void;
};
export type Server = { readonly id: number; readonly port: number; close(): Promise<void> };

export const HOST = '127.0.0.1';
const MAX_REQUEST_BYTES = 100 << 20;

export async function listen(options: ServerOptions): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, options);
  });
  server.listen(options.port, HOST);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  return { id: options.nodeId, port: (server.address() as AddressInfo).port, close };
}

function serve(socket: Socket, { nodeId, after, handle, hooks, log }: ServerOptions): void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let wanted = 4; // bytes: of the length of the next request, then of all of it
  let turn = Promise.resolve();
  let current: Call | undefined;

  const hangUp = (why: unknown): void => {
    log(`node ${nodeId} closed a connection: ${why}`);
    socket.destroy();
  };
  /** Extracts requests from the received bytes; copies them only if a request arrived in several chunks. */
  const receive = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    while (bytes >= wanted) {
      const [all] = chunks.length === 1 ? chunks : [Buffer.concat(chunks)];
      wanted = 4 + all.readInt32BE(0);
      if (wanted < 12 || wanted > MAX_REQUEST_BYTES)
        return void hangUp(`a request of ${wanted - 4} bytes: not a Kafka client, or above the limit`);
      chunks = [all];
      if (bytes < wanted) return;
      const request = all.subarray(4, wanted);
      turn = turn.then(() => answer(request)).catch(hangUp);
      bytes -= wanted;
      chunks = bytes > 0 ? [all.subarray(wanted)] : [];
      wanted = 4;
    }
  };
  const answer = async (request: Buffer): Promise<void> => {
    if (socket.destroyed) return;
    const r = new Reader(request);
    const ids = { apiKey: r.i16(), apiVersion: r.i16(), correlationId: r.i32(), clientId: r.str(), nodeId };
    const { delayMs, errorCode = 0, dropResponse, closeConnection } = hooks?.onRequest?.(ids) ?? {};
    if (delayMs) await new Promise<void>((resolve) => void after(delayMs, resolve));
    if (closeConnection && !dropResponse) return void socket.destroy();
    const call: Call = { ...ids, r, w: new Writer().i32(ids.correlationId), fault: errorCode };
    current = call;
    await handle(call);
    current = undefined;
    if (closeConnection) socket.destroy();
    if (!call.silent && !dropResponse && !socket.destroyed) socket.write(call.w.finish());
  };
  socket.on('data', receive);
  socket.on('error', () => socket.destroy()); // a client that resets is not news; 'close' follows
  socket.on('close', () => current?.onGone?.());
}
