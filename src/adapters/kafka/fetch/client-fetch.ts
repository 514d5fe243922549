import { createRequire } from 'node:module';
import type { Cluster, FetchBroker, FetchedMessage } from '../client/internals.ts';
import { singly } from '../record-batch/messages.ts';
import { type DecodeMessages, decodeMessages } from '../record-batch/read.ts';
import { type FetchedRecords, hideAborted } from './aborted-transactions.ts';

/**
 * Fetches of the client, decoded by us: `decodeMessages` in the place of the client's decoder, and a look at what every broker
 * answers, for aborted transactions.
 *
 * Promise: whoever reads with this client in this process gets what the client gives, one message per record. The one exception is
 * a consumer whose cluster was given to `keepBatches`: it gets one message per batch.
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

/** A fetch that has so much need not wait for company. */
const HELD_FETCH_BYTES = 512 * 1024;

/** A broker that answers a consumer which keeps batches. */
interface Keeper {
  readonly fetchHoldMs: number;
  /** What the last fetch brought was something. */
  found: boolean;
}

const keepers = new WeakMap<FetchBroker, Keeper>();
const clusters = new WeakSet<Cluster>();

/**
 * Each consumer has a cluster of its own, and that its brokers: none of them answers anybody else. Idempotent.
 *
 * A fetch is answered with the first record that comes (cause) → while a few thousand come in a second, each two milliseconds
 * bring some ten records for each partition, and most of the time goes into fetches and frames (effect) → where the last fetch
 * brought something, the broker holds the next one for `fetchHoldMs`, or until it has HELD_FETCH_BYTES (guard). A record that comes
 * after a pause waits for nobody. `fetchHoldMs` below 1: none does.
 */
export function keepBatches(cluster: Cluster, fetchHoldMs = 0): void {
  if (clusters.has(cluster)) return;
  clusters.add(cluster);
  const { findBroker } = cluster;
  cluster.findBroker = async (request) => {
    const broker = await findBroker.call(cluster, request);
    if (!keepers.has(broker)) keepers.set(broker, { fetchHoldMs: Math.floor(fetchHoldMs), found: false });
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
  if (!found || fetchHoldMs < 1) return request;
  return { ...request, minBytes: HELD_FETCH_BYTES, maxWaitTime: Math.min(fetchHoldMs, Number(request.maxWaitTime)) };
}

/** Responses are loaded anew when they are next used, so that ones loaded before this come to have it too. */
function installDecoder(require: NodeJS.Require): void {
  const path = require.resolve(`${FETCH}/v4/decodeMessages`);
  const legacy = require(path) as DecodeMessages;
  (require.cache[path] as NodeJS.Module).exports = (decoder: Parameters<DecodeMessages>[0]) =>
    decodeMessages(decoder, legacy);
  for (let version = FIRST_VERSION; version <= LAST_VERSION; version++) {
    delete require.cache[require.resolve(`${FETCH}/v${version}/response`)];
  }
}
