import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { program } from '../../src/commands/program.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { until } from '../fixtures/until.ts';
import { fencesOf, ROOT, read } from './pages.ts';

/** The guide as its reader does it: its commands and its edits, in order, in a folder of its own. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'));
const home = process.cwd();
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
for (const part of ['models', 'schemas']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
process.chdir(folder);

interface Started {
  readonly said: { stdout: string; stderr: string };
  readonly code: Promise<number>;
  interrupt(): void;
}

function start(line: string, env: Readonly<Record<string, string>> = {}): Started {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = { stdout: '', stderr: '' };
  stdout.on('data', (text) => {
    said.stdout += text;
  });
  stderr.on('data', (text) => {
    said.stderr += text;
  });
  const handlers = new Set<(name: string) => void>();
  const code = program(['node', 'sluice', ...line.replace('npm run sluice -- ', '').split(/\s+/)], {
    env,
    clock: createSystemClock(),
    random: () => 0.5,
    stdin: new PassThrough(),
    stdout,
    stderr,
    instance: 'guide',
    processorLoad: () => 0,
    onSignal(stop) {
      handlers.add(stop);
      return () => void handlers.delete(stop);
    },
  });
  return {
    said,
    code,
    interrupt() {
      for (const stop of handlers) stop('SIGINT');
    },
  };
}

/** A command that must end well; what it said. */
async function run(line: string, env?: Readonly<Record<string, string>>): Promise<string> {
  const { said, code } = start(line, env);
  const ended = await code;
  assert.equal(ended, 0, `${line}\n${said.stdout}\n${said.stderr}`);
  return `${said.stdout}${said.stderr}`;
}

/** The commands of another terminal, while what the page ran before runs there without --exit. */
async function runBeside(last: string, lines: readonly string[]): Promise<string[]> {
  const dev = start(last.replace(' --exit', ''));
  await until('the events are settled', () => /^settled /m.test(dev.said.stderr));
  const env = Object.fromEntries(
    [...dev.said.stderr.matchAll(/^ {2}export (\w+)=(.+)$/gm)].map(([, key, value]) => [key, value]),
  );
  const said: string[] = [];
  for (const line of lines) said.push(await run(line, env));
  dev.interrupt();
  assert.equal(await dev.code, 0, dev.said.stderr);
  return said;
}

/** Where a reader would put the lines: in place of a proposed column, below or above what the page names, or in a new file. */
function write(path: string, lines: string): void {
  const file = join(folder, path);
  if (path.endsWith('.jsonl')) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, lines);
    return;
  }
  const places = [
    { of: /bundle\.yaml$/, at: /^ {4}distance: .*\n {4}# 3 columns .*\n/m, with: () => lines },
    {
      of: /shop\.yaml$/,
      at: lines.startsWith(' ') ? /^connections:.*\n/m : /^(?=model:)/m,
      with: (found: string) => found + lines,
    },
  ];
  const place = places.find(({ of }) => of.test(path));
  const text = readFileSync(file, 'utf8');
  assert.ok(place !== undefined, path);
  assert.match(text, place.at, `${path} has no place for\n${lines}`);
  writeFileSync(file, text.replace(place.at, place.with));
}

test('keys of the topology that the guide names are in the schema', () => {
  const reference = read('docs/reference/topology.md');
  const named = [...read('docs/guide.md').matchAll(/`((?:enrich\[\]|connections)\.[\w.]+)`/g)].map(([, key]) => key);
  assert.deepEqual(named, ['enrich[].cache.secondLevel', 'connections.redis']);
  for (const key of named) assert.ok(reference.includes(`\`${key}\``), key);
});

test('the guide leads from a schema and a model to predictions', async () => {
  const page = { path: 'docs/guide.md', text: read('docs/guide.md') };
  const said: string[] = [];
  let last = '';
  for (const { info, body } of fencesOf(page).filter(({ info }) => info[1] === 'guide')) {
    const lines = body.trim().split('\n');
    if (info[0] !== 'sh') write(info[2], body);
    else if (info[2] === 'beside') said.push(...(await runBeside(last, lines)));
    else {
      for (const line of lines) said.push(await run(line));
      last = lines[lines.length - 1];
    }
  }
  const [init] = said;
  const [, promised] = /^> (.+)$/m.exec(page.text) ?? [];
  assert.ok(promised !== undefined && init.includes(promised), init);
  const [tail, explain] = [
    said.find((text) => /^3:0 /m.test(text)),
    said.find((text) => /^record +shop\.events:3:0 /m.test(text)),
  ];
  assert.ok(tail !== undefined && explain !== undefined, 'tail shows the address that explain takes');
  assert.match(said.at(-1) ?? '', /features +airport: 1 row,/);
  assert.match(said.at(-1) ?? '', /2 inputs = 2 outputs \+ 0 dead letters; every input exactly once/);
});
