/** Row 12 on the whole: each toxic on real Kafka, the store's emulator and the registry, under a process that has work to do. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { audit } from '../ledger.ts';
import { type Direction, TOXICS } from '../proxy.ts';
import { record } from '../report.ts';
import { memoryBoundMiB, sample } from '../sampling.ts';
import { type Road, startRoad } from './road.ts';

const LONG = process.env.SLUICE_FAULTS_MINUTES !== undefined;
const TOXIC_MS = LONG ? 15_000 : 2_000;
const WAYS: readonly (readonly Direction[])[] = LONG ? [['up', 'down'], ['up'], ['down']] : [['up', 'down']];
const EACH = 1_000;
const CAP = { records: 5_000, bytes: 16 * 2 ** 20 };

describe('a bad network', () => {
  let road: Road;
  before(async () => {
    road = await startRoad({ kafkaToo: true });
  });
  after(() => road.stop());

  test('row 12: each toxic on Kafka, Bigtable and the registry: held up, never lost, and on again', {
    timeout: 20 * 60_000,
  }, async () => {
    await road.send(EACH);
    const sluice = road.start();
    await sluice.ready();
    const boundMiB = await memoryBoundMiB(sluice);
    const sampling = sample(sluice);
    const answered = async (): Promise<boolean> => (await road.answered()) === road.sent;
    await sluice.until('the first are answered', answered);
    const recoveryMs: number[] = [];
    let faults = 0;
    for (const service of ['bigtable', 'registry', 'kafka'] as const) {
      for (const toxic of TOXICS) {
        for (const way of WAYS) {
          const proxy = road[service];
          // What upstream sends takes the same way: it is sent before.
          if (service === 'kafka') await road.send(EACH);
          proxy.poison(toxic, way);
          faults++;
          if (service === 'registry') await road.newWriter();
          if (service !== 'kafka') await road.send(EACH);
          await pause(TOXIC_MS);
          assert.equal((await sluice.health('/live')).status, 200, `${service} ${toxic.kind}`);
          await proxy.heal();
          const healedMs = performance.now();
          await sluice.until(`all are answered after ${toxic.kind} of ${service}`, answered);
          recoveryMs.push(Math.round(performance.now() - healedMs));
        }
      }
      if (service !== 'kafka') assert.equal(await sluice.metric('sluice_rebalances_total'), 0, 'members stay');
    }
    await sluice.ready();
    await sampling.stop();
    assert.equal(await sluice.stop(), 0);
    assert.equal(await road.deadLetters(), 0);
    const account = await audit(road.watched, { inputs: 'contiguous', order: true });
    assert.deepEqual(account.violations, []);
    const { samples } = sampling;
    assert.ok(samples.inFlightRecords <= CAP.records && samples.inFlightBytes <= CAP.bytes, JSON.stringify(samples));
    assert.ok(samples.rssMiB <= boundMiB * 1.1, `${samples.rssMiB} MiB, the bound is ${boundMiB}`);
    const duplicates = account.duplicates.count;
    process.stderr.write(`${JSON.stringify({ faults, recoveryMs, samples, boundMiB, duplicates })}\n`);
    const invariants = ['I1', 'I2', 'I3', 'I5', 'I7', 'I8'];
    record({
      rows: [12],
      test: 'each toxic on each service',
      faults: { toxic: faults },
      invariants,
      duplicates,
      recoveryMs,
    });
  });
});
