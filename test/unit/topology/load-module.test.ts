import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadTopology } from '../../../src/topology/load.ts';
import { loadModule } from '../../../src/topology/load-module.ts';
import { runHere } from '../../fixtures/io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-module-'));
after(() => rmSync(folder, { recursive: true }));

const HELLO = readFileSync('topologies/hello.ts', 'utf8').replaceAll(/'(schemas|models)\//g, `'${process.cwd()}/$1/`);

function load(name: string, text: string, env = {}) {
  const file = join(folder, name);
  writeFileSync(file, text);
  return loadTopology(file, env);
}

/** The first finding of a file that is wrong: `line:column path: message`, then the remedy. */
function wrong(name: string, text: string): { says: string; remedy: string; excerpt: string } {
  const loaded = load(name, text);
  assert.ok(!loaded.ok);
  const [{ line, column, path, message, remedy, excerpt }] = loaded.findings;
  return { says: `${line}:${column} ${path}: ${message}`, remedy, excerpt };
}

test('hello.ts and hello.yaml are the same pipeline', async () => {
  const [ts, yaml] = ['topologies/hello.ts', 'topologies/hello.yaml'].map((file) => loadTopology(file, {}));
  assert.ok(ts.ok && yaml.ok);
  assert.deepEqual({ ...ts.topology, file: '' }, { ...yaml.topology, file: '' });
  const plans = await Promise.all(
    ['ts', 'yaml'].map((kind) => runHere(['check', `topologies/hello.${kind}`, '--json'])),
  );
  assert.deepEqual(...(plans.map(({ stdout }) => JSON.parse(stdout)) as [unknown, unknown]));
});

test('a command takes it as it takes YAML', async () => {
  const { code, stdout } = await runHere([
    ...['batch', 'topologies/hello.ts', '--input', 'examples/flight-delay/events-500.jsonl'],
    ...['--limit', '2', '--output', '-'],
  ]);
  assert.equal(code, 0);
  assert.equal(stdout.trim().split('\n').length, 2);
});

test('references to the environment are replaced in it, and a missing one is found at its line', () => {
  const found = load('env.ts', HELLO, { KAFKA_BROKERS: 'kafka:9092' });
  assert.ok(found.ok);
  assert.deepEqual(found.topology.connections.kafka?.brokers, ['kafka:9092']);
  const { says } = wrong('unset.ts', HELLO.replace(':-localhost:9092', ''));
  assert.match(says, /^7:36 connections\.kafka\.brokers: \$\{KAFKA_BROKERS\} is not set/);
});

test('what is wrong is found where the literal has the key, with its line', () => {
  const unknown = wrong('unknown.ts', HELLO.replace('latencyBudget', 'latencyBudgett'));
  assert.match(unknown.says, /^15:11 flow\.latencyBudgett: unknown key "latencyBudgett"; did you mean "latencyBudget"/);
  assert.match(unknown.excerpt, /flow: \{ latencyBudgett/);
  assert.match(wrong('unit.ts', HELLO.replace("'50ms'", '50')).says, /^15:26 flow\.latencyBudget: 50 has no unit/);
  assert.match(wrong('missing.ts', HELLO.replace("group: 'hello',", '')).says, /^8:11 source\.group: is missing/);
});

test('what a topology cannot hold is refused, not dropped', () => {
  const swap = (to: string) => HELLO.replace("latencyBudget: '50ms'", to);
  assert.match(
    wrong('function.ts', swap('latencyBudget: (() => 1) as never')).says,
    /^15:26 flow\.latencyBudget: is a function/,
  );
  assert.match(wrong('nan.ts', swap('maxBatch: Number.NaN')).says, /flow\.maxBatch: is NaN/);
  assert.match(wrong('date.ts', swap('maxBatch: new Date(0) as never')).says, /flow\.maxBatch: is a Date/);
  assert.match(
    wrong('loop.ts', 'const a = {};\na.a = a;\nexport const topology = a;').says,
    /^3:1 a: is an object that contains itself/,
  );
});

test('a module that cannot be run says where and why', () => {
  assert.match(wrong('none.ts', 'export const topolgy = {};').says, /^1:1 : exports no "topology"/);
  assert.match(wrong('syntax.ts', '\nexport const topology = {\n  a: ,\n};').says, /^3:1 : is not TypeScript: /);
  assert.match(
    wrong('throws.ts', '\n  throw new Error("not today");').says,
    /^2:9 : failed when it was run: not today/,
  );
  assert.match(wrong('waits.ts', 'await 1;\nexport const topology = {};').says, /waits at its top level/);
  assert.match(
    wrong('import.ts', "import 'not-installed';\nexport const topology = {};").says,
    /Cannot find package 'not-installed'/,
  );
  assert.match(wrong('enum.ts', 'enum A { B }\nexport const topology = {};').says, /enum is not supported/);
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  assert.match(wrong('node_modules/inside.ts', HELLO).says, /is TypeScript inside node_modules/);
  assert.match(wrong('plain.mjs', 'export const topology = 1').says, /is not a map of keys/);
});

test('a file that was edited is read anew, and so is what it imports', () => {
  writeFileSync(join(folder, 'part.ts'), "export const name: string = 'one';");
  const text = `import { name } from './part.ts';\n${HELLO.replace("topology: 'hello'", 'topology: name')}`;
  const named = () => {
    const loaded = load('edited.ts', text);
    assert.ok(loaded.ok);
    return loaded.topology.name;
  };
  assert.equal(named(), 'one');
  writeFileSync(join(folder, 'part.ts'), "export const name: string = 'two';");
  assert.equal(named(), 'two');
});

test('a module that never ends is broken off, says so, and is read anew once it was repaired', () => {
  const file = join(folder, 'endless.ts');
  const endless = `import './spins.ts';\n${HELLO}`;
  writeFileSync(file, endless);
  for (const spins of [
    'for (;;) {}',
    'const a: unknown[] = []; while (true) a.push(1), a.pop();',
    'for (;;) try { f(); } finally { continue; }\nfunction f(): void { f(); }',
  ]) {
    writeFileSync(join(folder, 'spins.ts'), spins);
    const { errors } = loadModule(file, endless, { timeoutMs: 300 });
    assert.equal(errors.length, 1, spins);
    assert.match(errors[0].message, /^was still running after 300 ms/);
    assert.match(errors[0].remedy, /a loop that never ends, in it or in what it imports/);
    assert.equal(errors[0].file, file);
  }
  writeFileSync(join(folder, 'spins.ts'), 'export {};');
  assert.deepEqual(loadModule(file, endless, { timeoutMs: 5_000 }).errors, []);
});

test('a file that is not there is said to be missing, as any other', () => {
  const loaded = loadTopology(join(folder, 'nowhere.ts'), {});
  assert.ok(!loaded.ok);
  assert.match(loaded.findings[0].message, /there is no file/);
});

test('a password that is written in it is in no finding', () => {
  const login = `kafka: { sasl: { mechanism: 'plan', username: 'me', password: 'canary' },`;
  const written = HELLO.replace('kafka: {', login);
  assert.ok(written.includes('canary'));
  for (const text of [
    written,
    written.replace("'canary'", "'canary' oops"),
    `const password = 'canary'; const = 1;\n${HELLO}`,
  ]) {
    const { says, excerpt } = wrong('written.ts', text);
    assert.match(excerpt, /password(:| =) \*+/, says);
    assert.doesNotMatch(says + excerpt, /canary/);
  }
});
