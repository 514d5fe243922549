/**
 * Java peers: Maven copies the jars of bench/peers/java/pom.xml into the cache folder once, javac compiles the sources into a
 * temporary folder at each start of the bench. The flags are for one core: no collector or compiler threads beside the work.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from './process.ts';

const SOURCES = 'bench/peers/java';
const FLAGS = ['-Xms512m', '-Xmx512m', '-Xmn256m', '-XX:+UseSerialGC'];
const run = promisify(execFile);
let compiled: Promise<string> | undefined;

export async function javaCommand(main: string, env: Readonly<Record<string, string>>): Promise<Command> {
  compiled ??= compile();
  return { file: 'java', args: [...FLAGS, '-cp', await compiled, main], env };
}

/** The class path. */
async function compile(): Promise<string> {
  const jars = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sluice', 'bench-jars');
  if (!existsSync(jars)) {
    const part = `${jars}.part`;
    rmSync(part, { recursive: true, force: true });
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${part}`];
    await run('mvn', ['-B', '-q', '-f', `${SOURCES}/pom.xml`, ...goal], { timeout: 600_000 });
    renameSync(part, jars);
  }
  const classes = mkdtempSync(join(tmpdir(), 'sluice-bench-java-'));
  process.once('exit', () => rmSync(classes, { recursive: true, force: true }));
  const sources = readdirSync(SOURCES)
    .filter((name) => name.endsWith('.java'))
    .map((name) => join(SOURCES, name));
  const classPath = `${classes}:${jars}/*`;
  await run('javac', ['-d', classes, '-cp', classPath, ...sources]);
  return classPath;
}
