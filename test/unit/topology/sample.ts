import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A topology with every key, one a line, so that a test can break one line and know its number. */
export const SAMPLE = `topology: sample
connections:
  kafka:
    brokers: "\${KAFKA_BROKERS:-localhost:9092}"
  registry:
    url: "http://localhost:8081"
  bigtable:
    project: dev
    instance: dev
source:
  topics: [flights.departed]
  group: sample
  from: earliest
  value: { avro: schemas/event.avsc, wire: confluent }
  onTombstone: drop
enrich:
  - from: bigtable
    table: route
    key: "{origin}#{destination}"
    views:
      route: { family: agg, columns: [late_share, mean_delay] }
      slots: { family: slots, columns: ["n[96]", "l[96]"], maxAge: 7d, onStale: use }
    onMissing: impute
    layout: packed
    cache: { entries: 100000, ttl: 10m, negativeTtl: 1m }
model:
  bundle: models/flight-delay
  device: auto
flow:
  latencyBudget: 50ms
  maxBatch: 256
  maxInFlight: { records: 20000, bytes: 64MiB }
  order: partition
  delivery: at-least-once
  drain: 20s
output:
  topic: flights.delay-risk
  key: "{id}"
  value: { avro: schemas/risk.avsc, wire: confluent }
  fields: { id: event.id, probability: prediction.probability, model: model.digest }
deadLetter: { topic: flights.dead-letter }
`;

export const EVENT_SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'origin', type: ['null', 'string'], default: null },
    { name: 'destination', type: ['null', 'string'], default: null },
  ],
};

/** A folder with `files` in it and the two schemas; `remove` takes it away again. */
export function folderWith(files: Readonly<Record<string, string>>): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-topology-'));
  mkdirSync(join(folder, 'schemas'));
  writeFileSync(join(folder, 'schemas/event.avsc'), JSON.stringify(EVENT_SCHEMA));
  writeFileSync(join(folder, 'schemas/risk.avsc'), JSON.stringify({ ...EVENT_SCHEMA, name: 'Risk' }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
