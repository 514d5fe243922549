#!/usr/bin/env node
import { availableParallelism, hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { program } from './commands/program.ts';
import { EXIT } from './kernel/errors.ts';
import { createProcessorLoad } from './kernel/processor-load.ts';
import { createSystemClock } from './kernel/system-clock.ts';

// V8 lets a small heap grow by only a quarter (cause) → the heap was marked for every 7 MB that outlived a frame, which took a twentieth
// of all CPU, in pauses of tens of ms (effect) → it may grow to three times the live data, about 100 MB in a run (guard).
setFlagsFromString('--heap-growing-percent=200');

// ONNX Runtime sends telemetry about each process, its machine and its models, and leaves a file per process in the temporary folder
// (cause) → information leaves the company, and the folder fills up (effect) → telemetry is turned off before it is loaded (guard).
process.env.ORT_DISABLE_TELEMETRY ??= '1';

// The only place that reads the environment, the clock, randomness and the process; everything else is given them.
let outputLost = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough (`| head`) closes the pipe: not a failure, and nobody is left to be told.
  if (error.code === 'EPIPE' || outputLost) return;
  outputLost = true;
  process.exitCode ||= EXIT.failed;
  process.stderr.write(`sluice: cannot write standard output: ${error.message}\n`);
});
// With standard error gone too, there is nobody left to tell.
process.stderr.on('error', () => undefined);

let threads = 0;
process.on('worker', (worker) => {
  threads++;
  worker.once('exit', () => threads--);
});

const signals = ['SIGINT', 'SIGTERM'] as const;

const clock = createSystemClock();
const cores = availableParallelism();

const code = await program(process.argv, {
  env: process.env,
  clock,
  random: Math.random,
  cores,
  processorLoad: createProcessorLoad({ clock }, cores),
  get stdin() {
    return process.stdin; // to look at it is to open it
  },
  stdout: process.stdout,
  stderr: process.stderr,
  instance: `${hostname()}-${process.pid}`,
  onSignal(stop) {
    for (const signal of signals) process.on(signal, stop);
    return () => {
      for (const signal of signals) process.off(signal, stop);
    };
  },
});

// What hangs beyond the drain budget (a socket, a native run) must not keep the process alive: what is unsettled is uncommitted.
process.exitCode = outputLost && code === EXIT.done ? EXIT.failed : code;
setTimeout(leave, code === EXIT.drainBudget ? 0 : 1_000).unref();

/**
 * `process.exit` waits for threads. One in a native run never notices (the process hangs), or notices when the run returns and
 * aborts (SIGABRT instead of the exit code). So the process replaces itself with one that has no threads and exits. Only Linux
 * and macOS can do that.
 */
function leave(): void {
  if (threads > 0 && process.execve !== undefined && process.platform !== 'win32') {
    process.execve(process.execPath, [process.execPath, '--eval', `process.exit(${process.exitCode})`], {});
  }
  process.exit();
}
