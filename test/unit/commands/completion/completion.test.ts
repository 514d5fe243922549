import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runHere } from '../../../fixtures/io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-completion-'));
after(() => rmSync(folder, { recursive: true }));

mkdirSync(join(folder, 'top'));
for (const file of ['two words.yaml', 'two.cases.yaml', 'two.ts', 'two.txt', 'top/a.yaml'])
  writeFileSync(join(folder, file), '');

const SHELLS = ['bash', 'zsh', 'fish'] as const;
const scripts = Object.fromEntries(
  await Promise.all(SHELLS.map(async (shell) => [shell, (await runHere(['completion', shell])).stdout] as const)),
);
for (const shell of SHELLS) writeFileSync(join(folder, `sluice.${shell}`), scripts[shell]);

/** What bash offers behind these words, the last of which is being typed. */
function bash(...words: readonly string[]): string[] {
  const script = `source sluice.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['--norc', '-c', script, 'bash', 'sluice', ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  return said.split('\n').filter((line) => line !== '');
}

const has = (command: string): boolean => spawnSync(command, ['--version']).status === 0;
const needs = (shell: string) => (has(shell) ? {} : { skip: `needs ${shell}, which is not installed` });

test('bash offers the commands that the help lists, and those of a command', needs('bash'), async () => {
  const { stdout } = await runHere(['--help']);
  const listed = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name).filter((name) => name !== 'help');
  assert.ok(listed.length > 10);
  assert.deepEqual(bash('').sort(), listed.sort());
  assert.deepEqual(bash('dlq', ''), ['list', 'show', 'replay', 'purge']);
  assert.deepEqual(bash('comp'), ['completion']);
});

test('bash offers the options of the command that one is at, wherever its arguments are', needs('bash'), () => {
  assert.ok(bash('run', '--').includes('--instances'));
  assert.ok(!bash('run', '--').includes('--reason'));
  assert.deepEqual(bash('dlq', 'list', 'topology.yaml', '--re'), ['--reason']);
  assert.deepEqual(bash('batch', '--input', 'run', '--lim'), ['--limit'], 'a value is no command');
  assert.ok(bash('-').includes('--version'));
  assert.ok(bash('check', '-').includes('--help'));
});

test('bash offers what an option or an argument may be', needs('bash'), () => {
  assert.deepEqual(bash('run', '--log-level', ''), ['debug', 'info', 'warn', 'error']);
  assert.deepEqual(bash('run', '--log-level', '=', 'd'), ['debug']);
  assert.deepEqual(bash('run', '--log-level', '='), ['debug', 'info', 'warn', 'error']);
  assert.deepEqual(bash('completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(bash('batch', 'x.yaml', '--limit', ''), [], 'nothing is known of a number');
});

test('bash offers files, folders, and topologies but not their cases', needs('bash'), () => {
  assert.deepEqual(bash('check', 'two').sort(), ['two words.yaml', 'two.ts']);
  assert.deepEqual(bash('check', 'to'), ['top'], 'and the folders on the way');
  assert.deepEqual(bash('batch', 'x.yaml', '--input', 'two.t').sort(), ['two.ts', 'two.txt']);
  assert.deepEqual(bash('batch', 'x.yaml', '--features', 't'), ['top']);
});

for (const [shell, flag] of [
  ['bash', '-n'],
  ['zsh', '-n'],
  ['fish', '--no-execute'],
] as const) {
  test(`the script for ${shell} is one`, needs(shell), () => {
    const { status, stderr } = spawnSync(shell, [flag, join(folder, `sluice.${shell}`)], { encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });
}

test('every script knows every command and option', async () => {
  for (const command of ['run', 'batch', 'dlq replay', 'init', 'test']) {
    const { stdout } = await runHere([...command.split(' '), '--help']);
    for (const [, option] of stdout.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm))
      for (const shell of SHELLS) assert.ok(scripts[shell].includes(option), `${shell}: ${command} --${option}`);
  }
});

test('another shell is refused, and the known ones are named', async () => {
  const { code, stderr } = await runHere(['completion', 'tcsh']);
  assert.equal(code, 2);
  assert.match(stderr, /Allowed choices are bash, zsh, fish/);
});
