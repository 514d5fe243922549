/**
 * Contestants as processes of their own, kept to one core, and what they cost by the system's accounting.
 * Linux: /proc, and taskset where there is one. CPU includes every thread: compilers and collectors of a JVM too.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const TICK_US = 10_000;
/** The tail of what a process says, for the message when it fails. */
const KEPT_CHARS = 8_000;
const PATIENCE_MS = 10_000;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Contender {
  readonly pid: number;
  /** Its output so far. */
  said(): string;
  ended(): boolean;
  /** User and system time of all its threads. */
  cpuUs(): number;
  peakRssBytes(): number;
  rssBytes(): number;
  /** SIGTERM, then SIGKILL. */
  stop(): Promise<void>;
}

export const pinned = availableParallelism() > 1 && canPin();
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
process.once('SIGINT', () => process.exit(130));

/** This process, and what it starts besides contestants: the broker, the store. */
export function pinHarness(cores = '1'): void {
  if (pinned) execFileSync('taskset', ['-acp', cores, String(process.pid)], { stdio: 'ignore' });
}

export function contend({ file, args, env }: Command, cores = '0'): Contender {
  const words = pinned ? ['taskset', '-c', cores, file, ...args] : [file, ...args];
  const child = spawn(words[0], words.slice(1), {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let said = '';
  const hear = (text: string): void => {
    said = (said + text).slice(-KEPT_CHARS);
  };
  child.stdout?.setEncoding('utf8').on('data', hear);
  child.stderr?.setEncoding('utf8').on('data', hear);
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      hear(String(error));
      over = true;
      resolve();
    });
    child.once('close', () => {
      over = true;
      running.delete(child);
      resolve();
    });
  });
  const pid = child.pid ?? 0;
  const statusBytes = (name: string): number => {
    const line = new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return Number(line?.[1] ?? Number.NaN) * 1024;
  };
  return {
    pid,
    said: () => said,
    ended: () => over,
    cpuUs() {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * TICK_US;
    },
    peakRssBytes: () => statusBytes('VmHWM'),
    rssBytes: () => statusBytes('VmRSS'),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
