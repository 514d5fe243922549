/** The store black-holed and stalled under twice the usual load: ten seconds each in CI, a minute where SLUICE_FAULTS_MINUTES is set. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sluice } from '../../fixtures/sluice.ts';
import { audit } from '../ledger.ts';
import type { Toxic } from '../proxy.ts';
import { record } from '../report.ts';
import { memoryBoundMiB, sample } from '../sampling.ts';
import { type Road, startRoad } from './road.ts';

const OUTAGE_MS = process.env.SLUICE_FAULTS_MINUTES === undefined ? 10_000 : 60_000;
/** Twice the usual load, which is as much a second. */
const OFFERED_PER_SECOND = 1_000;
const BACKLOG = 20_000;
const CAP = { records: 5_000, bytes: 16 * 2 ** 20 };
/** A call's time-out is 1.5 s; the promise is two seconds, the rest is for a machine that does other things. */
const NOTICED_WITHIN_MS = 4_000;
/** The promise is 1.2 times backlog ÷ spare rate; the rest allows for the varying speed of a shared machine. */
const RECOVERY_FACTOR = 3;
const RECONNECT_MS = 6_000;

/** Each table in doubt is asked by one call at a time, after pauses that double from 0.1 to 2 s; two tables are read. */
const PROBES = 2 * (Math.ceil(Math.log2(2_000 / 100)) + OUTAGE_MS / 2_000);

const published = (sluice: Sluice): Promise<number> => sluice.metric('sluice_records_total', { fate: 'published' });

/** Sends flights at a steady pace, whatever happens to them. */
function offer(road: Road): { stop(): Promise<void> } {
  let stopped = false;
  const offering = (async () => {
    const startedMs = performance.now();
    for (let offered = 0; !stopped; ) {
      const due = Math.floor(((performance.now() - startedMs) / 1_000) * OFFERED_PER_SECOND);
      if (due > offered) await road.send(due - offered);
      offered = due;
      await pause(50);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await offering;
    },
  };
}

describe('the store is out', () => {
  let road: Road;
  before(async () => {
    road = await startRoad({ maxInFlight: { records: CAP.records, bytes: '16MiB' } });
  });
  after(() => road.stop());

  test('rows 13, 14: black-holed and stalled under load, the store is waited for, and nothing is lost', {
    timeout: 10 * 60_000,
  }, async () => {
    await road.send(BACKLOG);
    const sluice = road.start();
    await sluice.ready();
    const boundMiB = await memoryBoundMiB(sluice);
    const startedMs = performance.now();
    await sluice.until('the first backlog is settled', async () => (await published(sluice)) === BACKLOG);
    const perSecond = BACKLOG / ((performance.now() - startedMs) / 1_000);
    assert.ok(perSecond > OFFERED_PER_SECOND, `this machine settles ${perSecond} a second, less than is offered`);
    const sampling = sample(sluice);
    const load = offer(road);
    let mayFail = 0;
    const outages: { kind: string; noticedMs: number; backlog: number; recoveryMs: number; allowedMs: number }[] = [];
    for (const kind of ['blackhole', 'stall'] as const) {
      await sluice.until('it keeps up', async () => road.sent - (await published(sluice)) < OFFERED_PER_SECOND * 2);
      const toxic: Toxic = { kind };
      mayFail += (await sluice.metric('sluice_store_calls_allowed')) + PROBES;
      road.bigtable.poison(toxic);
      const poisonedMs = performance.now();
      const health = await sluice.until('the outage is noticed', async () => {
        const seen = await sluice.health();
        return seen.status === 503 && seen;
      });
      const noticedMs = performance.now() - poisonedMs;
      assert.match(health.reason, /store (airport|route): .*did not answer/);
      await pause(OUTAGE_MS - noticedMs);
      assert.equal((await sluice.health()).status, 503);
      assert.equal((await sluice.health('/live')).status, 200);
      const backlog = road.sent - (await road.answered());
      await road.bigtable.heal();
      const healedMs = performance.now();
      // From the topic: the page of metrics is a second old.
      const caughtUp = async (): Promise<boolean> => road.sent - (await road.answered()) < OFFERED_PER_SECOND;
      await sluice.until('the lag is gone', caughtUp, 5 * 60_000);
      const recoveryMs = performance.now() - healedMs;
      const idealMs = (backlog / (perSecond - OFFERED_PER_SECOND)) * 1_000;
      outages.push({ kind, noticedMs, backlog, recoveryMs, allowedMs: 1.2 * idealMs });
      assert.ok(noticedMs < NOTICED_WITHIN_MS, `${kind}: noticed after ${noticedMs} ms`);
      const limitMs = RECOVERY_FACTOR * idealMs + RECONNECT_MS;
      assert.ok(recoveryMs < limitMs, `${kind}: ${backlog} records caught up in ${recoveryMs} ms, not ${limitMs}`);
      await sluice.ready();
    }
    await load.stop();
    await sluice.until('everything is settled', async () => (await published(sluice)) === road.sent);
    await sampling.stop();
    assert.equal(await sluice.metric('sluice_rebalances_total'), 0);
    const failed = (
      await Promise.all(
        ['timed-out', 'unavailable', 'cancelled', 'broken'].map((result) =>
          sluice.metric('sluice_store_calls_total', { result }),
        ),
      )
    ).reduce((sum, calls) => sum + (calls || 0), 0);
    const ok = await sluice.metric('sluice_store_calls_total', { result: 'ok' });
    assert.ok((await sluice.metric('sluice_store_reconnects_total')) > 0);
    assert.equal(await sluice.stop(), 0);
    assert.equal(await road.deadLetters(), 0);
    const account = await audit(road.watched, { inputs: 'contiguous' });
    const duplicates = account.duplicates.count;
    const { samples } = sampling;
    process.stderr.write(
      `${JSON.stringify({ perSecond, outages, samples, boundMiB, ok, failed, mayFail, duplicates })}\n`,
    );
    assert.deepEqual(account.violations, []);
    assert.equal(account.published, road.sent);
    assert.ok(samples.inFlightRecords <= CAP.records && samples.inFlightBytes <= CAP.bytes, JSON.stringify(samples));
    assert.ok(samples.rssMiB <= boundMiB * 1.1, `${samples.rssMiB} MiB, the bound is ${boundMiB}`);
    // Every frame that waits asks again and again; the store must not pay for it: what was under way fails, and probes do.
    assert.ok(failed <= mayFail, `${failed} calls failed beside ${ok} that did not, ${mayFail} may`);
    record({
      rows: [13, 14],
      test: 'black-holed and stalled under load',
      faults: { blackhole: 1, stall: 1 },
      invariants: ['I1', 'I2', 'I3', 'I7', 'I8', 'I9'],
      duplicates: account.duplicates.count,
      recoveryMs: outages.map(({ recoveryMs }) => Math.round(recoveryMs)),
    });
  });
});
