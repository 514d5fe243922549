import { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import type { CheckFinding } from './finding.ts';
import type { YamlDocument } from './yaml-document.ts';

/**
 * zod → findings. A leaf schema puts message and remedy into one error text, `message⏎remedy` (written by `said`); maps made by
 * `strict` add their known keys, for "did you mean".
 */
export function said(message: string, remedy: string): string {
  return `${message}\n${remedy}`;
}

/** A map in which an unknown key is an error. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return known.join('\n');
      return missingOr(issue.input, 'is not a map of keys', `write a map with ${known.join(', ')}`);
    },
  });
}

/** The error text for a value that is missing, or present and wrong. */
export function missingOr(input: unknown, message: string, remedy: string): string {
  return said(input === undefined || input === null ? 'is missing' : message, remedy);
}

/** A value as shown in messages: short, text in quotes. */
export function shown(value: unknown): string {
  // JSON has no NaN and no infinity: it would write null.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

export function zodFindings(error: z.ZodError, yaml: YamlDocument): CheckFinding[] {
  return error.issues.flatMap((issue) => findingsOf(issue, yaml));
}

function findingsOf(issue: z.core.$ZodIssue, yaml: YamlDocument): CheckFinding[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split('\n');
    return issue.keys.map((key) =>
      yaml.atKey([...path, key], `unknown key "${key}"${didYouMean(key, known)}`, `known here: ${known.join(', ')}`),
    );
  }
  if (issue.code === 'invalid_key') {
    const [message, remedy] = split(issue.issues[0]?.message ?? issue.message);
    return [yaml.atKey(path, message, remedy)];
  }
  if (issue.code === 'invalid_union') {
    // The branch that was meant: the one in which only parts are wrong.
    const meant = issue.errors.find((branch) => branch.every((each) => each.path.length > 0 || 'keys' in each));
    if (meant !== undefined) {
      return meant.flatMap((each) => findingsOf({ ...each, path: [...issue.path, ...each.path] }, yaml));
    }
  }
  const [message, remedy] = split(issue.message);
  return [yaml.at(path, message, remedy)];
}

function split(text: string): [string, string] {
  const [message, ...rest] = text.split('\n');
  return [message, rest.length === 0 ? 'see docs/reference for what is allowed here' : rest.join(' ')];
}
