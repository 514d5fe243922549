import { recordIn } from '../codecs/avro/paths.ts';
import { type AvroRecord, parseAvroRecord } from '../codecs/avro/schema.ts';
import { didYouMean } from '../documents/did-you-mean.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import type { Plan } from '../plan/plan.ts';
import type { CasesFile, FeatureAges, FeatureTables } from './schema.ts';

/**
 * Checks that everything a cases file names exists in the topology: tables, families, columns and widths that are read, fields
 * that are published. Unknown event fields are warnings: a record may have more fields than its schema.
 */
export function checkCases(file: CasesFile, yaml: YamlDocument, plan: Plan): CheckFinding[] {
  const findings: CheckFinding[] = [];
  const places = [{ path: [] as Path, ...file }, ...file.cases.map((each, i) => ({ path: ['cases', i], ...each }))];
  for (const { path, features = {}, ages = {} } of places) {
    checkFeatures([...path, 'features'], features, { yaml, plan, findings });
    checkAges([...path, 'ages'], ages, { yaml, plan, findings });
  }
  checkNames(file, yaml, findings);
  const outputs = plan.outputFields.map(({ name }) => name);
  const schema = parseAvroRecord(plan.topology.source.value.schema);
  file.cases.forEach(({ event, value, expect }, i) => {
    const at = ['cases', i];
    if ((event === undefined) === (value === undefined)) {
      const message = event === undefined ? 'has no record' : 'has two records, event and value';
      findings.push(yaml.at(at, message, 'give event: { FIELD: VALUE }, or event: null, or value: TEXT'));
    }
    checkEvent(event ?? {}, schema, [...at, 'event'], { yaml, findings });
    noNumbersBeyondJson(event, [...at, 'event'], yaml, findings);
    const names = Object.keys(expect ?? {});
    const fate = names.find((name) => name === 'deadLetter' || name === 'dropped');
    if (fate !== undefined && names.length > 1)
      findings.push(
        yaml.at([...at, 'expect'], `${fate} is not the only expectation`, `a record has one fate: remove the others`),
      );
    if (fate !== undefined) return;
    for (const name of names) {
      if (outputs.includes(name)) continue;
      const message = `the topology publishes no field "${name}"${didYouMean(name, [...outputs, 'deadLetter', 'dropped'])}`;
      const remedy = `known here: ${outputs.join(', ')}; or deadLetter: REASON, or dropped: true`;
      findings.push(yaml.atKey([...at, 'expect', name], message, remedy));
    }
  });
  return findings;
}

/** Fields of a record, and of nested records, that the schema does not have: they are ignored. */
function checkEvent(
  event: Readonly<Record<string, unknown>>,
  { name: record, fields }: AvroRecord,
  path: Path,
  scope: Pick<Scope, 'yaml' | 'findings'>,
): void {
  const names = fields.map(({ name }) => name);
  for (const [name, value] of Object.entries(event)) {
    const field = fields.find((each) => each.name === name);
    if (field === undefined) {
      const whose = path.at(-1) === 'event' && path.length === 3 ? 'the schema' : `record ${record} of the schema`;
      const message = `${whose} has no field "${name}"${didYouMean(name, names)}`;
      const found = scope.yaml.atKey([...path, name], message, `known here: ${names.join(', ')}`);
      scope.findings.push({ ...found, severity: 'warning' });
      continue;
    }
    const inner = recordIn(field.type);
    if (inner === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) continue;
    checkEvent(value as Readonly<Record<string, unknown>>, inner, [...path, name], scope);
  }
}

interface Scope {
  readonly yaml: YamlDocument;
  readonly plan: Plan;
  readonly findings: CheckFinding[];
}

function checkFeatures(path: Path, features: FeatureTables, scope: Scope): void {
  for (const [table, rows] of Object.entries(features)) {
    const known = familiesOf(table, [...path, table], scope);
    if (known === undefined) continue;
    for (const [key, row] of Object.entries(rows)) {
      for (const [family, columns] of Object.entries(row ?? {})) {
        const at = [...path, table, key, family];
        const widths = known.get(family);
        if (widths === undefined) unknown(scope, at, `family "${family}" of table "${table}"`, [...known.keys()]);
        else checkColumns(at, columns, widths, scope);
      }
    }
  }
}

function checkColumns(
  path: Path,
  columns: Readonly<Record<string, number | readonly number[]>>,
  widths: ReadonlyMap<string, number | undefined>,
  scope: Scope,
): void {
  for (const [column, value] of Object.entries(columns)) {
    const at = [...path, column];
    if (!widths.has(column)) {
      unknown(scope, at, `column "${column}"`, [...widths.keys()]);
      continue;
    }
    const width = widths.get(column);
    const has = typeof value === 'number' ? undefined : value.length;
    if (has === width) continue;
    const read = width === undefined ? 'one number' : `a list of ${width}`;
    const remedy = `write ${read}, as the topology reads it`;
    scope.findings.push(scope.yaml.at(at, `is ${has === undefined ? 'one number' : `a list of ${has}`}`, remedy));
  }
}

function checkAges(path: Path, ages: FeatureAges, scope: Scope): void {
  for (const [table, families] of Object.entries(ages)) {
    const known = familiesOf(table, [...path, table], scope);
    if (known === undefined) continue;
    for (const family of Object.keys(families)) {
      if (!known.has(family))
        unknown(scope, [...path, table, family], `family "${family}" of table "${table}"`, [...known.keys()]);
    }
  }
}

/** Family → column → width, undefined for a number; a finding if the topology does not read the table. */
function familiesOf(
  table: string,
  path: Path,
  scope: Scope,
): ReadonlyMap<string, ReadonlyMap<string, number | undefined>> | undefined {
  const families = new Map<string, Map<string, number | undefined>>();
  for (const read of scope.plan.reads) {
    if (read.table !== table) continue;
    for (const { family, columns } of read.views) {
      const known = families.get(family) ?? new Map<string, number | undefined>();
      families.set(family, known);
      for (const { name, kind, width } of columns) known.set(name, kind === 'vector' ? width : undefined);
    }
  }
  if (families.size > 0) return families;
  unknown(scope, path, `table "${table}"`, [...new Set(scope.plan.reads.map((read) => read.table))]);
  return undefined;
}

function unknown({ yaml, findings }: Scope, path: Path, what: string, known: readonly string[]): void {
  const hint = didYouMean(String(path.at(-1)), known);
  const remedy = known.length === 0 ? 'remove it: the topology has no look-ups' : `read here: ${known.join(', ')}`;
  findings.push(yaml.atKey(path, `the topology reads no ${what}${hint}`, remedy));
}

function checkNames(file: CasesFile, yaml: YamlDocument, findings: CheckFinding[]): void {
  const seen = new Set<string>();
  file.cases.forEach(({ name }, i) => {
    if (seen.has(name))
      findings.push(
        yaml.at(['cases', i, 'name'], `another case is named "${name}"`, 'give each case a name of its own'),
      );
    seen.add(name);
  });
}

/** A case's record is written as JSON, which has no NaN: it would silently become null. */
function noNumbersBeyondJson(value: unknown, path: Path, yaml: YamlDocument, findings: CheckFinding[]): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    findings.push(
      yaml.at(path, `${value} cannot be written in JSON, which cases are read as`, 'write null, or a number'),
    );
  else if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    findings.push(yaml.at(path, 'is a whole number too large to be exact', 'write one below 2^53'));
  else if (typeof value === 'object' && value !== null)
    for (const [key, each] of Object.entries(value))
      noNumbersBeyondJson(each, [...path, Array.isArray(value) ? Number(key) : key], yaml, findings);
}
