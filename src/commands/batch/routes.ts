import { SluiceError } from '../../kernel/errors.ts';
import type { Sink } from '../../ports/sink.ts';

/** Combines several sinks into one that routes by topic. */
export function routed(routes: ReadonlyMap<string, Sink>): Sink {
  const sinks = [...new Set(routes.values())];
  const sinkOf = (topic: string): Sink => {
    const sink = routes.get(topic);
    if (sink === undefined) throw new SluiceError('invariant-broken', `nothing is said of where topic ${topic} goes`);
    return sink;
  };
  return {
    async open(topics) {
      for (const sink of sinks) await sink.open(topics.filter((topic) => routes.get(topic) === sink));
    },
    partitionCount: (topic) => sinkOf(topic).partitionCount(topic),
    send: (topic, partition, rows) => sinkOf(topic).send(topic, partition, rows),
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()));
    },
  };
}
