import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { CheckFinding } from '../documents/finding.ts';
import { hasErrors } from '../documents/finding.ts';
import { NotUtf8Error, placeInJson, readText, SAVE_AS_UTF8 } from '../documents/text-file.ts';
import { hideLogins, type Path, parseYaml, type YamlDocument } from '../documents/yaml-document.ts';
import { zodFindings } from '../documents/zod-findings.ts';
import { hideSecrets } from '../kernel/connections/secret.ts';
import type { Connections, Topology, ValueFormat } from '../plan/topology.ts';
import { buildTopology } from './build.ts';
import { buildConnections } from './connection-build.ts';
import { checkConnections } from './connection-rules.ts';
import { type Environment, type Interpolated, interpolate } from './interpolate.ts';
import { loadModule, MODULE } from './load-module.ts';
import { checkRules } from './rules.ts';
import { type TopologyFile, topologySchema } from './schema.ts';

const EMPTY =
  'write topology, source, model, flow, output and deadLetter; `sluice init` makes one of a schema and a model';
const SHORT_CHARS = 4;

/** Places of everything in the files, for the findings of later checks. */
export interface TopologySource {
  readonly yaml: YamlDocument;
  /** The .avsc files of source.value and of output.value. */
  readonly sourceSchema: YamlDocument;
  readonly outputSchema: YamlDocument;
}

export type LoadedTopology =
  | {
      readonly ok: true;
      readonly topology: Topology;
      readonly source: TopologySource;
      /** Warnings. */
      readonly findings: readonly CheckFinding[];
    }
  | { readonly ok: false; readonly findings: readonly CheckFinding[] };

/**
 * Loads a topology file: parses it (or executes it, if TypeScript), interpolates, checks and freezes it. Reads only it and the .avsc
 * files that it names. Never throws for a user's mistake: all mistakes are reported together, as far as one does not hide another.
 * Paths in the file are resolved against the folder of the topology file first, then against the current directory.
 */
export function loadTopology(file: string, env: Environment): LoadedTopology {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    return failed([unreadable(file, parseYaml(file, ''), [], error)]);
  }
  const yaml = MODULE.test(file) ? loadModule(file, text) : parseYaml(file, text);
  if (yaml.errors.length > 0) return failed(yaml.errors);
  if (yaml.toValue() === null) return failed([yaml.at([], 'is empty', EMPTY)]);
  const given = interpolate(yaml, env, (path) => readText(resolvePath(file, path)));
  if (given.findings.length > 0) return failed(given.findings);

  const parsed = topologySchema.safeParse(yaml.toValue());
  const other = parsed.success ? undefined : otherKind(yaml.toValue());
  if (other !== undefined) return failed([yaml.at([], ...other)]);
  if (!parsed.success) return failed(withoutSecrets(zodFindings(parsed.error, yaml), given));

  const connections = buildConnections(parsed.data.connections, given.files, (path) => resolvePath(file, path));
  const findings = [...checkRules(parsed.data, yaml), ...checkConnections(parsed.data.connections, connections, yaml)];
  findings.push(...missingFolder(connections.files, yaml));
  const sourceValue = readFormat(parsed.data.source.value, ['source', 'value'], yaml, findings);
  const outputValue = readFormat(parsed.data.output.value, ['output', 'value'], yaml, findings);
  if (hasErrors(findings) || sourceValue === undefined || outputValue === undefined)
    return failed(withoutSecrets(findings, given));

  const bundle = resolvePath(file, parsed.data.model.bundle);
  const smaller = parsed.data.onOverload?.smallerModel;
  const smallerBundle = smaller === undefined ? undefined : resolvePath(file, smaller);
  const files = { sourceValue: sourceValue.format, outputValue: outputValue.format, bundle, smallerBundle };
  return {
    ok: true,
    topology: buildTopology(file, parsed.data, connections, files),
    source: { yaml, sourceSchema: sourceValue.document, outputSchema: outputValue.document },
    findings: inFileOrder(withoutSecrets(findings, given)),
  };
}

