import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviseOn, limitsOf, type Situation } from '../../../../src/commands/tune/advice.ts';
import { highestRate, type Instance } from '../../../../src/commands/tune/capacity.ts';
import { costOf } from '../../../../src/commands/tune/cost.ts';

const lineOf = (fixedMs: number, perRowMs: number, most = 1024) =>
  [1, most].map((rows) => ({ rows, ms: fixedMs + perRowMs * rows }));

const INSTANCE: Instance = {
  runs: lineOf(1, 0.01),
  recordMs: 0.004,
  beside: 0,
  spread: 0.1,
  maxBatch: 256,
  budgetMs: 50,
  elsewhereMs: 5,
};

function situation(instance: Partial<Instance>, more: Partial<Situation> = {}): Situation {
  const whole = { ...INSTANCE, ...instance };
  return {
    instance: whole,
    highest: highestRate(whole, 1),
    seed: 1,
    cores: 1,
    coresPerInstance: 1,
    maxInFlight: 1e9,
    wantedPerSecond: undefined,
    threads: [],
    devices: [],
    hits: 1,
    cacheAll: undefined,
    cacheMore: undefined,
    ...more,
  };
}

const changes = (of: Situation): string[] => adviseOn(of).map(({ change }) => change);

test('a batch bound that costs throughput is to be raised, with the number that says so', () => {
  const tight = situation({ maxBatch: 16 });
  const [best] = adviseOn(tight).filter(({ change }) => change === 'batch');
  assert.equal(best.to, 'maxBatch: 64');
  assert.ok(best.gain > 1.5);
  assert.match(best.because, /a row takes 25\.6 µs in a run of 64, 72\.5 µs in one of 16/);
  assert.ok(!changes(situation({ runs: lineOf(0, 0.01), maxBatch: 16 })).includes('batch'));
});

test('threads and devices are named only where they bring something', () => {
  const faster = { runs: lineOf(0.6, 0.004) };
  const slower = { runs: lineOf(2, 0.02) };
  const threads = adviseOn(situation({}, { threads: [{ threads: 4, ...faster }] }));
  const [found] = threads.filter(({ change }) => change === 'threads');
  assert.match(found.because, /a run of \d+ takes .*, not .*; a core then does \d+ % of what it does alone/);
  assert.ok(!changes(situation({}, { threads: [{ threads: 4, ...slower }] })).includes('threads'));
  assert.ok(changes(situation({}, { devices: [{ device: 'cuda', ...faster }] })).includes('device'));
  assert.ok(!changes(situation({}, { devices: [{ device: 'cuda', ...slower }] })).includes('device'));
});

test('where no rate keeps the budget, the least budget that does is the advice', () => {
  const [first] = adviseOn(situation({ budgetMs: 6 }));
  assert.equal(first.change, 'budget');
  const budgetMs = Number(/latencyBudget: (\d+)ms/.exec(first.to)?.[1]);
  assert.ok(highestRate({ ...INSTANCE, budgetMs }, 1).perSecond > 0);
  assert.match(first.because, /a lone record takes 6\.01 ms, 5\.00 ms of them outside/);
});

test('instances: as many as the cores hold, or as the wanted rate needs', () => {
  const one = situation({}, { cores: 4 });
  const last = adviseOn(one).at(-1);
  assert.equal(last?.to, 'run --instances 4');
  assert.equal(last?.perSecond, one.highest.perSecond * 4);
  const wanted = adviseOn({ ...one, wantedPerSecond: one.highest.perSecond * 9.5 }).at(-1);
  assert.equal(wanted?.to, '10 instances');
  assert.match(wanted?.because ?? '', /it takes 3 of them/);
  assert.ok(!changes({ ...one, wantedPerSecond: 10 }).includes('instances'));
});

test('a model that fills the thread is to run beside it; one that does already, in as many threads as there are cores', () => {
  const heavy = { runs: lineOf(2, 1, 64), maxBatch: 8, recordMs: 0.4 };
  const [inline] = adviseOn(situation(heavy)).filter(({ change }) => change === 'placement');
  assert.match(inline.to, /model\.placement: thread/);
  assert.match(inline.because, /the model has \d+ % of its time/);
  const beside = { ...heavy, recordMs: 0.01, beside: 1 };
  const [more] = adviseOn(situation(beside, { cores: 4 })).filter(({ change }) => change === 'placement');
  assert.equal(more.to, 'model.sessions: 3');
  assert.ok(more.gain > 2);
  assert.ok(!changes(situation({ ...beside, beside: 3 }, { cores: 4 })).includes('placement'));
});

test('a quick model beside the thread is cheaper on it, by what a core then does', () => {
  const quick = situation({ runs: lineOf(0.03, 0.0001), recordMs: 0.002, beside: 2 }, { coresPerInstance: 3 });
  const [found] = adviseOn(quick).filter(({ change }) => change === 'placement');
  assert.equal(found.to, 'model.placement: inline');
  assert.match(found.because, /a core does 2\.\d\d times as much; 3 cores are for one instance/);
  const heavy = situation({ runs: lineOf(2, 1, 64), maxBatch: 8, beside: 2 }, { coresPerInstance: 3 });
  assert.ok(!adviseOn(heavy).some(({ to }) => to === 'model.placement: inline'));
});

test('caches: what they would save of a record', () => {
  const read = situation({ recordMs: 0.03 }, { hits: 0.9, cacheAll: { recordMs: 0.01, tables: ['airport'] } });
  const [found] = adviseOn(read).filter(({ change }) => change === 'cache');
  assert.match(found.because, /airport for every record takes 20\.0 µs of 30\.0 µs a record; 90 % hits are assumed/);
});

test('credit that holds fewer records than are under way is said', () => {
  assert.ok(changes(situation({}, { maxInFlight: 10 })).includes('in-flight'));
  assert.ok(!changes(situation({}, { maxInFlight: 20_000 })).includes('in-flight'));
});

test('limits: shares of the thread add up with what is idle, and the largest has the name', () => {
  const highest = highestRate(INSTANCE, 1);
  const { by, shares } = limitsOf(INSTANCE, highest, { decode: 1, client: 3 });
  assert.equal(by, 'model');
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  assert.ok(Math.abs(total - 1) < 0.02, `${total}`);
  assert.equal(limitsOf(INSTANCE, { perSecond: 0, at: undefined }, {}).by, 'latency budget');
});

test('cost: whole cores, a price only where every part of it has one', () => {
  assert.deepEqual(costOf(1000, 2, false, { coreHour: 0.05, gpuHour: undefined }), {
    cores: 2,
    perCoreHour: 1_800_000,
    perGpuHour: undefined,
    perMillion: (0.1 / 3_600_000) * 1_000_000,
  });
  const onGpu = costOf(1000, 1, true, { coreHour: 0.05, gpuHour: undefined });
  assert.equal(onGpu.perGpuHour, 3_600_000);
  assert.equal(onGpu.perMillion, undefined);
  assert.equal(costOf(0, 1, false, { coreHour: 1, gpuHour: undefined }).perMillion, undefined);
});
