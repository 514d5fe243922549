import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { program } from '../../src/commands/program.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { fencesOf, ROOT, read } from './pages.ts';

/** The guide as its reader does it: its commands and its edit, in order, in a folder of its own. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'));
const home = process.cwd();
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
for (const part of ['models', 'schemas']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
process.chdir(folder);

async function sluice(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const chunks = { stdout: '', stderr: '' };
  stdout.on('data', (text) => {
    chunks.stdout += text;
  });
  stderr.on('data', (text) => {
    chunks.stderr += text;
  });
  const code = await program(['node', 'sluice', ...line.replace('npm run sluice -- ', '').split(/\s+/)], {
    env: {},
    clock: createSystemClock(),
    random: () => 0.5,
    stdin: new PassThrough(),
    stdout,
    stderr,
    instance: 'guide',
    onSignal: () => () => undefined,
  });
  return { code, ...chunks };
}

/** Puts `lines` where the first proposed column and the comment below it are. */
function fillIn(path: string, lines: string): void {
  const file = join(folder, path);
  const text = readFileSync(file, 'utf8');
  const proposed = /^ {4}distance: .*\n {4}# 3 columns .*\n/m;
  assert.match(text, proposed);
  writeFileSync(file, text.replace(proposed, lines));
}

test('the guide leads from a schema and a model to predictions', async () => {
  const page = { path: 'docs/guide.md', text: read('docs/guide.md') };
  const said: string[] = [];
  for (const { info, body } of fencesOf(page).filter(({ info }) => info[1] === 'guide')) {
    if (info[0] === 'yaml') {
      fillIn(info[2], body);
      continue;
    }
    for (const line of body.trim().split('\n')) {
      const { code, stdout, stderr } = await sluice(line);
      assert.equal(code, 0, `${line}\n${stdout}\n${stderr}`);
      said.push(`${stdout}${stderr}`);
    }
  }
  const [init] = said;
  const [, promised] = /^> (.+)$/m.exec(page.text) ?? [];
  assert.ok(promised !== undefined && init.includes(promised), init);
  assert.match(said.at(-1) ?? '', /2 inputs = 2 outputs \+ 0 dead letters; every input exactly once/);
});
