import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { editedExample } from '../fixtures/edited-example.ts';
import { ROOT, Sluice, sluice } from '../fixtures/sluice.ts';

const DEMO = ['demo', '--records', '5000', '--rate', '0', '--exit'];
/** A CSI sequence, as terminals take them. */
const ESCAPE = '\u001b';

describe('demo', { concurrency: 2 }, () => {
  test('ends by itself with 0, plain lines when piped, a summary, and a ledger that adds up', async () => {
    const { code, stdout, stderr } = await sluice(DEMO);
    assert.equal(code, 0, stderr);
    assert.ok(!`${stdout}${stderr}`.includes(ESCAPE), 'no escape sequences in a pipe');
    assert.match(
      stderr,
      /Embedded Kafka at 127\.0\.0\.1:\d+, schema registry at http:\S+, Bigtable at 127\.0\.0\.1:\d+/,
    );
    assert.match(stderr, /in memory, gone at the end/);
    assert.match(stderr, /^Console: http:\/\/127\.0\.0\.1:\d+\/$/m);
    assert.match(stderr, /flights\.departed → flight-delay@1#[0-9a-f]{12} → flights\.delay-risk/);
    assert.match(
      stdout,
      /^ledger, read from the topics: 5,000 inputs = 5,000 outputs \+ 0 dead letters; every input exactly once$/m,
    );
    assert.match(stdout, /5,000/);
    assert.match(stdout, /p50.*p99/s);
    assert.match(stdout, /cache/);
  });

  test('--json: one object on standard output, nothing else', async () => {
    const { code, stdout, stderr } = await sluice([...DEMO, '--json']);
    assert.equal(code, 0, stderr);
    const summary = JSON.parse(stdout);
    assert.deepEqual(summary.ledger, {
      inputs: 5_000,
      outputs: 5_000,
      deadLetters: 0,
      lost: 0,
      waiting: 0,
      duplicates: 0,
    });
    assert.equal(stdout.trim().split('\n').length, 1);
  });

  test('a topology that asks for exactly once gets it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
    try {
      const file = editedExample(dir, 'once', (text) =>
        text.replace('delivery: at-least-once', 'delivery: exactly-once').replaceAll('schemas/', `${ROOT}/schemas/`),
      );
      const { code, stdout, stderr } = await sluice([
        'demo',
        '--records',
        '500',
        '--rate',
        '0',
        '--exit',
        '--topology',
        file,
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /500 inputs = 500 outputs \+ 0 dead letters; every input exactly once$/m);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} drains and ends with 0, and the ledger holds nothing twice`, async () => {
      const child = new Sluice(['demo', '--rate', '2000'], {});
      await child.until('a line says that it streams', () => / records=[1-9]/.test(child.stderr));
      child.signal(signal);
      assert.equal(await child.ended, 0, child.stderr);
      const [, inputs, outputs, deadLetters, waiting = '0', rest] =
        /ledger, read from the topics: (\S+) inputs = (\S+) outputs \+ (\S+) dead letters(?: \+ (\S+) that still wait in the topic, uncommitted)?; (.*)/.exec(
          child.stdout,
        ) ?? [];
      assert.ok(Number(outputs?.replaceAll(',', '')) > 0, child.stdout);
      const number = (text: string): number => Number(text.replaceAll(',', ''));
      assert.equal(number(inputs), number(outputs) + number(waiting), 'the sum is true');
      assert.equal(deadLetters, '0');
      assert.match(rest, /^every (input|other) exactly once$/);
    });
  }
});
