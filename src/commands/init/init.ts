import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { loadCases } from '../../cases/load.ts';
import type { Outcome } from '../../cases/types.ts';
import { updatedCases } from '../../cases/update.ts';
import { prepare } from '../../check/prepare.ts';
import { type AvroRecord, parseAvroRecord } from '../../codecs/avro/schema.ts';
import { type CheckFinding, formatFindings } from '../../documents/finding.ts';
import { readText } from '../../documents/text-file.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelRuntime, TensorSpec } from '../../ports/model.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { inLine } from '../display/safe-text.ts';
import type { Io } from '../io.ts';
import { scoreCases } from '../test/score.ts';
import { proposals } from './columns.ts';
import { externalData } from './external-data.ts';
import { fit } from './fit.ts';
import { outputSchema, proposeOutputs } from './outputs.ts';
import { bundleText, casesText, exampleEvents, missingColumns, type Texts, topologyText } from './texts.ts';

export interface InitOptions {
  readonly dir: string;
  /** An .avsc file. */
  readonly event: string;
  /** An .onnx file. */
  readonly model: string;
  /** Name of the pipeline; by default, of the folder. */
  readonly name: string | undefined;
  /** Overwrite existing files. */
  readonly force: boolean;
  readonly json: boolean;
}

/** `sluice init`: an event schema and a model → a topology with bundle, output schema and cases. Resolves with the exit code. */
export async function init(options: InitOptions, io: Io): Promise<number> {
  const name = nameOf(options);
  const event = readEvent(options.event);
  const log = createLog({ clock: io.clock }, { level: 'error' });
  const runtime = createOnnxRuntime({ telemetry: createTelemetry({ clock: io.clock, log }) });
  const signature = await readModel(options.model, runtime);
  const texts: Texts = {
    name,
    eventFile: `${name}-event.avsc`,
    outputFile: `${name}-prediction.avsc`,
    event,
    fitted: fit(signature.inputs, proposals(event)),
    outputs: proposeOutputs(signature.outputs, event),
  };
  const at = (...parts: readonly string[]) => join(options.dir, ...parts);
  const bundle = (file: string) => at('models', name, '1', file);
  const topology = at(`${name}.yaml`);
  const cases = at(`${name}.cases.yaml`);
  const events = at(`${name}.events.jsonl`);
  const copies = [
    { from: options.event, to: at('schemas', texts.eventFile) },
    { from: options.model, to: bundle('model.onnx') },
    ...externalData(options.model).map((part) => ({ from: join(dirname(options.model), part), to: bundle(part) })),
  ];
  const files = [
    { to: topology, text: topologyText(texts) },
    { to: cases, text: casesText(texts) },
    {
      to: events,
      text: exampleEvents(texts)
        .map((each) => `${JSON.stringify(each)}\n`)
        .join(''),
    },
    { to: at('schemas', texts.outputFile), text: outputSchema(name, texts.outputs) },
    { to: bundle('bundle.yaml'), text: bundleText(texts, false) },
  ];
  const golden = bundle('golden.jsonl');
  refuseOverwriting([...copies, ...files, { to: golden }], options.force);
  for (const { from, to } of copies) if (resolve(from) !== resolve(to)) write(to, () => copyFileSync(from, to));
  for (const { to, text } of files) write(to, () => writeFileSync(to, text));

  const { plan, findings } = await prepare(topology, { env: io.env, runtime });
  const wrote = [...files, ...copies].map(({ to }) => to);
  if (plan !== undefined) {
    const outcomes = await writeExpectations(plan, cases, io);
    const lines = goldenLines(plan, cases, outcomes);
    if (lines !== '') {
      write(golden, () => writeFileSync(golden, lines));
      write(bundle('bundle.yaml'), () => writeFileSync(bundle('bundle.yaml'), bundleText(texts, true)));
      wrote.push(golden);
    }
  }
  const missing = texts.fitted.inputs.map(missingColumns).filter((each) => each !== undefined);
  const { unreadable } = texts.outputs;
  const made: Made = { topology, events, wrote, findings, missing, unreadable, ready: plan !== undefined };
  say(made, bundle('bundle.yaml'), options, io);
  return EXIT.done;
}

function nameOf({ dir, name }: InitOptions): string {
  const found = name ?? basename(resolve(dir));
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(found)) return found;
  throw new SluiceError(
    'usage-invalid',
    `"${found}" is no name of a topology: give --name with letters, digits, . _ -`,
  );
}

