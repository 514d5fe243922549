import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { program } from '../../src/commands/program.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { ended } from '../fixtures/until.ts';
import { fencesOf, pages, ROOT, read, tableOf } from './pages.ts';

/** One that ends later hangs: then it is told where it was. */
const WITHIN_MS = 180_000;
const PREFIX = /^npm run (?:--silent )?sluice -- /;
const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
const home = process.cwd();
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
for (const part of ['topologies', 'models', 'schemas'])
  cpSync(join(ROOT, part), join(folder, part), { recursive: true });
symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
process.chdir(folder);

/** Runs a command as it stands on a page, in a copy of what users edit. */
async function sluice(command: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const argv = ['node', 'sluice', ...command.replaceAll('\\\n', ' ').replace(PREFIX, '').trim().split(/\s+/)];
  const running = program(argv, {
    env: {},
    clock: createSystemClock(),
    random: () => 0.5,
    stdin: new PassThrough(),
    stdout,
    stderr,
    instance: 'docs',
    processorLoad: () => 0,
    onSignal: () => () => undefined,
  });
  const textOf = (stream: PassThrough): string => String(stream.read() ?? '');
  const code = await ended(command, WITHIN_MS, running).catch((error: Error) => {
    throw new Error(`${error.message}; it said: ${textOf(stdout)}${textOf(stderr)}`);
  });
  return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
}

/** Edits a file of the copy, which must hold `find` once. */
function edit(path: string, find: string, replace: string): void {
  const file = join(folder, path);
  const text = readFileSync(file, 'utf8');
  assert.equal(text.split(find).length, 2, `${path} must hold ${find} once`);
  writeFileSync(file, text.replace(find, replace));
}

const RUN = pages()
  .flatMap(fencesOf)
  .filter(({ info }) => info.includes('run'));

test('commands that pages mark to be run are ours and end well', async () => {
  assert.ok(RUN.length >= 2);
  for (const { path, body } of RUN) {
    for (const command of body.replaceAll('\\\n', ' ').trim().split('\n')) {
      assert.match(command, PREFIX, path);
      const { code, stderr } = await sluice(command);
      assert.equal(code, 0, `${path}: ${command}\n${stderr}`);
    }
  }
});

test('commands in all pages, run or not, are commands that there are, with options that they have', async () => {
  const lines = pages()
    .flatMap(fencesOf)
    .filter(({ info }) => info[0] === 'sh')
    .flatMap(({ path, body }) =>
      body
        .replaceAll('\\\n', ' ')
        .split('\n')
        .map((line) => ({ path, line })),
    )
    .map(({ path, line }) => ({ path, line: line.replace(PREFIX, 'sluice ').replace(/\s+#.*$/, '') }))
    .filter(({ line }) => line.startsWith('sluice '));
  assert.ok(lines.length > 50, String(lines.length));
  const helps = new Map<string, string>();
  for (const { path, line } of lines) {
    const words = line.split(/\s+/).slice(1);
    const name = words.slice(0, ['dlq', 'features'].includes(words[0]) ? 2 : 1).join(' ');
    if (!helps.has(name)) helps.set(name, (await sluice(`${name} --help`)).stdout);
    const help = helps.get(name) ?? '';
    assert.ok(help.startsWith(`Usage: sluice ${name} `), `${path}: ${line}`);
    for (const option of words.filter((word) => word.startsWith('--')))
      assert.match(help, new RegExp(`^  ${option}[ ,]`, 'm'), `${path}: ${line}`);
  }
});

test('files that pages give to node and python are there', () => {
  for (const { path, body, info } of pages().flatMap(fencesOf)) {
    if (info[0] !== 'sh') continue;
    for (const [, file] of body.matchAll(/^(?:node|python) ([\w./-]+)/gm))
      assert.ok(existsSync(join(ROOT, file)), `${path}: ${file}`);
  }
});

test('the commands of the README are those of the program', async () => {
  for (const [usage] of tableOf(read('README.md'), '## Commands')) {
    const words = usage.replaceAll('`', '').split(' ').slice(1);
    const name = words.filter((word) => /^[a-z]+$/.test(word));
    const { code, stdout } = await sluice(`${name.join(' ')} --help`);
    assert.equal(code, 0, usage);
    assert.match(stdout, new RegExp(`^Usage: sluice ${name.join(' ')} `));
    for (const option of words.filter((word) => word.startsWith('--')))
      assert.match(stdout, new RegExp(`${option}[ ,]`), usage);
  }
});

test('change a line and see: what the README promises happens', async () => {
  const readme = read('README.md');
  const [batch, check] = RUN.filter(({ path }) => path === 'README.md').map(({ body }) => body);
  const [, first] = /^1\. .*`("probability":.*?)`\.$/m.exec(readme) ?? [];
  const [, before, after] = /change `(.+?)` to `(.+?)`\.$/m.exec(readme) ?? [];
  const [, misspelt] = /^4\. Write `event\.(\w+)`/m.exec(readme) ?? [];

  const sixth = async (): Promise<string> => (await sluice(batch)).stdout.trim().split('\n')[5];
  assert.ok((await sixth()).includes(first), 'the sixth flight is as the README says');
  edit('models/flight-delay/1/bundle.yaml', before, after);
  const changed = JSON.parse(await sixth());
  assert.equal(changed.band, 'medium');
  assert.ok(!first.includes(changed.model), 'the digest is another');

  edit('models/flight-delay/1/bundle.yaml', 'event.distance', `event.${misspelt}`);
  const { code, stderr } = await sluice(check);
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`bundle\\.yaml:\\d+:\\d+ .*there is no event\\.${misspelt}`));
});
