import { createRequire } from 'node:module';
import { type Clock, pause } from '../../../kernel/clock.ts';

/**
 * The network layer of kafkajs 2.2.4, held to what a broker that died or hangs needs of it. Seven guards, put once into its
 * classes; whoever installs them has asked `checkClient` (internals.ts) before.
 *
 * - A request runs out of time, and the client keeps the connection: brokers answer a connection's requests in their order, so
 *   all that follows runs out of time behind it, and a hung broker counts as connected and is asked again → hang up, unless
 *   it waited behind one that may take longer.
 * - An answer that is cut off half way stays in the buffer, and the next connection's bytes are appended to it: from then on
 *   nothing fits, and no request is ever answered → every connection begins with an empty buffer.
 * - Disconnecting waits for what is under way; a refresh of the metadata disconnects the brokers that are gone, and so waits
 *   for them, and everybody for it → after `goodbyeMs` it hangs up.
 * - Disconnecting what is disconnected leaves one more listener on its dead socket, for as long as a broker is away, until Node
 *   warns of a leak on standard error → a dead socket is let go first.
 * - A broker that closed a connection is forgotten, and with it the way back: its other connection leaks, the last one
 *   takes the client's way to any broker along, and a fetch of it is "not found in the cached metadata", a crash of the
 *   consumer → it is kept, and only the metadata counts as old.
 * - Sends to one broker take turns, each with the leader that it chose before its turn: behind one that ran out of time, all
 *   others do the same, one after the other → those that chose before the hang-up fail at once, and choose again.
 * - A session is renewed ten seconds before its end; one of less is renewed before every request, and a broker takes no second
 *   login within a second: it hangs up → a short one is renewed at its half.
 */
export interface Connection {
  readonly host: string;
  readonly port: number;
  connectionStatus: string;
  authenticatedAt: unknown;
  /** How long before the end of a session it is renewed. */
  reauthenticationThreshold: number;
  /** 0: for ever; a number of the client's own, of milliseconds. */
  readonly sessionLifetime: { toString(): string };
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  socket?: { readonly destroyed?: boolean; destroy(): void } | null;
  /** By correlation id, which goes up from request to request. */
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

  // Two calls at a time would open two sockets, and lose one of them.
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

/** Before the end of a session of so many milliseconds. */
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
