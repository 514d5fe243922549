import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createOnnxRuntime } from '../../../src/adapters/onnx/runtime.ts';
import { startIsolated } from '../../fixtures/isolated.ts';
import { DEVOURS, HANGS, LEAVES_OUT, POISON, TAKES_LOGARITHMS, THROWS, WIDENS } from '../../fixtures/models.ts';
import { type TestModel, writeOnnx } from '../../fixtures/onnx.ts';
import { until } from '../../fixtures/until.ts';
import { event, origin, startWorld } from '../../fixtures/world.ts';
import { record } from '../report.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-rows-'));
after(() => rmSync(folder, { recursive: true }));

interface Case {
  readonly row: number;
  readonly title: string;
  readonly model: TestModel;
  readonly value: number;
  readonly reason: string;
  /** Of a value that is no poison. */
  readonly answer?: (x: number) => number;
  readonly isolated?: { readonly maxBytes: number };
}

const CASES: readonly Case[] = [
  { row: 22, title: 'a row for which the model throws', model: THROWS, value: POISON, reason: 'model-failed' },
  {
    row: 23,
    title: 'an output that is no number',
    model: TAKES_LOGARITHMS,
    value: -1,
    reason: 'output-not-finite',
    answer: (x) => Math.log(x),
  },
  {
    row: 23,
    title: 'an infinite output',
    model: TAKES_LOGARITHMS,
    value: 0,
    reason: 'output-not-finite',
    answer: (x) => Math.log(x),
  },
  { row: 23, title: 'an output of another width', model: WIDENS, value: POISON, reason: 'model-failed' },
  { row: 23, title: 'an output with a row less', model: LEAVES_OUT, value: POISON, reason: 'model-failed' },
  {
    row: 24,
    title: 'a row for which the model hangs',
    model: HANGS,
    value: POISON,
    reason: 'model-failed',
    isolated: { maxBytes: 0 },
  },
  {
    row: 24,
    title: 'a row for which the model takes all the memory',
    model: DEVOURS,
    value: POISON,
    reason: 'model-failed',
    isolated: { maxBytes: 512 * 1024 * 1024 },
  },
];

/** The logarithm of float32 differs from ours in the last digits. */
const rounded = ({ id, y }: { id: number; y: number }) => ({ id, y: Number(y.toFixed(4)) });

for (const { row, title, model, value, reason, answer = (x: number) => 2 * x, isolated } of CASES) {
  for (const where of isolated === undefined
    ? (['on this thread', 'in a process'] as const)
    : (['in a process'] as const)) {
    test(`row ${row}: ${title} costs that record alone, and nothing its order (${where})`, async (context) => {
      const world = startWorld({ flow: { maxBatch: 32 } });
      const { clock, telemetry } = world;
      const inside =
        where === 'in a process' ? await startIsolated({ model, folder, clock, telemetry, ...isolated }) : undefined;
      const session =
        inside?.session ??
        (await createOnnxRuntime({ telemetry }).load({
          file: writeOnnx(model, folder),
          device: 'cpu',
          feeds: [{ name: 'x', dtype: 'float32', rowShape: [1] }],
          fetches: ['y'],
        }));
      context.after(() => session.close());
      Object.assign(world.session, { run: session.run });
      await clock.advance(0);
      const from = [origin(0), origin(1)];
      for (const each of from) world.source.assign(each);
      const poisoned = [`in/0/7`, `in/1/20`];
      for (const each of from) {
        const events = Array.from({ length: 25 }, (_, n) => {
          const isPoison = poisoned.includes(`in/${each.partition}/${n}`);
          return event(n, isPoison ? value : n + 1);
        });
        await world.source.feed(each, events);
      }
      await until('all is settled', async () => {
        const doing = inside?.busy();
        const hangs = doing !== undefined && doing !== 'load' && doing.poisoned && model === HANGS;
        // Time passes for a run that hangs, and while nothing runs: a slow machine makes no run hang.
        if (doing === undefined || hangs) await clock.advance(hangs ? 1_000 : 50);
        return world.credit.records === 0;
      });
      const outcome = await world.finish();

      assert.equal(outcome.result, 'done', outcome.error?.message);
      const dead = world.sink.acknowledged.filter(({ topic }) => topic === 'dead');
      assert.deepEqual(world.sink.sources('dead').sort(), poisoned);
      assert.deepEqual(new Set(dead.map(({ headers }) => headers['__dlq.errors.reason'])), new Set([reason]));
      for (const { partition } of from) {
        const out = world.sink.acknowledged.filter(
          ({ topic, headers }) => topic === 'out' && headers['sluice-source'].startsWith(`in/${partition}/`),
        );
        const expected = Array.from({ length: 25 }, (_, n) => rounded({ id: n, y: answer(n + 1) })).filter(
          ({ id }) => !poisoned.includes(`in/${partition}/${id}`),
        );
        assert.deepEqual(
          out.map((sent) => rounded(JSON.parse(String(sent.value)))),
          expected,
        );
      }
      record({
        rows: [row],
        test: context.name,
        faults: { poison: 2 },
        invariants: ['I2', 'I5', 'I10'],
        duplicates: 0,
      });
    });
  }
}
