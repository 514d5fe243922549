import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { judgeOptions } from '../../bench/harness/options.ts';

const CONFIG = {
  rounds: { type: 'string', default: '3' },
  headers: { type: 'boolean', default: true },
} as const;

test('options are read, and left at what they are without a word', () => {
  assert.deepEqual(judgeOptions(CONFIG, []), {
    options: Object.assign(Object.create(null), { rounds: '3', headers: true }),
    words: [],
  });
  const asked = judgeOptions(CONFIG, ['--no-headers', '--rounds=5', 'table'], 1);
  assert.ok('options' in asked);
  assert.deepEqual([asked.options.rounds, asked.options.headers, asked.words], ['5', false, ['table']]);
});

test('what nobody knows is said in a line, with the word that was most likely meant', () => {
  assert.deepEqual(judgeOptions(CONFIG, ['--round', '5']), { wrong: 'no option --round; did you mean "--rounds"?' });
  assert.deepEqual(judgeOptions(CONFIG, ['--zebra']), { wrong: 'no option --zebra' });
  assert.deepEqual(judgeOptions(CONFIG, ['five']), { wrong: 'no place for five' });
  const incomplete = judgeOptions(CONFIG, ['--rounds']);
  assert.ok('wrong' in incomplete && !incomplete.wrong.includes('\n'), 'one line');
});

test('help is help whatever else is asked', () => {
  for (const argv of [['--help'], ['-h'], ['--zebra', '--help']]) {
    assert.deepEqual(judgeOptions(CONFIG, argv), { help: true });
  }
});

function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const words = ['--disable-warning=TimeoutNegativeWarning', 'bench/run.ts', ...args];
    execFile(process.execPath, words, { cwd: `${import.meta.dirname}/../..` }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('npm run bench teaches how to ask, and starts nothing for what it cannot run', { timeout: 60_000 }, async () => {
  const help = await bench('--help');
  assert.equal(help.code, 0);
  for (const word of ['--quick', '--peers', 'ffnn-avro', 'java-bare', 'platformatic-bare', 'paced'])
    assert.ok(help.stdout.includes(word), word);
  for (const [args, line] of [
    [['--workload', 'ligth'], /^no workload ligth; did you mean "light"\?; there are .*skew\n$/],
    [['--peers', 'go'], /^no peer go; there are sluice, .*\n$/],
    [['--mode', 'fast'], /^no mode fast; there are drain, paced\n$/],
    [['--rounds', 'many'], /^--rounds many is no number above zero\n$/],
  ] as const) {
    const { code, stdout, stderr } = await bench(...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, line);
  }
});
