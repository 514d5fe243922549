import type { Consumer } from 'kafkajs';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { messageOf, translate } from './errors.ts';

/** The client's own crashes: one after which it restarts is counted, any other is a final failure. */
export function listenForCrashes(
  client: Consumer,
  deps: {
    readonly telemetry: Telemetry;
    readonly onCrash: () => void;
    readonly onFailed: (error: SluiceError) => void;
  },
  options: { readonly groupId: string; readonly brokers: readonly string[] },
): void {
  const { telemetry, onFailed } = deps;
  const { groupId, brokers } = options;
  client.on(client.events.CRASH, ({ payload }) => {
    deps.onCrash();
    const error = translate(payload.error, `keep consuming in group ${groupId}`, brokers);
    if (!payload.restart) {
      onFailed(
        error.disposition === 'fatal'
          ? error
          : new SluiceError('consumer-dead', `the Kafka client gave up: ${messageOf(payload.error)}`, payload.error),
      );
      return;
    }
    // The client retries a refused permission for ever, so that ends the run. A refused login may pass: credentials are rotated.
    if (error.code === 'broker-refused') onFailed(error);
    telemetry.counter('sluice_retries_total', { what: 'kafka-consumer', reason: error.code }).add(1);
    telemetry.event('consumer-restarting', { group: groupId, error: messageOf(payload.error) });
  });
}
