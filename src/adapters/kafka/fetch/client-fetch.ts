import { createRequire } from 'node:module';
import type { Cluster, FetchBroker, FetchedMessage } from '../client/internals.ts';
import { singly } from '../record-batch/messages.ts';
import { type DecodeMessages, decodeMessages } from '../record-batch/read.ts';
import { type FetchedRecords, hideAborted } from './aborted-transactions.ts';

/**
 * Makes the client's fetches use our decoder: `decodeMessages` in place of the client's, and a check of every answer for aborted
 * transactions.
 *
 * Promise: any other reader with this client in this process gets one message per record, as before. Only a consumer whose cluster
 * was given to `keepBatches` gets one message per batch.
 */
interface FetchResponse {
  readonly responses: readonly { readonly partitions: readonly Partition[] }[];
}

interface Partition extends FetchedRecords {
  messages: readonly FetchedMessage[];
}

type Fetch = ((this: FetchBroker, request: Record<string, unknown>) => Promise<FetchResponse>) & {
  readonly isOurs?: true;
};

const FETCH = 'kafkajs/src/protocol/requests/fetch';
const FIRST_VERSION = 4;
const LAST_VERSION = 11;

/** A fetch with this much is answered without being held any longer. */
const HELD_FETCH_BYTES = 512 * 1024;

/** State of a broker whose consumer keeps batches. */
interface Keeper {
  readonly fetchHoldMs: () => number;
  /** Whether the last fetch brought anything. */
  found: boolean;
}

const keepers = new WeakMap<FetchBroker, Keeper>();
const clusters = new WeakSet<Cluster>();

/**
 * Each consumer has its own cluster object, with its own broker objects, so this concerns no other reader. Idempotent.
 *
 * A broker answers a fetch with the first record that arrives (cause) → at a few thousand records a second, a fetch returns every two
 * milliseconds with some ten records per partition, and most of the time goes into fetches and frames (effect) → if the last fetch
 * brought something, the broker holds the next one for `fetchHoldMs`, or until it has HELD_FETCH_BYTES (guard). A record that comes
 * after a pause is not held. With `fetchHoldMs` below 1, none is.
 */
export function keepBatches(cluster: Cluster, fetchHoldMs: () => number = () => 0): void {
  if (clusters.has(cluster)) return;
  clusters.add(cluster);
  const { findBroker } = cluster;
  cluster.findBroker = async (request) => {
    const broker = await findBroker.call(cluster, request);
    if (!keepers.has(broker)) keepers.set(broker, { fetchHoldMs, found: false });
    return broker;
  };
}

/** Idempotent; client/internals.ts has made sure of the version. */
export function installFetch(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/broker') as { prototype: { fetch: Fetch } };
  const { fetch } = prototype;
  if (fetch.isOurs) return;
  const ours = async function (this: FetchBroker, request: Record<string, unknown>): Promise<FetchResponse> {
    const keeper = keepers.get(this);
    const response = await fetch.call(this, keeper === undefined ? request : held(request, keeper));
    let found = false;
    for (const { partitions } of response.responses) {
      for (const partition of partitions) {
        hideAborted(partition);
        if (keeper === undefined) partition.messages = await singly(partition.messages);
        found ||= partition.messages.length > 0;
      }
    }
    if (keeper !== undefined) keeper.found = found;
    return response;
  };
  prototype.fetch = Object.assign(ours, { isOurs: true as const });
  installDecoder(require);
}

function held(request: Record<string, unknown>, { fetchHoldMs, found }: Keeper): Record<string, unknown> {
  const holdMs = found ? Math.floor(fetchHoldMs()) : 0;
  if (holdMs < 1) return request;
  return { ...request, minBytes: HELD_FETCH_BYTES, maxWaitTime: Math.min(holdMs, Number(request.maxWaitTime)) };
}

/** Response modules are reloaded on their next use, so that those already loaded get our decoder too. */
function installDecoder(require: NodeJS.Require): void {
  const path = require.resolve(`${FETCH}/v4/decodeMessages`);
  const legacy = require(path) as DecodeMessages;
  (require.cache[path] as NodeJS.Module).exports = (decoder: Parameters<DecodeMessages>[0]) =>
    decodeMessages(decoder, legacy);
  for (let version = FIRST_VERSION; version <= LAST_VERSION; version++) {
    delete require.cache[require.resolve(`${FETCH}/v${version}/response`)];
  }
}
