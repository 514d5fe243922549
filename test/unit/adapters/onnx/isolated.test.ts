import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createIsolatedRuntime } from '../../../../src/adapters/onnx/isolated.ts';
import type { Ending, ModelProcess } from '../../../../src/adapters/onnx/model-process.ts';
import { Ended } from '../../../../src/adapters/onnx/model-process.ts';
import { KIND, message, outputParts, textMessage } from '../../../../src/adapters/onnx/wire.ts';
import { sha256OfFile } from '../../../../src/kernel/bytes/file-sha256.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { ModelSession } from '../../../../src/ports/model.ts';
import { FakeClock, settle } from '../../../fixtures/clock.ts';
import { isAlive, startIsolated, whileItHangs } from '../../../fixtures/isolated.ts';
import { DEVOURS, HANGS, POISON, THROWS } from '../../../fixtures/models.ts';
import { writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';
import { sessions } from './sessions.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-isolated-'));
after(() => rmSync(folder, { recursive: true }));

sessions('in a process of its own', () =>
  createIsolatedRuntime(
    { clock: createSystemClock(), telemetry: new RecordingTelemetry() },
    { runTimeoutMs: 600_000, maxBytes: 0 },
  ),
);

const x = (...values: number[]): Float32Array[] => [Float32Array.from(values)];
const restarts = (telemetry: RecordingTelemetry, reason: string): number =>
  telemetry.count('sluice_model_restarts_total', { reason });

async function doubles(session: ModelSession): Promise<void> {
  assert.deepEqual(await session.run(x(1, 2), 2), [{ values: Float32Array.of(2, 4), width: 1 }]);
}

test('a run that hangs is killed at its time-out, and the next one goes through', async (t) => {
  const isolated = await startIsolated({ model: HANGS, folder });
  const { session, clock, telemetry, processes } = isolated;
  t.after(() => session.close());
  const run = session.run(x(1, POISON), 2);
  await settle();
  await clock.advance(9_999);
  assert.deepEqual([processes.length, isAlive(processes[0].pid)], [1, true], 'it has its time');
  await Promise.all([
    assert.rejects(run, { code: 'model-failed', message: /on a batch of 2: no answer for 10000 ms, so it was killed/ }),
    clock.advance(1),
  ]);
  await doubles(session);
  assert.equal(processes.length, 2);
  assert.equal(isAlive(processes[0].pid), false);
  assert.equal(restarts(telemetry, 'hung'), 1);
  assert.equal(telemetry.eventsNamed('model-restarting')[0].reason, 'hung');
  assert.equal(telemetry.eventsNamed('model-restarted')[0].device, 'cpu');
});

test('a search gives several rows less time, and a single one all there is', async (t) => {
  const isolated = await startIsolated({ model: HANGS, folder });
  const { session } = isolated;
  t.after(() => session.close());
  for (const [rows, limit] of [
    [2, /no answer for 1000 ms/],
    [1, /no answer for 10000 ms/],
  ] as const) {
    await assert.rejects(whileItHangs(isolated, session.run(x(POISON, 1), rows, true)), {
      code: 'model-failed',
      message: limit,
    });
  }
});

test('a process that is killed in the middle of a run costs that run, and says by what', async (t) => {
  const { session, telemetry } = await startIsolated({
    model: HANGS,
    folder,
    onRun: ({ process: { pid }, poisoned }) => void (poisoned && process.kill(pid, 'SIGSEGV')),
  });
  t.after(() => session.close());
  await assert.rejects(session.run(x(POISON), 1), {
    code: 'model-failed',
    message: /on a batch of 1: it was ended by SIGSEGV/,
  });
  await doubles(session);
  assert.equal(restarts(telemetry, 'crashed'), 1);
});

test('a process that takes more memory than it may is killed, and the next one goes through', async (t) => {
  const { session, telemetry } = await startIsolated({ model: DEVOURS, folder, maxBytes: 512 * 1024 * 1024 });
  t.after(() => session.close());
  await assert.rejects(session.run(x(POISON), 1), {
    code: 'model-failed',
    message: /more memory than model\.memory allows/,
  });
  await doubles(session);
  assert.equal(restarts(telemetry, 'memory'), 1);
});

test('a process that dies idle is replaced before anybody asks', async (t) => {
  const isolated = await startIsolated({ model: THROWS, folder });
  const { session, telemetry, processes, clock } = isolated;
  t.after(() => session.close());
  await doubles(session);
  process.kill(processes[0].pid, 'SIGKILL');
  await until('the next process serves', async () => {
    if (isolated.busy() === undefined) await clock.advance(50);
    return telemetry.eventsNamed('model-restarted').length === 1;
  });
  await doubles(session);
  assert.equal(restarts(telemetry, 'crashed'), 1);
});

test('a drain is not cut short by the signal that began it: the group gets it too', async (t) => {
  const { session, processes } = await startIsolated({ model: THROWS, folder });
  t.after(() => session.close());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.kill(processes[0].pid, signal);
    await doubles(session);
  }
  assert.equal(processes.length, 1);
});

test('the kernel takes the process of the model first', {
  skip: !existsSync('/proc/self/oom_score_adj'),
}, async (t) => {
  const { session, processes } = await startIsolated({ model: THROWS, folder });
  t.after(() => session.close());
  assert.equal(readFileSync(`/proc/${processes[0].pid}/oom_score_adj`, 'utf8').trim(), '1000');
});

