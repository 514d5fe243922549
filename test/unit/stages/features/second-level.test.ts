import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../../../src/kernel/clock.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { createSecondLevel } from '../../../../src/stages/features/second-level.ts';
import { AGG, blank, sortedKeys } from '../../../contract/feature-store-parts.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { FakeSharedCache } from '../../../fixtures/fake-shared-cache.ts';
import { FakeStore, Gate } from '../../../fixtures/fakes.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const TTL_MS = 3_600_000;
const NEGATIVE_TTL_MS = 60_000;
const OF = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2 } as const;

/** A process on a shared cache, a store and a clock that others may share. */
function start({
  clock = new FakeClock(),
  store = new FakeStore(),
  rows = new FakeSharedCache(clock).rows,
  random = (): number => 0,
} = {}) {
  const telemetry = new RecordingTelemetry();
  const sharedCache = new FakeSharedCache(clock, rows);
  const settings = { store: 's', ttlMs: TTL_MS, negativeTtlMs: NEGATIVE_TTL_MS, timeoutMs: 50 };
  const level = createSecondLevel({ clock, random, telemetry, store, sharedCache }, () => settings);
  const count = (name: string, result: string): number =>
    telemetry.count(`sluice_second_level_${name}_total`, { view: 'route', result });
  return {
    clock,
    store,
    sharedCache,
    telemetry,
    level,
    requests: (result: string) => count('requests', result),
    invalidations: (result: string) => count('invalidations', result),
    bypasses: (reason: string) => telemetry.count('sluice_second_level_bypasses_total', { view: 'route', reason }),
    writes: (result: string) => telemetry.count('sluice_second_level_writes_total', { result }),
    async ask(names: readonly string[], more: { readonly keptWithinMs?: number } = {}) {
      const keys = sortedKeys(names);
      const into = { ...blank(keys.length, 2, 1), askedAtMs: new Float64Array(keys.length).fill(Number.NaN) };
      await clock.run(level.read({ ...OF, keys, into, timeoutMs: 1_500, ...more }));
      // What is written has its turn.
      await clock.advance(0);
      return into;
    },
    forget: (...names: string[]) => level.forget?.(OF, sortedKeys(names)),
  };
}

const first = ({ values }: { readonly values: Float64Array }): number[] => [...values].filter((_, i) => i % 2 === 0);

test('what one process has read, and has not found, another one finds with all its ages; the rest comes from the store', async () => {
  const a = start();
  a.store.rows.set('k1', 0.25).set('k3', 3);
  await a.ask(['k1', 'k2']);
  await a.clock.advance(10_000);
  const b = start({ clock: a.clock, rows: a.sharedCache.rows });
  b.store.rows.set('k1', 99).set('k2', 99).set('k3', 3);
  const into = await b.ask(['k1', 'k2', 'k3']);
  assert.deepEqual(b.store.reads, [['k3']]);
  assert.deepEqual(first(into), [0.25, Number.NaN, 3]);
  assert.deepEqual([...into.writtenAtMs], [1, Number.NaN, 1]);
  const askedAtMs = a.clock.wallMs() - 10_000;
  assert.deepEqual([...into.askedAtMs], [askedAtMs, askedAtMs, Number.NaN]);
  assert.deepEqual([b.requests('hit'), b.requests('negative-hit'), b.requests('miss')], [1, 1, 1]);
  assert.equal(a.writes('kept'), 2);
});

test('a row is believed for its ttl after the store was asked, one that is not there for its own, a fresher one where it is asked for', async () => {
  const { clock, store, ask } = start();
  store.rows.set('k', 1);
  await ask(['k', 'no']);
  await clock.advance(NEGATIVE_TTL_MS);
  store.rows.set('no', 2);
  assert.deepEqual(first(await ask(['k', 'no'])), [1, 2]);
  store.rows.set('k', 3);
  assert.deepEqual(first(await ask(['k'])), [1]);
  assert.deepEqual(first(await ask(['k'], { keptWithinMs: NEGATIVE_TTL_MS })), [3], 'older than that');
  assert.deepEqual(first(await ask(['k'])), [3], 'what was read anew took its place');
  await clock.advance(TTL_MS);
  store.rows.set('k', 4);
  assert.deepEqual(first(await ask(['k'])), [4]);
});

test('rows that were read together do not end together, and none after its time', async () => {
  const randoms = [0, 0.5, 1];
  const { clock, store, ask, sharedCache } = start({ random: () => randoms.shift() as number });
  store.rows.set('a', 1).set('b', 1).set('c', 1);
  await ask(['a', 'b', 'c']);
  const left = [...sharedCache.rows.values()].map(({ untilMs }) => (untilMs - clock.wallMs()) / TTL_MS);
  assert.deepEqual(left, [1, 0.95, 0.9]);
});