function readEvent(file: string): AvroRecord {
  let schema: unknown;
  try {
    schema = JSON.parse(readText(file));
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new SluiceError('file-missing', `there is no file ${file}; give --event an .avsc file`);
    const remedy = 'give --event the .avsc file that describes the events, not the events';
    throw new SluiceError(
      'file-invalid',
      `${file} cannot be read as an Avro schema: ${inLine(message)}; ${remedy}`,
      thrown,
    );
  }
  try {
    const record = parseAvroRecord(schema, 'file-invalid');
    if (record.fields.some(({ name }) => name === '__proto__'))
      throw new SluiceError('file-invalid', '"__proto__" is reserved, and cannot be a field; rename it');
    return record;
  } catch (thrown) {
    throw new SluiceError('file-invalid', `${file}: ${(thrown as Error).message}`, thrown);
  }
}

async function readModel(
  file: string,
  runtime: ModelRuntime,
): Promise<{ readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] }> {
  if (!existsSync(file)) throw new SluiceError('file-missing', `there is no file ${file}; give --model an .onnx file`);
  try {
    return await runtime.inspect(file);
  } catch (thrown) {
    const remedy = /\.(joblib|pkl|pickle)$/.test(file)
      ? 'tools/from_sklearn.py makes a pipeline of it: docs/from-sklearn.md'
      : 'give --model a model in the format ONNX';
    const message = `${file} cannot be read as a model: ${(thrown as Error).message}; ${remedy}`;
    throw new SluiceError('file-invalid', message, thrown);
  }
}

function refuseOverwriting(files: readonly { readonly to: string }[], force: boolean): void {
  const there = files.filter(({ to }) => existsSync(to)).map(({ to }) => to);
  if (there.length === 0 || force) return;
  throw new SluiceError(
    'usage-invalid',
    `would write over ${there.join(', ')}; nothing was written. Give another DIR or --name, or --force to replace them`,
  );
}

function write(file: string, put: () => void): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    put();
  } catch (thrown) {
    throw new SluiceError('file-failed', `cannot write ${file}: ${(thrown as Error).message}`, thrown);
  }
}

/** Runs the cases, and writes their results as expectations. */
async function writeExpectations(plan: Plan, file: string, io: Io): Promise<readonly Outcome[]> {
  const loaded = loadCases(file, plan);
  if (!loaded.ok) throw new SluiceError('invariant-broken', formatFindings(loaded.findings));
  const outcomes = await scoreCases(plan, file, loaded.cases, io);
  const predicted = plan.outputFields.filter(({ source }) => source.from === 'prediction').map(({ name }) => name);
  const updates = loaded.cases.map((one, i) => ({ one, outcome: outcomes[i] }));
  const text = updatedCases(loaded.text, updates, predicted);
  write(file, () => writeFileSync(file, text));
  return outcomes;
}

/** Relative error of float32 numbers written as text. */
const FLOAT32_PART = 1e-6;

function goldenLines(plan: Plan, file: string, outcomes: readonly Outcome[]): string {
  const loaded = loadCases(file, plan);
  if (!loaded.ok) return '';
  const names = plan.predictions.predictions.map(({ name }) => name);
  return outcomes
    .flatMap((outcome, i) => {
      if (outcome.fate !== 'published') return [];
      const event = JSON.parse(loaded.cases[i].value?.toString('utf8') ?? 'null');
      const expected = Object.fromEntries(Object.entries(outcome.fields).filter(([name]) => names.includes(name)));
      const largest = Math.max(
        ...Object.values(expected)
          .flat()
          .map((value) => (typeof value === 'number' ? Math.abs(value) : 0)),
      );
      const tolerance = Math.max(1e-5, largest * FLOAT32_PART);
      return [`${JSON.stringify({ event, features: {}, expected, tolerance })}\n`];
    })
    .join('');
}

interface Made {
  readonly topology: string;
  readonly events: string;
  readonly wrote: readonly string[];
  readonly findings: readonly CheckFinding[];
  readonly missing: readonly string[];
  /** Model outputs that cannot be predictions. */
  readonly unreadable: readonly string[];
  readonly ready: boolean;
}

function say(made: Made, bundleFile: string, { json }: InitOptions, { stdout, stderr }: Io): void {
  const { topology, events, wrote, findings, missing, unreadable, ready } = made;
  const next = [`sluice check ${topology}`, `sluice test ${topology}`, `sluice dev ${topology} --events ${events}`];
  if (json) {
    stdout.write(`${JSON.stringify({ ready, topology, wrote, missing, unreadable, findings, next }, null, 2)}\n`);
    return;
  }
  for (const file of wrote) stdout.write(`wrote ${file}\n`);
  if (!ready) {
    stderr.write(`\n${formatFindings(findings)}\nNot ready yet. In ${bundleFile}:\n`);
    for (const what of missing) stderr.write(`  ${what}\n`);
    if (missing.length === 0) stderr.write('  correct the findings above\n');
  } else stderr.write('\nIt fits. Make sure that its columns are those that the model was trained on.\n');
  for (const what of unreadable) stderr.write(`Left out of the predictions: ${what}\n`);
  stderr.write(`Next:\n${next.map((command) => `  $ ${command}\n`).join('')}`);
}
