import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { start } from '../fixtures/dev.ts';
import { runHere } from '../fixtures/io.ts';
import { ROOT } from '../fixtures/sluice.ts';

/** As a golden record may be off; errors of faults go into the hundreds, so it is taken of the error too. */
const TOLERANCE = 1e-5;

const TOPOLOGY = join(ROOT, 'topologies/weather.yaml');
const EXAMPLE = join(ROOT, 'examples/weather');
const folder = mkdtempSync(join(tmpdir(), 'sluice-weather-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Scored {
  readonly id: number;
  readonly error: number;
  readonly verdict?: string;
}

const linesOf = <Line>(text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const expected = linesOf<Scored>(readFileSync(join(EXAMPLE, 'expected.jsonl'), 'utf8'));

async function batch(input: string): Promise<Scored[]> {
  const args = ['--features', join(EXAMPLE, 'features'), '--input', join(EXAMPLE, input), '--output', '-'];
  const { code, stdout, stderr } = await runHere(['batch', TOPOLOGY, ...args]);
  assert.equal(code, 0, stderr);
  return linesOf(stdout);
}

function assertNear(found: readonly Scored[], wanted: readonly Scored[]): void {
  assert.deepEqual(
    found.map(({ id }) => id),
    wanted.map(({ id }) => id),
  );
  found.forEach(({ id, error }, i) => {
    const { error: right } = wanted[i];
    assert.ok(Math.abs(error - right) <= TOLERANCE * (1 + right), `reading ${id}: ${error}, expected ${right}`);
  });
}

describe('the weather example', () => {
  test('batch gives what the Python pipeline gave, for every reading, in the order of the file', async () => {
    const found = await batch('events.jsonl.gz');
    assertNear(found, expected);
    const strange = found.filter(({ verdict }) => verdict === 'strange').length;
    assert.ok(strange > 0 && strange < 10, `${strange} days of 2015 are strange`);
  });

  test('falsified readings are found as far off as there', async () => {
    const faults = linesOf<{ event: Scored; error: number }>(readFileSync(join(EXAMPLE, 'faults-30.jsonl'), 'utf8'));
    const found = await batch('faults-30.events.jsonl');
    assertNear(
      found,
      faults.map(({ event, error }) => ({ id: event.id, error })),
    );
    assert.ok(found.filter(({ verdict }) => verdict !== 'usual').length > 20);
  });

  test('through the embedded Kafka and Bigtable comes what batch gives, to the bit', async () => {
    const run = start(TOPOLOGY, { exit: true, show: 1_000 });
    assert.equal(await run.ended, 0, run.stderr.text);
    const streamed = run
      .told()
      .filter(({ event }) => event === 'prediction')
      .map(({ value }) => value as Scored);
    const byId = (a: Scored, b: Scored): number => a.id - b.id;
    assert.deepEqual(streamed.sort(byId), (await batch('events.jsonl.gz')).sort(byId));
  });
});
