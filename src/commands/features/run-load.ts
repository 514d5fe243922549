import { createLog } from '../../adapters/pino/log.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import { lookUpsOf } from '../../plan/look-ups.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';
import { readTopology } from '../prepare.ts';
import { createWriter, storesOf } from '../world/stores.ts';
import { featuresLoad, type LoadedTable } from './load.ts';

export interface FeaturesLoadOptions {
  readonly topology: string;
  readonly dir: string;
  readonly columns: readonly string[] | undefined;
  readonly json: boolean;
}

/** `sluice features load`: feature files → the topology's store. Resolves with the exit code. */
export async function runFeaturesLoad(options: FeaturesLoadOptions, io: Io): Promise<number> {
  const { clock, random, env, stderr, stdout } = io;
  const topology = readTopology(options.topology, env);
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'warn', pretty: !options.json }) });
  const stores = storesOf(lookUpsOf(topology)).filter((from) => from !== 'file');
  if (stores.length === 0) {
    const what = lookUpsOf(topology).length === 0 ? 'looks nothing up' : 'reads features from files as they are';
    throw new SluiceError('topology-invalid', `${options.topology} ${what}: there is nothing to load`);
  }
  const writers = stores.map((from) => createWriter(from, topology, { clock, telemetry, random, env }));
  try {
    const tables: LoadedTable[] = [];
    for (const [i, from] of stores.entries()) {
      const loaded = await featuresLoad(
        { topology, dir: options.dir, columns: options.columns, from },
        {
          writer: writers[i],
          clock,
          progress: ({ table, rows }) => {
            if (stderr.isTTY && !options.json) stderr.write(`\r\u001b[K${table}: ${rows.toLocaleString('en')} rows`);
          },
        },
      );
      tables.push(...loaded.tables);
    }
    if (stderr.isTTY && !options.json) stderr.write('\r\u001b[K');
    if (options.json) stdout.write(`${JSON.stringify({ tables })}\n`);
    else for (const { table, rows } of tables) stderr.write(`${table}: ${rows.toLocaleString('en')} rows loaded\n`);
    return EXIT.done;
  } finally {
    await Promise.all(writers.map((writer) => writer.close()));
  }
}