test('the end of the session ends a run that hangs, and its process', async () => {
  const { session, processes } = await startIsolated({ model: HANGS, folder });
  const run = session.run(x(POISON), 1);
  await settle();
  await Promise.all([assert.rejects(run, { code: 'invariant-broken' }), session.close()]);
  assert.equal(isAlive(processes[0].pid), false);
  assert.equal(processes.length, 1);
});

test('a process whose pipeline is killed while it runs does not outlive it', async () => {
  const fixtures = fileURLToPath(new URL('../../../fixtures/', import.meta.url));
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { startIsolated } from '${fixtures}isolated.ts';
       import { HANGS, POISON } from '${fixtures}models.ts';
       const onRun = ({ process: { pid } }) => process.stdout.write(pid + '\\n');
       const { session } = await startIsolated({ model: HANGS, folder: '${folder}', onRun });
       await session.run([Float32Array.of(POISON)], 1);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  parent.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const pid = Number(await until('the process of the model runs', () => said.includes('\n') && said));
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await until('it is gone', () => !isAlive(pid));
});

test('a process is replaced by one with the same model, or by none', async (t) => {
  const file = writeOnnx(HANGS, folder);
  const pinned = [{ file, sha256: sha256OfFile(file) }];
  const isolated = await startIsolated({ model: HANGS, folder, file, pinned });
  const { session, telemetry } = isolated;
  t.after(() => session.close());
  writeFileSync(file, readFileSync(writeOnnx(THROWS, folder)));
  await doubles(session);
  await assert.rejects(whileItHangs(isolated, session.run(x(POISON), 1)), { code: 'model-failed' });
  for (let n = 0; n < 2; n++) {
    await assert.rejects(session.run(x(1), 1), {
      code: 'file-failed',
      message: /the model file changed under a running/,
    });
  }
  assert.equal(restarts(telemetry, 'start-failed'), 0, 'no attempt would change that');
});

/** A process that tests speak for. */
class FakeProcess implements ModelProcess {
  readonly pid = 1;
  readonly ended: Promise<Ending>;
  killed = false;
  answer: (pieces: Uint8Array[]) => void = () => undefined;
  end: (ending: Ending) => void = () => undefined;
  private fail: (reason: unknown) => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = (ending) => {
        this.fail(new Ended(ending.how));
        resolve(ending);
      };
    });
  }

  kill(): void {
    this.killed = true;
    this.end({ reason: 'crashed', how: 'killed' });
  }

  ask() {
    return new Promise<{ kind: number; count: number; body: Uint8Array }>((resolve, reject) => {
      this.fail = reject;
      this.answer = ([head, ...body]) => {
        const view = new DataView(head.buffer);
        resolve({
          kind: view.getUint32(0, true),
          count: view.getUint32(4, true),
          body: new Uint8Array(Buffer.concat(body)),
        });
      };
    });
  }

  loaded(): void {
    this.answer(textMessage(KIND.loaded, { device: 'cpu', inputs: [], outputs: [], events: [] }));
  }
}

async function fakes(clock: FakeClock) {
  const made: FakeProcess[] = [];
  const telemetry = new RecordingTelemetry();
  const start = (): FakeProcess => {
    made.push(new FakeProcess());
    return made[made.length - 1];
  };
  const loading = createIsolatedRuntime({ clock, telemetry, start }, { runTimeoutMs: 10_000, maxBytes: 0 }).load({
    file: 'model.onnx',
    device: 'auto',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [1] }],
    fetches: ['y'],
  });
  await settle();
  return { made, telemetry, loading };
}

test('a pipeline that itself stood still does not take that for a hang', async () => {
  const clock = new FakeClock();
  const { made, loading } = await fakes(clock);
  made[0].loaded();
  const session = await loading;
  const fires: (() => void)[] = [];
  clock.after = (_delayMs, fire) => {
    fires.push(fire);
    return { cancel: () => undefined };
  };
  const run = session.run(x(1), 1);
  await settle();
  // Both were stopped for an hour: the timer is due at once, the answer comes a moment later.
  fires[0]();
  await settle();
  made[0].answer(message(KIND.outputs, 1, outputParts([{ values: Float32Array.of(2), width: 1 }])));
  assert.deepEqual((await run)[0].values, Float32Array.of(2));
  assert.equal(made[0].killed, false);
});

test('a model that cannot be started again is given up after five times, with pauses in between', async () => {
  const clock = new FakeClock();
  const { made, telemetry, loading } = await fakes(clock);
  made[0].loaded();
  const session = await loading;
  made[0].end({ reason: 'crashed', how: 'it was ended by SIGBUS' });
  const startedMs: number[] = [];
  for (let n = 1; n < 5; n++) {
    while (made.length === n) await clock.advance(10);
    startedMs.push(clock.monotonicMs());
    made[n].end({ reason: 'crashed', how: 'no memory' });
  }
  await settle();
  await assert.rejects(session.run(x(1), 1), {
    code: 'device-failed',
    disposition: 'fatal',
    message: /could not be started again, 5 times in a row: .*no memory; look at memory and device/,
  });
  assert.deepEqual([restarts(telemetry, 'crashed'), restarts(telemetry, 'start-failed')], [1, 4]);
  assert.ok(startedMs.every((ms, n) => n === 0 || ms - startedMs[n - 1] >= 250 * 2 ** n));
});

test('a first load that does not end is an error of the start', async () => {
  const clock = new FakeClock();
  const { made, loading } = await fakes(clock);
  await Promise.all([
    assert.rejects(loading, {
      code: 'device-failed',
      message: /loads model\.onnx did not get through: no answer for 300000 ms/,
    }),
    clock.advance(300_000),
  ]);
  assert.ok(made[0].killed);
});
