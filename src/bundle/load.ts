import { join, resolve } from 'node:path';
import { isMap, isScalar, isSeq } from 'yaml';
import type { CheckFinding } from '../documents/finding.ts';
import { NotUtf8Error, readText, SAVE_AS_UTF8 } from '../documents/text-file.ts';
import { type Path, parseYaml, type YamlDocument } from '../documents/yaml-document.ts';
import { zodFindings } from '../documents/zod-findings.ts';
import type { Bundle, BundleInput, FileDigest, NamedExpression } from '../plan/bundle.ts';
import { type BundleFile, digestOf, listBundle } from './digest.ts';
import { type BundlePlace, locateBundle } from './locate.ts';
import { bundleSchema } from './schema.ts';
import { loadTransforms } from './transforms.ts';

export type LoadedBundle =
  | { readonly ok: true; readonly bundle: Bundle; readonly source: YamlDocument }
  | {
      readonly ok: false;
      readonly findings: readonly CheckFinding[];
      /** There is no bundle at that path: the mistake is in whatever names it. */
      readonly absent: boolean;
    };

/**
 * Reads a bundle folder: bundle.yaml parsed, names checked, every file hashed, links refused; the result is frozen.
 * `path` is MODELS/NAME (newest version) or MODELS/NAME/VERSION. Never throws for a person's mistake.
 * Limit: the digest covers the bytes as they were read here; with `modelFiles` the runtime can tell whether it reads the same.
 */
export function loadBundle(path: string): LoadedBundle {
  const place = locateBundle(path);
  if ('problem' in place) {
    const remedy = 'give the path MODELS/NAME or MODELS/NAME/VERSION of a bundle';
    return { ok: false, findings: [parseYaml(path, '').at([], place.problem, remedy)], absent: true };
  }
  const file = join(place.folder, 'bundle.yaml');
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    if (error instanceof NotUtf8Error)
      return failed([parseYaml(file, '').atLine(error.line, 1, [], error.message, SAVE_AS_UTF8)]);
    const reason = error instanceof Error ? error.message : String(error);
    return failed([
      parseYaml(file, '').at([], `cannot be read: ${reason}`, 'a version of a bundle needs a bundle.yaml'),
    ]);
  }
  const yaml = parseYaml(file, text);
  if (yaml.errors.length > 0) return failed(yaml.errors);
  if (yaml.toValue() === null)
    return failed([
      yaml.at([], 'is empty', 'write bundle, version, model, inputs and prediction: docs/reference/bundle.md'),
    ]);
  const parsed = bundleSchema.safeParse(yaml.toValue());
  if (!parsed.success) return failed(zodFindings(parsed.error, yaml));

  const { files, refused } = listBundle(place.folder);
  const findings = refused.map(({ path: entry, reason }) =>
    parseYaml(join(place.folder, entry), '').at(
      [],
      reason,
      'put a copy of the file in its place: a bundle must be self-contained',
    ),
  );
  const names = new Set([...files, ...refused].map((entry) => entry.path));
  const version = scalarText(yaml, ['version']);
  checkNames(place, parsed.data.bundle, version, yaml, findings);
  for (const key of ['model', 'golden'] as const) {
    const named = parsed.data[key];
    if (named !== undefined && !names.has(named))
      findings.push(
        yaml.at([key], `there is no file ${named} in ${place.folder}`, 'correct the name, or put the file there'),
      );
  }
  if (findings.length > 0) return failed(findings);

  const digest = digestOf(files);
  const parts = { let: linesOf(yaml, ['let']), inputs: inputsOf(yaml), prediction: linesOf(yaml, ['prediction']) };
  const lines = [...parts.let, ...parts.inputs.flatMap((input) => input.lines), ...parts.prediction];
  const expressions = lines.map(({ expression }) => expression);
  const bundle: Bundle = Object.freeze({
    name: parsed.data.bundle,
    version,
    folder: place.folder,
    file,
    modelFile: resolve(place.folder, parsed.data.model),
    digest,
    modelFiles: Object.freeze(modelFiles(place.folder, files, parsed.data.golden)),
    label: `${parsed.data.bundle}@${version}#${digest.slice(0, 12)}`,
    ...parts,
    transforms: loadTransforms(resolve(place.folder), expressions, new Set(files.map(({ path }) => path))),
    goldenFile: parsed.data.golden === undefined ? undefined : join(place.folder, parsed.data.golden),
  });
  return { ok: true, bundle, source: yaml };
}

function checkNames(
  place: BundlePlace,
  name: string,
  version: string,
  yaml: YamlDocument,
  findings: CheckFinding[],
): void {
  if (name !== place.name)
    findings.push(
      yaml.at(['bundle'], `"${name}" is in a folder named ${place.name}`, `write ${place.name}, or rename the folder`),
    );
  if (version !== place.version) {
    const message = `${version} is in a folder named ${place.version}`;
    findings.push(yaml.at(['version'], message, `write ${place.version}, or rename the folder`));
  }
}

/** The files of a bundle that ONNX Runtime may read: the model, and files beside it that may hold its weights. */
function modelFiles(folder: string, files: readonly BundleFile[], golden: string | undefined): FileDigest[] {
  return files
    .filter(({ path }) => path !== 'bundle.yaml' && path !== golden)
    .map(({ path, sha256 }) => Object.freeze({ file: resolve(folder, path), sha256 }));
}

/** The order comes from the document: objects would move keys that look like numbers to the front. */
function linesOf(yaml: YamlDocument, path: Path): readonly NamedExpression[] {
  const map = yaml.document.getIn(path, true);
  if (!isMap(map)) return Object.freeze([]);
  const lines = map.items
    .map((pair) => keyText(pair.key))
    .filter((name) => !isSeq(yaml.document.getIn([...path, name], true)))
    .map((name) => {
      const at = [...path, name];
      return Object.freeze({ name, expression: scalarText(yaml, at), ...textPlace(yaml, at) });
    });
  return Object.freeze(lines);
}

function inputsOf(yaml: YamlDocument): readonly BundleInput[] {
  const map = yaml.document.get('inputs', true);
  if (!isMap(map)) return Object.freeze([]);
  const inputs = map.items.map((pair) => {
    const name = keyText(pair.key);
    const shape = yaml.document.getIn(['inputs', name, 'shape'], true);
    return Object.freeze({
      name,
      shape: isSeq(shape) ? Object.freeze(shape.toJSON() as number[]) : undefined,
      lines: linesOf(yaml, ['inputs', name]),
    });
  });
  return Object.freeze(inputs);
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** A scalar's text as written: `1.10` stays `1.10`. */
function scalarText(yaml: YamlDocument, path: Path): string {
  const node = yaml.document.getIn(path, true);
  if (!isScalar(node)) return '';
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

/** Where a scalar's text begins: after its quote, if it has one. */
function textPlace(yaml: YamlDocument, path: Path): { line: number; column: number } {
  const node = yaml.document.getIn(path, true);
  const { line, column } = yaml.locate(path);
  const quoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE');
  return { line, column: quoted ? column + 1 : column };
}

function failed(findings: readonly CheckFinding[]): LoadedBundle {
  return { ok: false, findings, absent: false };
}
