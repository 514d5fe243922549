import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';
import { featureFileOf } from '../../adapters/files/feature-rows.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Ends } from './endpoints.ts';

export interface IdentityOptions {
  readonly inputFormat: string;
  readonly outputFormat: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly deadLetters: string | undefined;
  readonly features: string | undefined;
}

export type Identity = Readonly<Record<string, string>>;

/** Everything that determines the output of a batch, as readable text: a batch resumes only if none of it has changed. */
export function identityOf(plan: Plan, { input, output }: Ends, options: IdentityOptions): Identity {
  const { topology, bundle, reads } = plan;
  const { from = 'earliest', to = 'latest', features } = options;
  const tables = [...new Set(reads.map(({ table }) => table))];
  return {
    topology: `${topology.name}, ${digestOf(topology)}`,
    model: bundle.label,
    input: input.kind === 'file' ? `${fileText(input.file)}, ${options.inputFormat}` : `topic ${input.topic}`,
    ...(input.kind === 'topic' && { 'part of the input': `--from ${from} --to ${to}` }),
    output: output.kind === 'file' ? options.outputFormat : `topic ${output.topic}`,
    'file of dead letters': options.deadLetters === undefined ? 'none' : options.deadLetters,
    ...(tables.length > 0 && {
      'set of features':
        features === undefined
          ? 'the store'
          : tables.map((table) => fileText(featureFileOf(features, table))).join('; '),
    }),
  };
}

/** Describes what has changed; undefined: nothing. */
export function difference(was: Identity, is: Identity): string | undefined {
  return [...Object.keys(was), ...Object.keys(is)].find((name) => was[name] !== is[name]);
}

/** Throws `usage-invalid` that names what has changed. */
export function checkIdentity(was: Identity, is: Identity, { file, what }: { file: string; what: string }): void {
  const name = difference(was, is);
  if (name === undefined) return;
  throw new SluiceError(
    'usage-invalid',
    `cannot resume ${what}: the ${name} was (${was[name] ?? 'none'}) when the batch began, and is now (${is[name] ?? 'none'}), according to ${file}; restore the old one, or leave out --resume to start over`,
  );
}

/** Excludes file locations and settings that affect only the speed of a batch. */
function digestOf({ connections, flow, onOverload, file, model, ...rest }: Topology): string {
  const text = JSON.stringify(rest, (key, value) => (key === 'schemaFile' ? undefined : value));
  return `sha256 ${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

function fileText(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${realpathSync(file)}, ${size} bytes of ${new Date(mtimeMs).toISOString()}`;
}
