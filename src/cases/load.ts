import { type CheckFinding, hasErrors } from '../documents/finding.ts';
import { NotUtf8Error, readText, SAVE_AS_UTF8 } from '../documents/text-file.ts';
import { parseYaml } from '../documents/yaml-document.ts';
import { zodFindings } from '../documents/zod-findings.ts';
import type { Plan } from '../plan/plan.ts';
import { checkCases } from './check.ts';
import { type CaseEntry, type CasesFile, casesSchema, type FeatureAges, type FeatureTables } from './schema.ts';
import type { Case, Expectation } from './types.ts';

export type LoadedCases =
  | {
      readonly ok: true;
      readonly cases: readonly Case[];
      readonly text: string;
      /** Warnings. */
      readonly findings: readonly CheckFinding[];
    }
  | { readonly ok: false; readonly findings: readonly CheckFinding[] };

/** The same as that of golden records. */
export const DEFAULT_TOLERANCE = 1e-5;

/** `topologies/hello.yaml` → `topologies/hello.cases.yaml`. */
export function casesFileOf(topologyFile: string): string {
  return `${topologyFile.replace(/\.(?:ya?ml|json|[cm]?[jt]s)$/, '')}.cases.yaml`;
}

/** Reads a cases file and checks it against its plan. Never throws for a person's mistake. */
export function loadCases(file: string, plan: Plan): LoadedCases {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    if (error instanceof NotUtf8Error)
      return { ok: false, findings: [parseYaml(file, '').atLine(error.line, 1, [], error.message, SAVE_AS_UTF8)] };
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = code === 'ENOENT' ? `there is no file ${file}` : `cannot be read: ${code}`;
    const remedy = `write the cases of ${plan.topology.file} there, or give --cases FILE; the README shows one`;
    return { ok: false, findings: [parseYaml(file, '').at([], message, remedy)] };
  }
  const yaml = parseYaml(file, text);
  if (yaml.errors.length > 0) return { ok: false, findings: yaml.errors };
  if (yaml.toValue() === null) {
    const remedy = 'write cases: and below it - { name: …, event: { … }, expect: { … } }';
    return { ok: false, findings: [yaml.at([], 'is empty', remedy)] };
  }
  const parsed = casesSchema.safeParse(yaml.toValue());
  if (!parsed.success) return { ok: false, findings: zodFindings(parsed.error, yaml) };
  const findings = checkCases(parsed.data, yaml, plan);
  if (hasErrors(findings)) return { ok: false, findings };
  const cases = parsed.data.cases.map((entry, index) => ({
    ...caseOf(entry, parsed.data),
    index,
    ...yaml.locate(['cases', index, 'name']),
  }));
  return { ok: true, cases, text, findings };
}

function caseOf(entry: CaseEntry, file: CasesFile): Omit<Case, 'index' | 'line' | 'column'> {
  const { name, event, value, key } = entry;
  const at = entry.at ?? file.at;
  const record = value ?? (event === null ? null : JSON.stringify(event));
  return {
    name,
    key: key === undefined ? null : Buffer.from(key),
    value: record === null ? null : Buffer.from(record),
    features: merged(file.features ?? {}, entry.features ?? {}),
    ages: merged(file.ages ?? {}, entry.ages ?? {}),
    atMs: at === undefined ? undefined : Date.parse(at),
    expect: expectationOf(entry, entry.tolerance ?? file.tolerance ?? DEFAULT_TOLERANCE),
  };
}

/** Row by row, age by age: what the case says overrides what the file says. */
function merged<Entry extends FeatureTables[string] | FeatureAges[string]>(
  defaults: Readonly<Record<string, Entry>>,
  own: Readonly<Record<string, Entry>>,
): Readonly<Record<string, Entry>> {
  const tables = new Map(Object.entries(defaults));
  for (const [table, entries] of Object.entries(own)) tables.set(table, { ...tables.get(table), ...entries });
  return Object.fromEntries(tables);
}

function expectationOf({ expect }: CaseEntry, tolerance: number): Expectation | undefined {
  if (expect === undefined) return undefined;
  const { deadLetter, dropped, ...fields } = expect;
  if (deadLetter !== undefined) return { fate: 'dead-lettered', reason: deadLetter };
  if (dropped !== undefined) return { fate: 'dropped' };
  const expected = Object.entries(fields).map(([name, field]) =>
    typeof field === 'object' && field !== null && 'value' in field
      ? { name, value: field.value, tolerance: field.tolerance ?? tolerance }
      : { name, value: field, tolerance },
  );
  return { fate: 'published', fields: expected };
}
