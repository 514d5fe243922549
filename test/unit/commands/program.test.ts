import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHere } from '../../fixtures/io.ts';

const COMMANDS = [
  ['demo'],
  ['dev'],
  ['run'],
  ['batch'],
  ['check'],
  ['explain'],
  ['tail'],
  ['tune'],
  ['bench'],
  ['features', 'load'],
  ['features', 'get'],
  ['dlq', 'list'],
  ['dlq', 'show'],
  ['dlq', 'replay'],
  ['dlq', 'purge'],
];

for (const command of COMMANDS) {
  test(`sluice ${command.join(' ')} --help teaches: what it is for, every option, an example`, async () => {
    const { code, stdout, stderr } = await runHere([...command, '--help']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^Usage: sluice ${command.join(' ')} `));
    assert.match(stdout, new RegExp(`\\nExample.*:\\n  \\$ .*sluice ${command.join(' ')} \\S`));
    // An option without words would be one that nobody can use.
    assert.doesNotMatch(stdout, /^ {2}-[^\n]*(>|json|dry|exit)\s*(\(|$)/m);
    assert.doesNotMatch(stdout, /null|undefined|Infinity|default: false/);
  });
}

test('the first page names every command, the first steps and the exit codes', async () => {
  const { code, stdout } = await runHere(['--help']);
  assert.equal(code, 0);
  for (const [name] of COMMANDS) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  assert.match(stdout, /\$ sluice demo/);
  assert.match(stdout, /0 done.*\n.*1 failed.*2 wrong usage.*3 the drain budget ran out/);
});

test('without a command there is help, on standard error, as wrong usage', async () => {
  const { code, stdout, stderr } = await runHere([]);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^Usage: sluice/);
});

test('the version is that of the package', async () => {
  const { code, stdout } = await runHere(['--version']);
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

for (const [args, complaint] of [
  [['bach'], /unknown command 'bach'\n\(Did you mean batch\?\)/],
  [['check'], /missing required argument 'topology'/],
  [['check', 'a', 'b'], /too many arguments for 'check'/],
  [['check', 'a', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
  [['features', 'lod'], /unknown command 'lod'/],
  [['batch', 'a', '--output', '-'], /required option '--input <file>' not specified/],
  [['batch', 'a', '--input', 'x'], /required option '--output <file>' not specified/],
  [['batch', 'a', '--input', 'x', '--output', '-', '--limit', '0'], /'0' is invalid\. give a whole number, 1 or more/],
  [['batch', 'a', '--input', 'x', '--output', '-', '--limit', '1.5'], /'1\.5' is invalid\. give a whole number/],
  [['demo', '--records', 'many'], /'many' is invalid\. give a whole number/],
  [['demo', '--rate', '-1'], /'-1' is invalid/],
  [['run', 'a', '--listen', '9464'], /'9464' is invalid\. give HOST:PORT, such as 127\.0\.0\.1:9464/],
  [['run', 'a', '--listen', 'host:70000'], /'host:70000' is invalid/],
  [['run', 'a', '--log-level', 'loud'], /'loud' is invalid\. Allowed choices are debug, info, warn, error/],
] as const) {
  test(`wrong usage is told and ends with 2: ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await runHere(args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, complaint);
    assert.match(stderr, /--help tells more/);
  });
}

for (const [args, complaint] of [
  [['run', 'no.yaml'], /^sluice: no\.yaml cannot be run:\nno\.yaml:1:1 there is no file no\.yaml/],
  [['features', 'load', 'topologies/hello.yaml', '.'], /looks nothing up: there is nothing to load/],
  [
    ['features', 'load', 'topologies/flight-delay.yaml', 'none'],
    /there is no folder none; give one that holds airport\.jsonl or airport\.jsonl\.gz/,
  ],
  [['features', 'load', 'no.yaml', 'none'], /no\.yaml cannot be used:\nno\.yaml:1:1 there is no file/],
  [['demo', '--topology', 'no.yaml'], /^sluice: there is no file no\.yaml; give --topology a pipeline\n$/],
  [['check', 'no.yaml'], /^no\.yaml:1:1 there is no file no\.yaml\n.*\n\n1 error, 0 warnings/],
] as const) {
  test(`a file or folder that is not there is named, and ends with 2: ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await runHere(args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, complaint);
  });
}
