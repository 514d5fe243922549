/** Runs a script of the tests as a child process and hands over its lines of JSON as they come. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  readonly cwd: string;
  readonly args: readonly string[];
  /** It is killed then, and the promise rejects. */
  readonly withinMs: number;
  readonly onLine?: (line: unknown) => void;
}

/** Resolves with every line, parsed, when the child has ended by itself; rejects with what it said otherwise. */
export function jsonLinesOf<T>({ cwd, args, withinMs, onLine }: ChildOptions): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env };
    // A test runner inside a test runner would report to the outer one.
    delete env.NODE_TEST_CONTEXT;
    const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(kill, withinMs);
    process.once('exit', kill);
    const lines: T[] = [];
    let said = '';
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as T;
      lines.push(line);
      onLine?.(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      process.removeListener('exit', kill);
      if (code === 0) resolve(lines);
      else reject(new Error(`${args.join(' ')} ended with ${code ?? signal}: ${said}`));
    });
  });
}
