import { defineTopology } from 'sluice/topology';

/** hello.yaml as TypeScript: the same keys, known to the editor and the compiler; `${NAME}` is read from the environment here too. */
export const topology = defineTopology({
  topology: 'hello',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Sluice that reads it
  connections: { kafka: { brokers: '${KAFKA_BROKERS:-localhost:9092}' } },
  source: {
    topics: ['hello.flights'],
    group: 'hello',
    from: 'earliest',
    value: { json: 'schemas/flight-departed.avsc' },
  },
  model: { bundle: 'models/hello' },
  flow: { latencyBudget: '50ms' },
  output: {
    topic: 'hello.late',
    key: '{id}',
    value: { json: 'schemas/hello-late.avsc' },
    fields: { id: 'event.id', probability: 'prediction.probability' },
  },
  deadLetter: { topic: 'hello.dead-letter' },
});
