import { z } from 'zod';
import type { CheckFinding } from '../documents/finding.ts';
import { NotUtf8Error, placeInJson, readText, SAVE_AS_UTF8 } from '../documents/text-file.ts';
import { parseYaml } from '../documents/yaml-document.ts';
import { said, shown, strict } from '../documents/zod-findings.ts';

/** One line of golden.jsonl: raw inputs and the predictions that the model must make. */
export interface GoldenRecord {
  /** 1-based. */
  readonly line: number;
  readonly event: Readonly<Record<string, unknown>>;
  /** View → column → value; null: no row, or the row lacks the view. A view that is not named is null too. */
  readonly features: Readonly<Record<string, Readonly<Record<string, number | readonly number[]>> | null>>;
  /** Prediction → value. Predictions that are not named are not compared. */
  readonly expected: Readonly<Record<string, number | string | readonly number[]>>;
  /** Largest absolute error of a number. */
  readonly tolerance: number;
}

export type LoadedGolden =
  | { readonly ok: true; readonly records: readonly GoldenRecord[] }
  | { readonly ok: false; readonly findings: readonly CheckFinding[] };

const DEFAULT_TOLERANCE = 1e-5;
const REMEDY =
  'write {"event":{…},"features":{VIEW:{COLUMN:number or list}},"expected":{PREDICTION:value},"tolerance":1e-5}';

const wrong = (what: string) => (issue: { input: unknown }) =>
  said(issue.input === undefined ? 'is missing' : `${shown(issue.input)} is not ${what}`, REMEDY);
const featureValue = z.union([z.number(), z.array(z.number())], { error: wrong('a number or a list of numbers') });
const row = z.record(z.string(), featureValue, { error: wrong('a map of columns, or null') }).nullable();
const predicted = z.union([z.number(), z.string(), z.array(z.number())], {
  error: wrong('a number, a text or a list of numbers'),
});

const goldenSchema = strict({
  event: z.record(z.string(), z.unknown(), { error: wrong('a map of fields') }),
  features: z.record(z.string(), row, { error: wrong('a map of views') }).default({}),
  expected: z
    .record(z.string(), predicted, { error: wrong('a map of predictions') })
    .refine((map) => Object.keys(map).length > 0, { error: said('names no prediction', REMEDY) }),
  tolerance: z
    .number({ error: wrong('a number') })
    .nonnegative({ error: wrong('0 or more') })
    .default(DEFAULT_TOLERANCE),
});

/** Reads golden records: JSON Lines, empty lines allowed. Every wrong line is reported. */
export function loadGolden(file: string): LoadedGolden {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    if (error instanceof NotUtf8Error)
      return { ok: false, findings: [findingAt(file, error.line, '', '', error.message, SAVE_AS_UTF8)] };
    const reason = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      findings: [findingAt(file, 1, '', '', `cannot be read: ${reason}`, 'correct `golden:` in bundle.yaml')],
    };
  }
  const records: GoldenRecord[] = [];
  const findings: CheckFinding[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const parsed = parseLine(line);
    if (parsed instanceof Error) {
      const message = `is not JSON: ${parsed.message.replace(/ \(line.*/s, '').replaceAll(/\s+/g, ' ')}`;
      const { column } = placeInJson(line, parsed.message);
      findings.push({ ...findingAt(file, index + 1, line, '', message, REMEDY), column });
      return;
    }
    const checked = goldenSchema.safeParse(parsed);
    if (checked.success) {
      records.push(Object.freeze({ line: index + 1, ...checked.data }));
      return;
    }
    for (const issue of checked.error.issues) {
      const unknown = issue.code === 'unrecognized_keys' ? `unknown key ${issue.keys.join(', ')}` : undefined;
      const message = unknown ?? issue.message.split('\n')[0];
      findings.push(findingAt(file, index + 1, line, issue.path.join('.'), message, REMEDY));
    }
  });
  return findings.length > 0 ? { ok: false, findings } : { ok: true, records };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function findingAt(
  file: string,
  line: number,
  excerpt: string,
  path: string,
  message: string,
  remedy: string,
): CheckFinding {
  // Parsed as a document of its own, the record knows the columns of its keys.
  const { column } = parseYaml(file, excerpt).locate(path === '' ? [] : path.split('.'));
  return { code: 'golden-invalid', severity: 'error', file, line, column, path, message, remedy, excerpt };
}
