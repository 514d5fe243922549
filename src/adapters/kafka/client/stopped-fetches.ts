import { createRequire } from 'node:module';

/** The part of kafkajs 2.2.4's runner that the guard looks at. */
interface Runner {
  readonly running: boolean;
  fetch(nodeId: string): Promise<unknown[]>;
}

type Fetch = Runner['fetch'] & { readonly isOurs?: true };

const require = createRequire(import.meta.url);

/**
 * When brokers come or go, the client ends its fetchers and makes new ones. If the consumer is stopped in between, nobody ends the new
 * fetchers; each of their fetches returns at once, with nothing, because the consumer is not running (cause) → they loop without
 * yielding to the event loop: no timer fires, so no drain, time-out or signal ends the process (effect; seen at SIGTERM after
 * brokers bounced) → a fetch of a stopped consumer fails, which ends the fetchers; the client checks whether it is running before
 * it retries, and is done (guard).
 *
 * Idempotent; call `checkClient` (internals.ts) before.
 */
export function endStoppedFetches(): void {
  const { prototype } = require('kafkajs/src/consumer/runner') as { prototype: { fetch: Fetch } };
  const { KafkaJSError } = require('kafkajs/src/errors') as { KafkaJSError: new (message: string) => Error };
  const { fetch } = prototype;
  if (fetch.isOurs) return;
  const ours = async function (this: Runner, nodeId: string): Promise<unknown[]> {
    if (!this.running) throw new KafkaJSError('the consumer was stopped');
    return fetch.call(this, nodeId);
  };
  prototype.fetch = Object.assign(ours, { isOurs: true as const });
}
