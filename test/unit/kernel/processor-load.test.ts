import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProcessorLoad, PROCESSOR_TIMES } from '../../../src/kernel/processor-load.ts';

/** A process whose threads work for the given parts of each ms. */
function machine(cores: number) {
  const used = { nowMs: 1_000, processMs: 7_000, threadMs: 900, readings: 0 };
  const times = {
    processMs() {
      used.readings++;
      return used.processMs;
    },
    threadMs: () => used.threadMs,
  };
  const load = createProcessorLoad({ clock: { monotonicMs: () => used.nowMs }, times }, cores);
  const pass = (ms: number, { all, own }: { all: number; own: number }): number => {
    used.nowMs += ms;
    used.processMs += ms * all;
    used.threadMs += ms * own;
    return load();
  };
  return { used, load, pass };
}

test('it approaches what is used lately, and forgets what was', () => {
  const { load, pass } = machine(1);
  assert.equal(load(), 0);
  const first = pass(100, { all: 0.8, own: 0.1 });
  assert.ok(first > 0.15 && first < 0.4, `${first} after a third of the memory`);
  for (let i = 0; i < 30; i++) pass(100, { all: 0.8, own: 0.1 });
  assert.ok(Math.abs(load() - 0.8) < 0.001, `${load()}`);
  assert.ok(pass(3_000, { all: 0, own: 0 }) < 0.001);
});

test('a process that leaves cores idle has them to spare, but a thread that fills one has not', () => {
  const several = machine(4);
  assert.ok(Math.abs(several.pass(60_000, { all: 2, own: 0.25 }) - 0.5) < 0.001);
  assert.ok(Math.abs(several.pass(60_000, { all: 1.2, own: 0.95 }) - 0.95) < 0.001);
});

test('it is at most 1, however the operating system rounds, and is measured every 50 ms at most', () => {
  const { used, load, pass } = machine(1);
  assert.equal(pass(60_000, { all: 1.02, own: 1.01 }), 1);
  const { readings } = used;
  assert.equal(pass(49, { all: 0, own: 0 }), 1);
  assert.equal(load(), 1);
  assert.equal(used.readings, readings);
  assert.ok(pass(1, { all: 0, own: 0 }) < 1);
});

test('the times are those of the operating system, in ms: of all threads, and of this one', () => {
  const sumMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;
  for (const [ours, counted] of [
    [PROCESSOR_TIMES.processMs, () => sumMs(process.cpuUsage())],
    [PROCESSOR_TIMES.threadMs, () => sumMs(process.threadCpuUsage())],
  ]) {
    const [before, told, after] = [counted(), ours(), counted()];
    assert.ok(before <= told && told <= after, `${before}, ${told}, ${after}`);
  }
  // Compilers and collectors have threads of their own, so the two differ by far.
  assert.ok(PROCESSOR_TIMES.processMs() > PROCESSOR_TIMES.threadMs());
});
