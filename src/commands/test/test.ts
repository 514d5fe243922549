import { writeFileSync } from 'node:fs';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { differences } from '../../cases/judge.ts';
import { casesFileOf, loadCases } from '../../cases/load.ts';
import type { Case, Outcome } from '../../cases/types.ts';
import { updatedCases } from '../../cases/update.ts';
import { prepare } from '../../check/prepare.ts';
import { didYouMean } from '../../documents/did-you-mean.ts';
import { type CheckFinding, formatFindings } from '../../documents/finding.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';
import { scoreCases } from './score.ts';
import { type CaseResult, describeResults, summary } from './text.ts';

export interface TestOptions {
  readonly topologies: readonly string[];
  /** Instead of NAME.cases.yaml beside the topology; only with a single topology. */
  readonly cases: string | undefined;
  /** Names of cases to run; empty for all. */
  readonly only: readonly string[];
  /** Write the results as expectations. */
  readonly update: boolean;
  readonly json: boolean;
}

export interface Tested {
  readonly topology: string;
  readonly file: string;
  readonly findings: readonly CheckFinding[];
  /** Undefined if a file is invalid. */
  readonly results: readonly CaseResult[] | undefined;
  readonly outcomes: readonly Outcome[];
}

/** `sluice test`: runs cases through the whole path, without a broker. Exit code 1 for a failed case, 2 for an invalid file. */
export async function runTest(options: TestOptions, io: Io): Promise<number> {
  const { topologies, only } = options;
  if (options.cases !== undefined && topologies.length > 1)
    throw new SluiceError('usage-invalid', '--cases FILE belongs to one topology: give one, or leave --cases out');
  const names = new Set<string>();
  const tested: Tested[] = [];
  for (const topology of topologies) tested.push(await testOne(topology, options, names, io));
  for (const name of only) {
    if (names.has(name) || tested.some(({ results }) => results === undefined)) continue;
    const hint = didYouMean(name, [...names]) || '.';
    const known = [...names].map((each) => `"${each}"`).join(', ');
    throw new SluiceError('usage-invalid', `--only: there is no case "${name}"${hint} The cases are ${known}`);
  }
  say(tested, options, io);
  if (tested.some(({ results }) => results === undefined)) return EXIT.usage;
  return tested.some(({ results = [] }) => results.some(isFailed)) ? EXIT.failed : EXIT.done;
}

export const isFailed = ({ differences: found, updated }: CaseResult): boolean => found.length > 0 && !updated;

/** Runs the cases of one topology; adds their names to `names`. */
export async function testOne(
  topology: string,
  options: Pick<TestOptions, 'cases' | 'only' | 'update'>,
  names: Set<string>,
  io: Io,
): Promise<Tested> {
  const file = options.cases ?? casesFileOf(topology);
  const log = createLog({ clock: io.clock }, { level: 'warn' });
  const runtime = createOnnxRuntime({ telemetry: createTelemetry({ clock: io.clock, log }) });
  const { plan, findings } = await prepare(topology, { env: io.env, runtime });
  if (plan === undefined) return { topology, file, findings, results: undefined, outcomes: [] };
  const loaded = loadCases(file, plan);
  const all = [...findings, ...loaded.findings];
  if (!loaded.ok) return { topology, file, findings: all, results: undefined, outcomes: [] };
  for (const { name } of loaded.cases) names.add(name);
  const chosen = loaded.cases.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const outcomes = chosen.length === 0 ? [] : await scoreCases(plan, file, chosen, io);
  const results = judged(chosen, outcomes, options.update);
  const wrong = results.flatMap(({ one, updated }, i) => (updated ? [{ one, outcome: outcomes[i] }] : []));
  if (wrong.length > 0) write(file, updatedCases(loaded.text, wrong, ofModel(plan)));
  return { topology, file, findings: all, results, outcomes };
}

/** Output fields that a case covers by default: those from the model, or all if there are none. */
function ofModel({ outputFields }: Plan): readonly string[] {
  const predicted = outputFields.filter(({ source }) => source.from === 'prediction');
  return (predicted.length > 0 ? predicted : outputFields).map(({ name }) => name);
}

function judged(cases: readonly Case[], outcomes: readonly Outcome[], update: boolean): CaseResult[] {
  return cases.map((one, i) => {
    const found = differences(one.expect, outcomes[i]);
    return { one, differences: found, updated: update && found.length > 0 };
  });
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (thrown) {
    throw new SluiceError('file-failed', `cannot write ${file}: ${(thrown as Error).message}`, thrown);
  }
}

function say(tested: readonly Tested[], { json }: TestOptions, { stdout, stderr }: Io): void {
  if (json) {
    const topologies = tested.map(({ topology, file, findings, results, outcomes }) => ({
      topology,
      cases: file,
      findings,
      results:
        results?.map(({ one, differences: found, updated }, i) => ({
          name: one.name,
          line: one.line,
          ok: found.length === 0,
          updated,
          differences: found,
          outcome: outcomes[i],
        })) ?? null,
    }));
    const ok = tested.every(({ results }) => results !== undefined && !results.some(isFailed));
    stdout.write(`${JSON.stringify({ ok, topologies }, null, 2)}\n`);
    return;
  }
  for (const { file, findings, results } of tested) {
    if (findings.length > 0) stderr.write(`${formatFindings(findings)}\n`);
    if (results !== undefined && results.length > 0) stdout.write(`${file}\n${describeResults(file, results)}`);
  }
  const run = tested.flatMap(({ results = [] }) => results);
  if (run.length > 0) stderr.write(`${summary(run)}\n`);
}