test('an answer that has come counts, though our thread was busy for longer than the time-out', async () => {
  const { clock, store, sharedCache, ask, bypasses } = start();
  store.rows.set('k', 1);
  await ask(['k']);
  const gate = new Gate();
  gate.close();
  sharedCache.before = () => gate.through();
  // It is here when the timer fires, and seen in the turn after that.
  clock.after(50, () => clock.after(0, () => gate.open()));
  await ask(['k']);
  assert.equal(bypasses('timed-out'), 0);
  assert.equal(store.reads.length, 1);
});

test('the store fails as without it, and nothing is left behind of what the shared cache had', async () => {
  const { clock, store, level, ask } = start();
  store.rows.set('k', 1);
  await ask(['k']);
  store.before = () => {
    throw new SluiceError('store-unavailable', 'deadline exceeded');
  };
  const into = { ...blank(2, 2, 1), askedAtMs: new Float64Array(2).fill(Number.NaN) };
  const read = level.read({ ...OF, keys: sortedKeys(['k', 'l']), into, timeoutMs: 1_500 });
  await assert.rejects(clock.run(read), /deadline exceeded/);
  for (const numbers of [into.values, into.writtenAtMs, into.askedAtMs]) assert.ok(numbers.every(Number.isNaN));
});

test('a shared cache that hangs costs two reads their time-out, then nobody anything; it is back once it answers', async () => {
  const { clock, store, sharedCache, telemetry, ask, bypasses } = start();
  store.rows.set('k', 1);
  let hangs = true;
  sharedCache.before = () => (hangs ? sharedCache.hang() : undefined);
  const tookMs: number[] = [];
  for (let n = 0; n < 5; n++) {
    const fromMs = clock.monotonicMs();
    assert.deepEqual(first(await ask(['k'])), [1]);
    tookMs.push(clock.monotonicMs() - fromMs);
  }
  assert.deepEqual(tookMs, [50, 50, 0, 0, 0]);
  assert.deepEqual([bypasses('timed-out'), bypasses('out')], [2, 3]);
  assert.equal(sharedCache.dropped, 1, 'what hangs is given up');
  assert.equal(telemetry.gauges.get('sluice_second_level_up')?.(), 0);
  hangs = false;
  await clock.advance(10_000);
  await ask(['k']);
  await ask(['k']);
  assert.deepEqual(
    telemetry.events.map(({ name }) => name),
    ['second-level-out', 'second-level-back'],
  );
  assert.match(
    String(telemetry.events[0].fields.reason),
    /the shared cache did not answer for 1 kept rows within 50 ms/,
  );
  assert.equal(store.reads.length, 6);
});

test('a try whose link hangs gives that link up, so that the next one has another', async () => {
  const { clock, sharedCache, ask, telemetry } = start();
  const linkThatAnswers = 2;
  sharedCache.before = () => (sharedCache.dropped < linkThatAnswers ? sharedCache.hang() : undefined);
  await ask(['k']);
  await ask(['k']);
  assert.equal(sharedCache.dropped, 1);
  await clock.advance(20_000);
  assert.equal(sharedCache.dropped, linkThatAnswers);
  assert.equal(telemetry.gauges.get('sluice_second_level_up')?.(), 1);
});

test('a shared cache that refuses is left alone at once, and a start without it is a start', async () => {
  const { clock, sharedCache, level, ask, bypasses, store } = start();
  store.rows.set('k', 1);
  sharedCache.before = () => {
    throw new SluiceError('store-refused', 'NOPERM');
  };
  await ask(['k']);
  await ask(['k']);
  assert.deepEqual([bypasses('refused'), bypasses('out')], [1, 1]);
  await level.close();
  const other = start();
  other.sharedCache.before = () => other.sharedCache.hang();
  await other.clock.run(other.level.open(['t']));
  assert.equal(other.clock.monotonicMs(), 2_000);
  await other.ask(['k']);
  assert.equal(other.bypasses('out'), 1);
  assert.equal(clock.monotonicMs(), 0);
});

test('nobody waits for what is written: a shared cache that takes nothing holds up no read, and memory is bounded', async () => {
  const { clock, store, sharedCache, telemetry, ask, writes } = start();
  const gate = new Gate();
  gate.close();
  sharedCache.before = (what) => (what === 'keep' ? gate.through() : undefined);
  const names = Array.from({ length: 2_000 }, (_, i) => `k${10_000 + i}`);
  for (const name of names) store.rows.set(name, 1);
  const queued = () => telemetry.gauges.get('sluice_second_level_queued_bytes')?.() ?? Number.NaN;
  const fromMs = clock.monotonicMs();
  for (let n = 0; n < 80; n++) await ask(names.map((name) => `${n}${name}`));
  assert.equal(clock.monotonicMs(), fromMs);
  assert.ok(queued() <= 8 * 1024 * 1024 && queued() > 6 * 1024 * 1024, `${queued()} bytes`);
  assert.ok(writes('dropped') > 0);
  assert.ok(sharedCache.keeps <= 1, 'one call at a time');
  gate.open();
  await clock.advance(6_000);
  assert.equal(queued(), 0);
  assert.equal(writes('kept') + writes('dropped') + writes('failed'), 160_000);
});

