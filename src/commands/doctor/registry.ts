import type { ProbedRegistry } from '../../adapters/registry/probe.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import { type Diagnosis, failed, note, ok, problem, warning } from './finding.ts';

export interface RegistryQuestions {
  /** Subjects and schemas that the pipeline registers. */
  readonly writes: readonly { readonly subject: string; readonly schema: unknown }[];
  /** Subjects under which producers register by convention. */
  readonly reads: readonly string[];
}

export interface RegistryWorld {
  readonly probe: () => Promise<ProbedRegistry>;
  readonly schemas: Pick<SchemaSource, 'idFor'>;
}

/** HTTP dates have whole seconds; a larger difference is not rounding. */
const MAX_SKEW_MS = 2_000;

/** The registry, the topology's schemas in it, and its clock against ours; registers nothing. */
export async function checkRegistry(asked: RegistryQuestions, { probe, schemas }: RegistryWorld): Promise<Diagnosis[]> {
  let answer: ProbedRegistry;
  try {
    answer = await probe();
  } catch (thrown) {
    return [failed('registry', thrown, 'start it, or correct connections.registry.url')];
  }
  const { base, status, subjects, aheadMs } = answer;
  const clock = aheadMs === undefined ? [] : [checkSkew(aheadMs, base)];
  if (status === 401 || status === 403) {
    const remedy = 'give connections.registry a username and password, or a token, that may read';
    return [problem('registry', `${base} refuses this user (HTTP ${status})`, remedy), ...clock];
  }
  if (status >= 500) {
    return [problem('registry', `${base} answers HTTP ${status}`, 'see its log: it is up, and cannot work'), ...clock];
  }
  if (status !== 200 || subjects === undefined) {
    const what = `what answers at ${base} is no schema registry: HTTP ${status} to /subjects`;
    return [problem('registry', what, 'correct connections.registry.url: host, port and path'), ...clock];
  }
  const found = [ok('registry', `${base} answers, with ${subjects.length} subjects`)];
  for (const { subject, schema } of asked.writes) found.push(await checkWritten(subject, schema, schemas));
  for (const subject of asked.reads.filter((name) => !subjects.includes(name)))
    found.push(
      note(
        'registry',
        `no subject ${subject}: nobody has registered what producers write there, or under another name`,
      ),
    );
  return [...found, ...clock];
}

async function checkWritten(
  subject: string,
  schema: unknown,
  schemas: Pick<SchemaSource, 'idFor'>,
): Promise<Diagnosis> {
  try {
    const id = await schemas.idFor(subject, schema, { register: false });
    if (id >= 0) return ok('registry', `${subject} has the schema that is written, as ${id}`);
    return note('registry', `${subject} has not the schema that is written: \`sluice run\` registers it at its start`);
  } catch (thrown) {
    return failed('registry', thrown, 'see the log of the registry');
  }
}

/** Two clocks do not tell which of them is wrong. */
export function checkSkew(aheadMs: number, whose: string): Diagnosis {
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  if (Math.abs(aheadMs) <= MAX_SKEW_MS) return ok('clock', `agrees with that of ${whose} to ${MAX_SKEW_MS / 1000} s`);
  const what = `this machine's clock is ${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of ${whose}`;
  return warningOrProblem(aheadMs)(
    'clock',
    what,
    'synchronise both with NTP: deadlines, lag and the age of features are reckoned from the dates of other machines',
  );
}

/** Half a minute makes fresh features stale and punctual records late; less only distorts figures. */
function warningOrProblem(aheadMs: number): typeof warning {
  return Math.abs(aheadMs) > 30_000 ? problem : warning;
}
