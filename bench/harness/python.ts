/** Python peers run in a virtual environment of the cache folder, which pip fills once. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from './process.ts';

const REQUIREMENTS = 'bench/peers/python/requirements.txt';
const run = promisify(execFile);

export async function pythonCommand(script: string, env: Readonly<Record<string, string>>): Promise<Command> {
  const dir = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sluice', 'bench-python');
  const python = join(dir, 'bin', 'python');
  if (!existsSync(join(dir, 'ready'))) {
    await run('python3', ['-m', 'venv', dir]);
    await run(join(dir, 'bin', 'pip'), ['install', '-q', '-r', REQUIREMENTS], { timeout: 300_000 });
    await run('touch', [join(dir, 'ready')]);
  }
  return { file: python, args: [script], env };
}