test('a row that has changed is believed by nobody, though a read that began before brings the old one late', async () => {
  const a = start();
  const b = start({ clock: a.clock, rows: a.sharedCache.rows });
  const c = start({ clock: a.clock, rows: a.sharedCache.rows });
  for (const { store } of [a, b, c]) store.rows.set('k', 1);
  const gate = new Gate();
  gate.close();
  // c has asked, and its answer is on its way.
  c.store.before = () => gate.through();
  const into = blank(1, 2, 1);
  const late = c.level.read({ ...OF, keys: sortedKeys(['k']), into, timeoutMs: 1_500 });
  await a.clock.advance(100);
  for (const { store } of [a, b]) store.rows.set('k', 2);
  a.forget('k');
  await a.clock.advance(0);
  gate.open();
  await late;
  await a.clock.advance(0);
  assert.deepEqual(first(into), [1]);
  assert.equal(c.writes('superseded'), 1);
  assert.deepEqual(first(await b.ask(['k'])), [2]);
  assert.equal(b.requests('outdated'), 1);
  assert.equal(a.invalidations('marked'), 1);
  await a.clock.advance(61_000);
  await b.ask(['k']);
  assert.deepEqual(first(await a.ask(['k'])), [2], 'kept again, by who asked after the mark had gone');
  assert.equal(a.requests('hit'), 1);
});

test('a change that cannot be said to others makes this process believe nothing older', async () => {
  const { clock, store, sharedCache, ask, forget, invalidations, requests } = start();
  store.rows.set('k', 1).set('l', 1);
  await ask(['k', 'l']);
  sharedCache.before = (what) => {
    if (what === 'mark') throw new SluiceError('store-unavailable', 'OOM');
  };
  store.rows.set('k', 2);
  forget('k');
  await clock.advance(0);
  assert.equal(invalidations('unmarked'), 1);
  assert.deepEqual(first(await ask(['k', 'l'])), [2, 1]);
  assert.equal(requests('outdated'), 2);
  await clock.advance(6_000);
  await ask(['k', 'l']);
  await ask(['k', 'l']);
  assert.equal(requests('hit'), 2, 'what was asked for since is believed');
});

test('a mark on its way counts already, and when any row may have changed none is believed', async () => {
  const { clock, store, sharedCache, level, ask, forget } = start();
  store.rows.set('k', 1);
  await ask(['k']);
  const gate = new Gate();
  gate.close();
  sharedCache.before = (what) => (what === 'mark' ? gate.through() : undefined);
  store.rows.set('k', 2);
  forget('k');
  assert.deepEqual(first(await ask(['k'])), [2]);
  gate.open();
  await clock.advance(70_000);
  await ask(['k']);
  store.rows.set('k', 3);
  assert.deepEqual(first(await ask(['k'])), [2]);
  level.forget?.(OF);
  assert.deepEqual(first(await ask(['k'])), [3]);
});

test('what the store took long to answer is not kept: a change since may have been marked, and the mark be gone', async () => {
  const { clock, store, ask, writes } = start();
  store.rows.set('k', 1);
  store.before = () => pause(clock, 5_001);
  await ask(['k']);
  assert.deepEqual([writes('kept'), writes('dropped')], [0, 1]);
});

test('more keys than the shared cache is asked for at a time go to the store', async () => {
  const { clock, sharedCache, level, bypasses } = start();
  sharedCache.before = () => sharedCache.hang();
  const keys = sortedKeys(Array.from({ length: 9_000 }, (_, i) => `k${10_000 + i}`));
  const read = () => level.read({ ...OF, keys, into: blank(9_000, 2, 1), timeoutMs: 1_500 });
  await clock.run(Promise.all([read(), read()]));
  assert.deepEqual([bypasses('busy'), bypasses('timed-out')], [9_000, 9_000]);
});

test('bytes that are no row, and rows from the future, are not believed', async () => {
  const { clock, store, sharedCache, ask, requests } = start();
  store.rows.set('k', 1).set('l', 2);
  await ask(['k', 'l']);
  const [k, l] = [...sharedCache.rows.keys()];
  const kept = sharedCache.rows.get(k) as { value: Buffer; untilMs: number };
  sharedCache.rows.set(k, { ...kept, value: Buffer.from('something else') });
  const ahead = Buffer.from((sharedCache.rows.get(l) as { value: Buffer }).value);
  ahead.writeDoubleLE(clock.wallMs() + 6_000, 1);
  sharedCache.rows.set(l, { ...kept, value: ahead });
  store.rows.set('k', 10).set('l', 20);
  assert.deepEqual(first(await ask(['k', 'l'])), [10, 20]);
  assert.deepEqual([requests('unreadable'), requests('outdated')], [1, 1]);
});
