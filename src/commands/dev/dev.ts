import { existsSync } from 'node:fs';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import { startServices } from '../embedded/services.ts';
import type { Io } from '../io.ts';
import { openDevConsole } from './console.ts';
import type { DevOptions } from './options.ts';
import { createDevReport } from './report.ts';
import { createSession } from './session.ts';
import { createChanges, type WatchFiles, watchFiles } from './watch.ts';

/**
 * `sluice dev`: the embedded services, and the user's topology running in them, restarted when one of its files changes. Resolves with
 * the exit code.
 * Promise: whatever addresses the topology has, no Kafka, registry or Bigtable outside this process is contacted. Limits: Redis is not
 * embedded, the topology's own is used; changes to modules that a TypeScript topology imports are not noticed.
 */
export async function dev(
  options: DevOptions,
  io: Io,
  { watch = watchFiles }: { watch?: WatchFiles } = {},
): Promise<number> {
  for (const [name, path] of [
    ['topology', options.topology],
    ['--features', options.features],
    ['--events', options.events],
  ] as const) {
    if (path !== undefined && !existsSync(path))
      throw new SluiceError('file-missing', `${name}: there is no ${path}; correct the path`);
  }
  if (options.exit && options.loop)
    throw new SluiceError(
      'usage-invalid',
      '--exit ends when all events are settled, and with --loop there is always another: leave one out',
    );
  const report = createDevReport(io, options.json);
  const services = await startServices({
    kafka: { port: options.kafkaPort, option: '--kafka-port' },
    registry: { port: options.registryPort, option: '--registry-port' },
    bigtable: { port: options.bigtablePort, option: '--bigtable-port' },
  });
  const embedded: Io = { ...io, env: { ...io.env, ...services.env } };
  const changes = createChanges({
    clock: io.clock,
    watch: options.exit ? () => ({ close: () => undefined }) : watch,
    lost: (reason) => report.tell({ event: 'note', text: reason }, `note         changes are not noticed: ${reason}`),
  });
  try {
    const console = await openDevConsole(io, options);
    const session = createSession(options, { io: embedded, services, report, changes, console });
    const forget = io.onSignal(session.onSignal);
    try {
      const { env } = services;
      report.tell({ event: 'listening', env, console: console.url }, listening(env, console.url));
      return (await session.run()) ?? EXIT.done;
    } finally {
      forget();
      await console.close();
    }
  } finally {
    changes.close();
    await services.close();
  }
}

/** Lines to copy into another terminal. */
function listening(env: Readonly<Record<string, string>>, url: string | undefined): string {
  return [
    'Kafka, a schema registry and Bigtable, in this process, in memory, gone at the end:',
    ...Object.entries(env).map(([name, value]) => `  export ${name}=${value}`),
    ...(url === undefined ? [] : [`Console: ${url}`]),
  ].join('\n');
}
