import { createRequire } from 'node:module';

/** The part of kafkajs 2.2.4's runner that the guard looks at. */
interface Runner {
  readonly running: boolean;
  fetch(nodeId: string): Promise<unknown[]>;
}

type Fetch = Runner['fetch'] & { readonly isOurs?: true };

const require = createRequire(import.meta.url);

/**
 * When brokers come or go the client ends its fetchers and makes new ones. A consumer that is stopped in between finds the old ones ended, and
 * nobody ends the new ones; each of their fetches is answered at once, with nothing, because the consumer does not run (cause) → they ask
 * again and again without a turn of the loop: no timer fires any more, so no drain, no time-out, no signal ends the process
 * (effect; seen at SIGTERM after brokers bounced) → a fetch of a consumer that was stopped fails, which ends the fetchers, and
 * the client, which looks whether it runs before it tries again, is done (guard).
 *
 * Idempotent; whoever installs it has asked `checkClient` (internals.ts) before.
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
