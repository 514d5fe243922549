import { createRequire } from 'node:module';
import { type Clock, pause } from '../../../kernel/clock.ts';

/**
 * Makes the network layer of kafkajs 2.2.4 cope with brokers that die or hang: seven guards, installed once in its classes. Call
 * `checkClient` (internals.ts) before installing them.
 *
 * - A request times out, and the client keeps the connection: brokers answer the requests of a connection in order, so all that
 *   follow time out behind it, and a hung broker still counts as connected and is asked again → hang up, unless the request
 *   waited behind one that may take longer.
 * - An answer that is cut off stays in the buffer, and the bytes of the next connection are appended to it: from then on no
 *   response can be parsed and no request is answered → every connection begins with an empty buffer.
 * - Disconnecting waits for requests in flight. A metadata refresh disconnects brokers that are gone, so it waits for them, and
 *   everybody waits for it → after `goodbyeMs` it hangs up.
 * - Disconnecting a disconnected broker adds one more listener to its dead socket each time, until Node warns of a leak on
 *   standard error → a dead socket is released first.
 * - When a broker closes a connection, the client forgets the broker: its other connection leaks; after the last one, the client
 *   has no way to any broker left; and a fetch from it fails with "not found in the cached metadata", which crashes the consumer
 *   → the broker is kept, and only the metadata counts as stale.
 * - Sends to one broker queue up, each for the leader that it chose before queueing: behind one that timed out, all the others
 *   time out too, one after the other → those that chose before the hang-up fail at once, and choose again.
 * - A session is renewed ten seconds before its end. One shorter than that is renewed before every request, but a broker accepts
 *   no second login within a second and hangs up → a short session is renewed halfway through.
 */
export interface Connection {
  readonly host: string;
  readonly port: number;
  connectionStatus: string;
  authenticatedAt: unknown;
  /** How long before the end of a session it is renewed. */
  reauthenticationThreshold: number;
  /** A time of the client's own, in ms; 0: for ever. */
  readonly sessionLifetime: { toString(): string };
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  socket?: { readonly destroyed?: boolean; destroy(): void } | null;
  /** By correlation id, which increases from request to request. */
  readonly requestQueue: { destroy(): void; readonly inflight: ReadonlyMap<number, unknown> };
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(call: Call): Promise<unknown>;
  rejectRequests(error: Error): void;
}

interface Call {
  readonly request: { readonly apiKey: number };
  readonly requestTimeout?: number | null;
}

export interface BrokerPool {
  metadataExpireAt: number | null;
  removeBroker(address: { readonly host: string; readonly port: number }): void;
  findBroker(request: { readonly nodeId: string }): Promise<Broker>;
}

export interface Broker {
  readonly connectionPool: { readonly host: string; readonly port: number; readonly pool: readonly Connection[] };
  produce(request: unknown): Promise<unknown>;
}

/** Requests of groups and transactions wait for the replicas of the coordinator's log: by key, in the protocol's order. */
const COORDINATED: ReadonlySet<number> = new Set([8, 9, 11, 12, 13, 14, 22, 24, 25, 26, 28]);
/** Brokers give such a log five seconds themselves (offsets.commit.timeout.ms). */
const COORDINATED_MS = 10_000;
const GOODBYE_MS = 1_000;
const LENGTH_BYTES = 4;
const RENEWAL_MS = 10_000;

const require = createRequire(import.meta.url);
let installed = false;

export function guardNetwork(clock: Clock): void {
  if (installed) return;
  installed = true;
  const { prototype: connection } = require('kafkajs/src/network/connection') as { prototype: Connection };
  const { prototype: pool } = require('kafkajs/src/cluster/brokerPool') as { prototype: BrokerPool };
  const { prototype: broker } = require('kafkajs/src/broker') as { prototype: Broker };
  const { KafkaJSConnectionError } = require('kafkajs/src/errors') as { KafkaJSConnectionError: LostConstructor };
  const hungUp = new WeakSet<Connection>();
  guardConnection(connection, { Lost: KafkaJSConnectionError, clock, hungUp }, GOODBYE_MS);
  guardPool(pool, hungUp);
  guardProduce(broker, KafkaJSConnectionError, hungUp);
}

