import { createBigtableWriter } from '../adapters/bigtable/writer.ts';
import { createLog } from '../adapters/pino/log.ts';
import { EXIT, SluiceError } from '../kernel/errors.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { featuresLoad } from './features-load.ts';
import type { Io } from './io.ts';
import { readTopology } from './prepare.ts';

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
  const { bigtable } = topology.connections;
  if (bigtable === undefined) {
    throw new SluiceError(
      'topology-invalid',
      `${options.topology} names no connections.bigtable to load features into`,
    );
  }
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'warn', pretty: !options.json }) });
  const writer = createBigtableWriter(
    { clock, telemetry, random },
    { ...bigtable, emulatorHost: env.BIGTABLE_EMULATOR_HOST || undefined },
  );
  try {
    const { tables } = await featuresLoad(
      { topology, dir: options.dir, columns: options.columns },
      {
        writer,
        clock,
        progress: ({ table, rows }) => {
          if (stderr.isTTY && !options.json) stderr.write(`\r\u001b[K${table}: ${rows.toLocaleString('en')} rows`);
        },
      },
    );
    if (stderr.isTTY && !options.json) stderr.write('\r\u001b[K');
    if (options.json) stdout.write(`${JSON.stringify({ tables })}\n`);
    else for (const { table, rows } of tables) stderr.write(`${table}: ${rows.toLocaleString('en')} rows loaded\n`);
    return EXIT.done;
  } finally {
    await writer.close();
  }
}
