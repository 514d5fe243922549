/**
 * What a model in a process of its own costs: `node bench/isolation.ts`.
 *
 * The transport alone (the same bytes out, one number per row back) over a pipe with raw bytes, as src/adapters/onnx/wire.ts does
 * it, and over the channel of `fork` with structured clones; then whole runs on this thread and in a process; then how long it takes
 * until a killed process answers again. Variants take turns; medians.
 */
import { fork, spawn } from 'node:child_process';
import { readSync, rmSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createIsolatedRuntime } from '../src/adapters/onnx/isolated.ts';
import { startModelProcess } from '../src/adapters/onnx/model-process.ts';
import { createOnnxRuntime } from '../src/adapters/onnx/runtime.ts';
import { createSystemClock } from '../src/kernel/system-clock.ts';
import type { ModelSession } from '../src/ports/model.ts';
import type { Telemetry } from '../src/ports/telemetry.ts';
import { writeOnnx } from '../test/fixtures/onnx.ts';

const ROUNDS = 5;
const RUNS = 400;
const SIZES = [
  [1, 118],
  [256, 118],
  [256, 784],
] as const;
const SELF = fileURLToPath(import.meta.url);
const FD = 3;

type Round = (slab: Float32Array, rows: number) => Promise<unknown>;

function echoOverPipe(): never {
  const head = Buffer.alloc(8);
  const body = Buffer.alloc(16 << 20);
  const fill = (into: Buffer, length: number): void => {
    for (let at = 0; at < length; ) {
      const n = readSync(FD, into, at, length - at, null);
      if (n === 0) process.exit(0);
      at += n;
    }
  };
  for (;;) {
    fill(head, 8);
    fill(body, head.readUInt32LE(0));
    writeSync(FD, Buffer.alloc(4 * head.readUInt32LE(4)));
  }
}

function echoOverChannel(): void {
  process.on('message', ({ rows }: { rows: number }) => process.send?.({ values: new Float32Array(rows) }));
  process.on('disconnect', () => process.exit(0));
}

function pipe(): { round: Round; end: () => void } {
  const child = spawn(process.execPath, [SELF, 'pipe'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  const socket = child.stdio[FD] as Socket;
  let left = 0;
  let answered: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left === 0) answered();
  });
  const round: Round = (slab, rows) =>
    new Promise<void>((resolve) => {
      answered = resolve;
      left = 4 * rows;
      const head = Buffer.alloc(8);
      head.writeUInt32LE(slab.byteLength, 0);
      head.writeUInt32LE(rows, 4);
      socket.cork();
      socket.write(head);
      socket.write(new Uint8Array(slab.buffer, slab.byteOffset, slab.byteLength));
      socket.uncork();
    });
  return { round, end: () => void child.kill() };
}

function channel(): { round: Round; end: () => void } {
  const child = fork(SELF, ['channel'], { serialization: 'advanced' });
  let answered: () => void = () => undefined;
  child.on('message', () => answered());
  const round: Round = (slab, rows) =>
    new Promise<void>((resolve) => {
      answered = resolve;
      child.send({ slab, rows });
    });
  return { round, end: () => void child.kill() };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

async function compare(
  what: string,
  ways: Readonly<Record<string, Round>>,
  rows: number,
  width: number,
): Promise<void> {
  const slab = new Float32Array(rows * width).fill(0.5);
  const took = new Map(Object.keys(ways).map((way) => [way, [] as number[]]));
  for (let n = 0; n < ROUNDS; n++) {
    for (const [way, round] of Object.entries(ways)) {
      for (let run = 0; run < RUNS; run++) {
        const startedMs = performance.now();
        await round(slab, rows);
        if (run > RUNS / 10) took.get(way)?.push(1_000 * (performance.now() - startedMs));
      }
    }
  }
  const [first, second] = [...took].map(([way, values]) => ({ way, us: median(values) }));
  process.stdout.write(
    `${what}, ${rows} × ${width}: ${first.way} ${first.us.toFixed(0)} µs, ${second.way} ${second.us.toFixed(0)} µs, ×${(second.us / first.us).toFixed(1)}\n`,
  );
}

async function main(): Promise<void> {
  const ways = { pipe: pipe(), channel: channel() };
  for (const [rows, width] of SIZES)
    await compare('transport', { pipe: ways.pipe.round, channel: ways.channel.round }, rows, width);
  ways.pipe.end();
  ways.channel.end();

  const clock = createSystemClock();
  const telemetry = {
    event: () => undefined,
    counter: () => ({ add: () => undefined, value: 0 }),
  } as Partial<Telemetry>;
  const deps = { clock, telemetry: telemetry as Telemetry };
  for (const [rows, width] of SIZES) {
    const file = writeOnnx({
      inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', width] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: ['rows', 1] }],
      constants: { axes: [1] },
      nodes: [{ op: 'ReduceSum', inputs: ['x', 'axes'], output: 'y', ints: { keepdims: 1 } }],
    });
    const load = {
      file,
      device: 'cpu',
      feeds: [{ name: 'x', dtype: 'float32', rowShape: [width] }],
      fetches: ['y'],
    } as const;
    const here = await createOnnxRuntime(deps).load(load);
    let pid = 0;
    const start = () => {
      const made = startModelProcess();
      pid = made.pid;
      return made;
    };
    const there = await createIsolatedRuntime({ ...deps, start }, { runTimeoutMs: 60_000, maxBytes: 0 }).load(load);
    const run =
      (session: ModelSession): Round =>
      (slab, n) =>
        session.run([slab], n);
    await compare('run', { 'on this thread': run(here), 'in a process': run(there) }, rows, width);
    const away: number[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const startedMs = performance.now();
      process.kill(pid, 'SIGKILL');
      await there.run([new Float32Array(width)], 1).catch(() => there.run([new Float32Array(width)], 1));
      away.push(performance.now() - startedMs);
    }
    process.stdout.write(`killed at work: answers again after ${median(away).toFixed(0)} ms\n`);
    await Promise.all([here.close(), there.close()]);
    rmSync(file);
  }
}

if (process.argv[2] === 'pipe') echoOverPipe();
else if (process.argv[2] === 'channel') echoOverChannel();
else await main();