type LostConstructor = new (message: string, at: { readonly broker: string }) => Error;

export function guardConnection(
  prototype: Connection,
  deps: { readonly Lost: LostConstructor; readonly clock: Clock; readonly hungUp: WeakSet<Connection> },
  goodbyeMs: number,
): void {
  const { Lost, clock, hungUp } = deps;
  const { connect, disconnect, send } = prototype;
  const dialling = new WeakMap<Connection, Promise<unknown>>();

  function hangUp(connection: Connection, because: string): void {
    const broker = `${connection.host}:${connection.port}`;
    hungUp.add(connection);
    connection.rejectRequests(new Lost(`${because}; hung up on ${broker}`, { broker }));
    connection.requestQueue.destroy();
    connection.socket?.destroy();
    connection.authenticatedAt = null;
    connection.connectionStatus = 'disconnected';
  }

  // Two concurrent calls would open two sockets, and lose one of them.
  prototype.connect = function (this: Connection): Promise<unknown> {
    const begun = dialling.get(this);
    if (begun !== undefined) return begun;
    this.chunks = [];
    this.bytesBuffered = 0;
    this.bytesNeeded = LENGTH_BYTES;
    const dial = connect.call(this).finally(() => dialling.delete(this));
    dialling.set(this, dial);
    return dial;
  };

  prototype.send = async function (this: Connection, call: Call): Promise<unknown> {
    const { socket } = this;
    this.reauthenticationThreshold = renewalMs(Number(this.sessionLifetime));
    const leastMs = COORDINATED.has(call.request.apiKey) ? COORDINATED_MS : 0;
    try {
      return await send.call(this, { ...call, requestTimeout: Math.max(call.requestTimeout ?? 0, leastMs) });
    } catch (thrown) {
      if ((thrown as Error).name !== 'KafkaJSRequestTimeoutError') throw thrown;
      const { correlationId } = thrown as { readonly correlationId?: number };
      // Another request may have run out of time first, and this be a new connection already. And one in front that may take
      // longer, a join say, is what this one waited for: the broker is not to blame.
      const isFirst = ![...this.requestQueue.inflight.keys()].some((id) => id < (correlationId ?? 0));
      if (isFirst && this.socket === socket) hangUp(this, 'a request ran out of time');
      const broker = `${this.host}:${this.port}`;
      throw new Lost((thrown as Error).message, { broker });
    }
  };

  prototype.disconnect = async function (this: Connection): Promise<unknown> {
    if (this.socket?.destroyed) this.socket = null;
    const { socket } = this;
    const over = new AbortController();
    void pause(clock, goodbyeMs, over.signal).then(() => {
      if (!over.signal.aborted && this.socket === socket) hangUp(this, 'a request was still under way at the end');
    });
    try {
      return await disconnect.call(this);
    } finally {
      over.abort();
    }
  };
}

/** How long before the end of a session of this length it is renewed. */
export function renewalMs(lifeMs: number): number {
  return lifeMs > 0 ? Math.min(RENEWAL_MS, lifeMs / 2) : RENEWAL_MS;
}

export function guardPool(prototype: BrokerPool, hungUp: WeakSet<Connection>): void {
  const { findBroker } = prototype;

  prototype.removeBroker = function (this: BrokerPool): void {
    this.metadataExpireAt = null;
  };

  prototype.findBroker = async function (this: BrokerPool, request): Promise<Broker> {
    const broker = await findBroker.call(this, request);
    for (const connection of broker.connectionPool.pool) hungUp.delete(connection);
    return broker;
  };
}

export function guardProduce(prototype: Broker, Lost: LostConstructor, hungUp: WeakSet<Connection>): void {
  const { produce } = prototype;

  prototype.produce = async function (this: Broker, request): Promise<unknown> {
    const { host, port, pool } = this.connectionPool;
    if (pool.some((connection) => hungUp.has(connection))) {
      const broker = `${host}:${port}`;
      throw new Lost(`${broker} hung while this waited for its turn`, { broker });
    }
    return produce.call(this, request);
  };
}
