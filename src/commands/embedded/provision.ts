import { existsSync } from 'node:fs';
import { createBigtableWriter } from '../../adapters/bigtable/writer.ts';
import { featureFileOf, shapeOf } from '../../adapters/files/feature-rows.ts';
import type { EmbeddedBroker } from '../../devstack/kafka/broker.ts';
import type { Registry } from '../../devstack/registry.ts';
import { familiesOf } from '../../kernel/cells/feature-cells.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { lookUpsOf } from '../../plan/look-ups.ts';
import type { Topology, ValueFormat } from '../../plan/topology.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { featuresLoad } from '../features/load.ts';
import type { Io } from '../io.ts';
import type { Services } from './services.ts';

/** What an operator does once before a topology runs, done on the embedded services. Idempotent. */

export const PARTITIONS = 4;

/** Creates every topic that the topology names; existing ones are left as they are. Returns those that were created. */
export function makeTopics(topology: Topology, broker: EmbeddedBroker): readonly string[] {
  const { source, output, deadLetter, enrich } = topology;
  const changing = enrich.flatMap(({ cache }) => cache?.invalidateBy ?? []);
  const topics = [...new Set([...source.topics, output.topic, deadLetter.topic, ...changing])];
  const missing = topics.filter((topic) => broker.endOffsets(topic).length === 0);
  for (const topic of missing) broker.createTopic(topic, { partitions: PARTITIONS });
  return missing;
}

/** Registers the schemas that the wire format needs, under the subjects of their topics; returns their ids. */
export function registerSchemas(
  { source, output, connections }: Topology,
  registry: Registry,
): readonly { readonly subject: string; readonly id: number }[] {
  if (connections.registry === undefined) return [];
  const register = (topic: string, value: ValueFormat): { subject: string; id: number }[] => {
    if (value.kind !== 'avro' || value.wire !== 'confluent') return [];
    const subject = `${topic}-value`;
    return [{ subject, id: registry.register(subject, JSON.stringify(value.schema)) }];
  };
  return [...source.topics.flatMap((topic) => register(topic, source.value)), ...register(output.topic, output.value)];
}

/** A table and what was loaded into it; without `file` it was created empty. */
export interface Provisioned {
  readonly table: string;
  readonly rows: number;
  readonly file: string | undefined;
}

/** Creates the topology's tables and families, and loads TABLE.jsonl[.gz] of `folder`; rows that a file no longer has are removed. */
export async function loadTables(
  topology: Topology,
  services: Services,
  folder: string | undefined,
  io: Io,
  telemetry: Telemetry,
): Promise<readonly Provisioned[]> {
  const { bigtable } = topology.connections;
  // Redis and files are not embedded: the topology's own are used.
  const looked = lookUpsOf(topology).filter(({ from }) => from === 'bigtable');
  if (looked.length === 0 || bigtable === undefined) return [];
  if (folder !== undefined && !existsSync(folder))
    throw new SluiceError('file-missing', `there is no folder ${folder}; give --features a folder of feature files`);
  const { clock, random } = io;
  const writer = createBigtableWriter(
    { clock, telemetry, random },
    { ...bigtable, emulatorHost: services.env.BIGTABLE_EMULATOR_HOST },
  );
  try {
    const provisioned: Provisioned[] = [];
    for (const table of new Set(looked.map((entry) => entry.table))) {
      const enrich = looked.filter((entry) => entry.table === table);
      const beganMs = clock.wallMs();
      const file = folder === undefined ? undefined : fileOf(folder, table);
      if (folder === undefined || file === undefined) {
        const { views } = shapeOf(table, enrich);
        const layouts = new Set(enrich.map(({ layout }) => layout));
        const families = [...layouts].flatMap((layout) => familiesOf(layout, views));
        await writer.ensureTable(table, [...new Set(families)]);
        // Rows that were loaded from elsewhere stay.
        if (services.filled.delete(table)) services.bigtable.dropBefore(table, beganMs);
        provisioned.push({ table, rows: 0, file });
        continue;
      }
      const { tables } = await featuresLoad(
        { topology: { ...topology, enrich, details: [] }, dir: folder },
        { writer, clock },
      );
      services.bigtable.dropBefore(table, beganMs);
      services.filled.add(table);
      provisioned.push({ table, rows: tables.reduce((sum, { rows }) => sum + rows, 0), file });
    }
    return provisioned;
  } finally {
    await writer.close();
  }
}

function fileOf(folder: string, table: string): string | undefined {
  try {
    return featureFileOf(folder, table);
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'file-missing') return undefined;
    throw thrown;
  }
}