/** Recognises another kind of Sluice file by its keys: a list of missing topology keys would not help. */
function otherKind(value: unknown): readonly [message: string, remedy: string] | undefined {
  if (typeof value !== 'object' || value === null || 'topology' in value) return undefined;
  if ('bundle' in value && 'inputs' in value)
    return ['is a bundle, not a topology', 'give the topology file that names it under model.bundle'];
  if ('fields' in value && 'type' in value)
    return [
      'is an Avro schema, not a topology',
      'give a topology file; `sluice init` makes one of a schema and a model',
    ];
  if ('cases' in value) return ['holds cases, and is no topology', 'give the topology file that it is named after'];
  return undefined;
}

function missingFolder(files: Connections['files'], yaml: YamlDocument): CheckFinding[] {
  if (files === undefined || existsSync(files.folder)) return [];
  const remedy = 'write the path of a folder with TABLE.jsonl for each table, from the topology file or from here';
  return [yaml.at(['connections', 'files', 'folder'], `"${files.folder}" is not there`, remedy)];
}

/** Resolves a path written in a topology: beside the topology file if it exists there, otherwise unchanged. */
function resolvePath(topologyFile: string, path: string): string {
  if (isAbsolute(path)) return path;
  const beside = join(dirname(topologyFile), path);
  return existsSync(beside) ? beside : path;
}

function readFormat(
  value: TopologyFile['source']['value'],
  path: Path,
  yaml: YamlDocument,
  findings: CheckFinding[],
): { format: ValueFormat; document: YamlDocument } | undefined {
  const kind = value.avro === undefined ? 'json' : 'avro';
  const written = value.avro ?? value.json;
  if (written === undefined) return undefined;
  const schemaFile = resolvePath(yaml.file, written);
  let text: string;
  try {
    text = readText(schemaFile);
  } catch (error) {
    findings.push(unreadable(schemaFile, yaml, [...path, kind], error));
    return undefined;
  }
  const schema = parseJson(schemaFile, text, findings);
  if (schema === undefined) return undefined;
  // The YAML parser keeps positions, and JSON is YAML.
  const document = parseYaml(schemaFile, text);
  if (kind === 'json') return { format: { kind, schemaFile, schema }, document };
  const { wire = 'plain', ids = [] } = value;
  return { format: { kind, schemaFile, schema, wire, ids }, document };
}

function parseJson(file: string, text: string, findings: CheckFinding[]): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const { line, column } = placeInJson(text, message);
    findings.push(
      parseYaml(file, text).atLine(
        line,
        column,
        [],
        `is not JSON: ${message.replace(/ \(line.*/s, '').replaceAll(/\s+/g, ' ')}`,
        'repair the JSON at this place',
      ),
    );
    return undefined;
  }
}

function unreadable(file: string, yaml: YamlDocument, path: Path, error: unknown): CheckFinding {
  if (error instanceof NotUtf8Error) return parseYaml(file, '').atLine(error.line, 1, [], error.message, SAVE_AS_UTF8);
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'EISDIR') {
    return yaml.at(path, `${file} is a folder`, path.length === 0 ? 'give a topology file' : 'name a file in it');
  }
  if (code !== 'ENOENT') return yaml.at(path, `cannot read ${file}: ${code}`, 'make it a readable file');
  return yaml.at(
    path,
    `there is no file ${file}`,
    'correct the path; it is looked up beside the topology file, then from the current directory',
  );
}

/** A password in a variable may be used at the wrong key: then the finding quotes the variable, not its value. */
function withoutSecrets(findings: readonly CheckFinding[], { secrets, written }: Interpolated): CheckFinding[] {
  return findings.map((finding) => {
    const { value, text } = written.get(finding.path) ?? { value: '', text: '' };
    // A short one would be found within words.
    const message =
      value.length < SHORT_CHARS
        ? finding.message.replaceAll(`"${value}"`, `"${text}"`)
        : finding.message.replaceAll(value, text);
    return { ...finding, message: hideLogins(hideSecrets(message, secrets)) };
  });
}

function failed(findings: readonly CheckFinding[]): LoadedTopology {
  return { ok: false, findings: inFileOrder(findings) };
}

function inFileOrder(findings: readonly CheckFinding[]): CheckFinding[] {
  return [...findings].sort((a, b) => a.line - b.line || a.column - b.column);
}
