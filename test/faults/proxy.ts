/**
 * A TCP proxy that simulates a bad network. Each service behind it needs one of its own; Kafka brokers must
 * advertise its address. A toxic takes effect when bytes pass, so it can be added and removed at any time.
 *
 * Dropped bytes stay dropped: after heal, a black-holed connection stays deaf, as after a failover of the
 * network; a stalled one goes on, as after a pause. Jitter comes from the seed.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export type Toxic =
  /** Delays bytes by this much plus up to the jitter; the order stays. */
  | { readonly kind: 'latency'; readonly ms: number; readonly jitterMs?: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Small pieces, a moment apart. */
  | { readonly kind: 'slicer'; readonly bytes: number; readonly ms: number }
  /** Connections are reset, and new ones too. */
  | { readonly kind: 'reset' }
  /** Connections stay open and new ones are accepted; nothing comes through, and no error is reported. */
  | { readonly kind: 'blackhole' }
  /** As above, but what was sent comes through on heal. */
  | { readonly kind: 'stall' }
  /** A connection ends after so many bytes. */
  | { readonly kind: 'limit'; readonly bytes: number }
  /** The end of a connection is told late. */
  | { readonly kind: 'slow-close'; readonly ms: number }
  /** Nobody listens. */
  | { readonly kind: 'down' };

/** up: towards the service. */
export type Direction = 'up' | 'down';

export interface TcpProxy {
  /** host:port of the proxy, the same for its whole life. */
  readonly host: string;
  readonly port: number;
  /** Connections made so far. */
  readonly connections: number;
  poison(toxic: Toxic, directions?: readonly Direction[]): void;
  heal(): Promise<void>;
  close(): Promise<void>;
}

const BOTH: readonly Direction[] = ['up', 'down'];

/**
 * Hazard: libuv refuses to reset a connection whose writing side has ended, and Node takes it for closed all the same (cause) → at its exit
 * the process waits for the handle in a loop without end (effect) → such a connection is closed (guard).
 */
function resetHard(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

export async function createProxy(
  target: () => string,
  options: { readonly port?: number; readonly random?: () => number } = {},
): Promise<TcpProxy> {
  const random = options.random ?? (() => 0.5);
  const toxics: Record<Direction, Toxic | undefined> = { up: undefined, down: undefined };
  const pairs = new Set<readonly [Socket, Socket]>();
  let healed = Promise.withResolvers<void>();
  let connections = 0;
  let closed = false;

  const cut = (pair: readonly [Socket, Socket], reset: boolean): void => {
    pairs.delete(pair);
    for (const socket of pair) reset ? resetHard(socket) : socket.destroy();
  };

  /** Bytes one after the other from one side to the other, each held up as the toxic says. */
  async function flow(from: Socket, to: Socket, direction: Direction, pair: readonly [Socket, Socket]): Promise<void> {
    let passed = 0;
    for await (const chunk of from as AsyncIterable<Buffer>) {
      while (toxics[direction]?.kind === 'stall' && !closed) await healed.promise;
      const toxic = toxics[direction];
      passed += chunk.length;
      if (toxic?.kind === 'blackhole') continue;
      if (toxic?.kind === 'latency') await pause(toxic.ms + random() * (toxic.jitterMs ?? 0));
      if (toxic?.kind === 'bandwidth') await pause((chunk.length / toxic.bytesPerSecond) * 1_000);
      if (toxic?.kind === 'limit' && passed > toxic.bytes) return cut(pair, false);
      if (toxic?.kind === 'slicer') {
        for (let at = 0; at < chunk.length && toxics[direction] === toxic; at += toxic.bytes) {
          await write(to, chunk.subarray(at, at + toxic.bytes));
          await pause(toxic.ms);
          if (toxics[direction] !== toxic) await write(to, chunk.subarray(at + toxic.bytes));
        }
      } else await write(to, chunk);
    }
    const toxic = toxics[direction];
    if (toxic?.kind === 'slow-close') await pause(toxic.ms);
    if (!to.destroyed) to.end();
  }

  const server = createServer({ allowHalfOpen: true }, (near) => {
    connections++;
    const kind = toxics.up?.kind;
    if (kind === 'reset' || kind === 'down') return void resetHard(near);
    const [, host, port] = /^(.*):(\d+)$/.exec(target()) as RegExpExecArray;
    const far = connect({ port: Number(port), host, allowHalfOpen: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => cut(pair, false));
      socket.on('close', () => near.destroyed && far.destroyed && pairs.delete(pair));
    }
    // Errors of a socket that was cut are handled where it was cut.
    flow(near, far, 'up', pair).catch(() => cut(pair, false));
    flow(far, near, 'down', pair).catch(() => cut(pair, false));
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    host: `127.0.0.1:${port}`,
    port,
    get connections() {
      return connections;
    },
    poison(toxic, directions = BOTH) {
      for (const direction of directions) toxics[direction] = toxic;
      if (toxic.kind === 'reset' || toxic.kind === 'down') {
        toxics.up = toxic;
        for (const pair of [...pairs]) cut(pair, true);
      }
      if (toxic.kind === 'down') server.close();
    },
    async heal() {
      const wasDown = toxics.up?.kind === 'down';
      toxics.up = undefined;
      toxics.down = undefined;
      healed.resolve();
      healed = Promise.withResolvers<void>();
      if (!wasDown) return;
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    async close() {
      closed = true;
      healed.resolve();
      for (const pair of [...pairs]) cut(pair, false);
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

async function write(to: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length > 0 && !to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
}

/** The toxics of the fault matrix, in the strength that tests of seconds need. */
export const TOXICS: readonly Toxic[] = [
  { kind: 'latency', ms: 300, jitterMs: 300 },
  { kind: 'bandwidth', bytesPerSecond: 2_000 },
  { kind: 'slicer', bytes: 7, ms: 2 },
  { kind: 'reset' },
  { kind: 'blackhole' },
  { kind: 'stall' },
  { kind: 'limit', bytes: 600 },
  { kind: 'slow-close', ms: 1_000 },
  { kind: 'down' },
];
