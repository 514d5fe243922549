/** The smallest pipeline with a model of the tests' own in it: `probability` is twice the flight's distance, unless that is 666. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isAlive } from '../../fixtures/isolated.ts';
import { POISON } from '../../fixtures/models.ts';
import { onnxModel, type TestModel } from '../../fixtures/onnx.ts';
import { type Env, Sluice } from '../../fixtures/sluice.ts';
import type { Flight, Hello } from './hello.ts';

const BUNDLE = `bundle: poisonous
version: 1
model: model.onnx
inputs: { x: { distance: event.distance ?? 0 } }
prediction: { probability: "y[0]" }
`;

/** Gives the topology of `hello` another model, in a process of its own. Returns the model's file. */
export function withModel(context: TestContext, hello: Hello, model: TestModel): string {
  const models = mkdtempSync(join(tmpdir(), 'sluice-poisonous-'));
  context.after(() => rmSync(models, { recursive: true }));
  const folder = join(models, 'poisonous', '1');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bundle.yaml'), BUNDLE);
  const file = join(folder, 'model.onnx');
  writeFileSync(file, onnxModel(model));
  const text = readFileSync(hello.file, 'utf8').replace(
    /^model: .*$/m,
    `model: { bundle: ${join(models, 'poisonous')}, device: cpu, isolation: process, runTimeout: "\${RUN_TIMEOUT:-10m}" }`,
  );
  writeFileSync(hello.file, text);
  return file;
}

/** `sluice run` of the topology, ended with the test at the latest. */
export function runPoisonous(context: TestContext, hello: Hello, env: Env = {}): Sluice {
  const sluice = new Sluice(['run', hello.file, '--json', '--listen', '127.0.0.1:0'], { ...hello.env, ...env });
  context.after(() => sluice.signal('SIGKILL'));
  return sluice;
}

export const poison = (id: number): Flight => ({ id, distance: POISON });

/** Distances that are no poison. */
export function harmless(count: number, from = 0): Flight[] {
  return Array.from({ length: count }, (_, n) => ({ id: from + n, distance: 1_000 + ((from + n) % 5_000) }));
}

/** The process of the model that serves: the only one that a pipeline starts. */
export async function modelPid(sluice: Sluice): Promise<number> {
  return sluice.until('the model runs', () => {
    const children = readdirSync('/proc').filter((name) => parentOf(name) === sluice.pid);
    return children.length === 1 && Number(children[0]);
  });
}

/** NaN for what is no process, or is gone. */
function parentOf(name: string): number {
  if (!/^\d+$/.test(name) || !isAlive(Number(name))) return Number.NaN;
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
  } catch {
    return Number.NaN;
  }
}
