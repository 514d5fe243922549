import { groupConformance } from './group-conformance.ts';
import { sinkConformance } from './sink-conformance.ts';
import { sourceConformance } from './source-conformance.ts';
import { topicLogConformance } from './topic-log-conformance.ts';
import { transactionConformance } from './transaction-conformance.ts';

/** A broker to run against. */
export interface BrokerUnderTest {
  /** host:port, comma-separated. */
  readonly brokers: string;
  /** Shortest session timeout the broker allows. */
  readonly minSessionMs?: number;
  stop(): Promise<void>;
}

/**
 * What source, sink, topic log and the transactions beneath them promise, tested against any broker that the client can speak to.
 * `start` is called once; topics and groups get names of their own.
 */
export function sourceSinkConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  sourceConformance(name, start);
  groupConformance(name, start);
  sinkConformance(name, start);
  topicLogConformance(name, start);
  transactionConformance(name, start);
}
