import { createBroker } from '../../src/devstack/kafka/broker.ts';
import { sourceSinkConformance } from './source-sink.ts';

sourceSinkConformance('embedded broker', async () => {
  const broker = await createBroker({ log: () => {} });
  return { brokers: broker.brokers.join(','), minSessionMs: 600, stop: () => broker.close() };
});
