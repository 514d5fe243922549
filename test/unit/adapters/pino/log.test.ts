import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, type LogOptions } from '../../../../src/adapters/pino/log.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

function make(options: LogOptions = {}) {
  const lines: string[] = [];
  return { lines, log: createLog({ clock: new FakeClock() }, { ...options, write: (line) => void lines.push(line) }) };
}

test('a line is one JSON object with time, level, message and fields', () => {
  const { log, lines } = make();
  log.log('warn', 'records dead-lettered', { event: 'dead-lettered', reason: 'decode-failed', records: 3 });
  assert.equal(lines.length, 1);
  assert.ok(lines[0].endsWith('\n'));
  assert.deepEqual(JSON.parse(lines[0]), {
    level: 'warn',
    time: 1_700_000_000_000,
    event: 'dead-lettered',
    reason: 'decode-failed',
    records: 3,
    msg: 'records dead-lettered',
  });
});

test('lines below the level are not written, and silent writes none', () => {
  const { log, lines } = make({ level: 'warn' });
  log.log('info', 'no', {});
  log.log('error', 'yes', {});
  assert.equal(lines.length, 1);
  const silent = make({ level: 'silent' });
  silent.log.log('error', 'no', {});
  assert.equal(silent.lines.length, 0);
});

test('likely secrets are taken out by name and by form, at any depth, in both forms of line', () => {
  const fields = {
    sasl: { username: 'me', password: 'hunter2' },
    kafka: { ssl: true, sslKeyPassphrase: 'hunter2', clientId: 'sluice' },
    url: 'https://me:hunter2@registry.example/subjects',
    error: new SluiceError(
      'registry-refused',
      'refused https://me:hunter2@registry.example',
      new Error('token=hunter2'),
    ),
    header: 'Authorization: Bearer hunter2hunter2',
    list: [{ api_key: 'hunter2' }],
    tokens: 12,
  };
  for (const pretty of [false, true]) {
    const { log, lines } = make({ pretty });
    log.log('error', 'failed', fields);
    assert.doesNotMatch(lines[0], /hunter2/);
    assert.match(lines[0], /registry\.example\/subjects/);
    assert.match(lines[0], /clientId/);
    assert.match(lines[0], /registry-refused/);
  }
});

test('an error is code, message and causes; the stack only where nobody translated it', () => {
  const { log, lines } = make();
  log.log('error', 'failed', { error: new SluiceError('topic-missing', 'no topic flights', new Error('inner')) });
  log.log('error', 'failed', { error: new TypeError('x is not a function') });
  const [known, unknown] = lines.map((line) => JSON.parse(line).error);
  assert.equal(known.code, 'topic-missing');
  assert.equal(known.cause.message, 'inner');
  assert.equal(known.stack, undefined);
  assert.equal(unknown.name, 'TypeError');
  assert.match(unknown.stack, /log\.test/);
});

test('a field cannot flood a line: depth, length and bytes are bounded, cycles end', () => {
  const { log, lines } = make();
  const cycle: Record<string, unknown> = { payload: Buffer.alloc(5000), text: 'x'.repeat(50_000) };
  cycle.self = cycle;
  cycle.many = Array.from({ length: 10_000 }, (_, i) => i);
  log.log('info', 'big', { cycle, big: 12n, nothing: undefined, infinite: Number.POSITIVE_INFINITY });
  assert.ok(lines[0].length < 20_000, `${lines[0].length}`);
  const line = JSON.parse(lines[0]);
  assert.equal(line.cycle.payload, '[5000 bytes]');
  assert.equal(line.big, '12');
  assert.equal(line.infinite, 'Infinity');
});

test('a line for people: time, level, component, message, key=value', () => {
  const { log, lines } = make({ pretty: true });
  log.log('info', 'partition assigned', {
    component: 'pipeline',
    event: 'assigned',
    topic: 'flights.departed',
    partition: 0,
    ratio: 0.123456789,
    why: 'two words',
  });
  assert.match(
    lines[0],
    /^\d\d:\d\d:\d\d info {2}pipeline {2}partition assigned topic=flights\.departed partition=0 ratio=0\.123457 why="two words"\n$/,
  );
});

test('text from data cannot forge a line or reach the terminal', () => {
  const { log, lines } = make({ pretty: true });
  log.log('info', 'x', { key: 'a\n12:00:00 error forged', escape: '\u001b[2J\u009bx' });
  assert.equal(lines[0].split('\n').length, 2);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.doesNotMatch(lines[0].trimEnd(), /[\u0000-\u001f\u007f-\u009f]/);
});

test('colours are there only when asked for', () => {
  const plain = make({ pretty: true });
  plain.log.log('error', 'x', {});
  assert.ok(!plain.lines[0].includes('\u001b'));
  const colored = make({ pretty: true, color: true });
  colored.log.log('error', 'x', {});
  assert.ok(colored.lines[0].includes('\u001b[31merror'));
});
