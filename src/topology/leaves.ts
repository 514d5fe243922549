import { z } from 'zod';
import { missingOr, said, shown } from '../documents/zod-findings.ts';
import { DURATION_PATTERN, parseDurationMs, parseSizeBytes, SIZE_PATTERN } from './units.ts';

/** The smallest pieces of the topology's schema: each says what is wrong with a value, and how to correct it. */

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const TOPIC = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

export function text(what: string, example: string) {
  const remedy = `write ${what}, for example ${example}`;
  return z
    .string({ error: (issue) => missingOr(issue.input, `${shown(issue.input)} is not text`, remedy) })
    .min(1, { error: said('is empty', remedy) });
}

export function matching(pattern: RegExp, what: string, example: string) {
  return text(what, example).regex(pattern, {
    error: (issue) => said(`${shown(issue.input)} is not ${what}`, `write ${what}, for example ${example}`),
  });
}

export const topic = () => matching(TOPIC, 'a topic name (letters, digits, . _ -; at most 249)', 'flights.departed');

/** A name that can be used in expressions and as a field. */
export const identifier = (what: string, example: string) =>
  matching(NAME, `${what} (letters, digits, _; not starting with a digit)`, example);

export function duration(example: string) {
  const remedy = `write a duration of whole milliseconds, 1 ms or more, with its unit (ms, s, m, h, d), for example ${example}`;
  return z
    .string({ error: (issue) => missingOr(issue.input, `${shown(issue.input)} has no unit`, remedy) })
    .regex(DURATION_PATTERN, { error: (issue) => said(`${shown(issue.input)} is not a duration`, remedy) })
    .transform((value, context) => {
      const ms = parseDurationMs(value);
      if (ms !== undefined && ms > 0) return ms;
      context.addIssue({ code: 'custom', message: said(`${shown(value)} is not a duration above zero`, remedy) });
      return z.NEVER;
    });
}

export function flag(example: string) {
  return z.boolean({
    error: (issue) =>
      missingOr(
        issue.input,
        `${shown(issue.input)} is not true or false`,
        `write true or false, for example ${example}`,
      ),
  });
}

export function size(example: string) {
  const remedy = `write a number of bytes with its unit (B, KiB, MiB, GiB), for example ${example}`;
  return z
    .string({ error: (issue) => missingOr(issue.input, `${shown(issue.input)} has no unit`, remedy) })
    .regex(SIZE_PATTERN, { error: (issue) => said(`${shown(issue.input)} is not a size`, remedy) })
    .transform((value, context) => {
      const bytes = parseSizeBytes(value);
      if (bytes !== undefined && bytes > 0) return bytes;
      context.addIssue({ code: 'custom', message: said(`${shown(value)} is not a whole number of bytes`, remedy) });
      return z.NEVER;
    });
}

export function count(most: number, example: number, least = 1) {
  const error = (issue: { input: unknown }) =>
    missingOr(
      issue.input,
      `${shown(issue.input)} is not a whole number from ${least} to ${most}`,
      `write a whole number from ${least} to ${most}, for example ${example}`,
    );
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** A part of a whole: above 0, at most 1. */
export function share(example: number) {
  const error = (issue: { input: unknown }) =>
    missingOr(
      issue.input,
      `${shown(issue.input)} is not a share above 0 and up to 1`,
      `write a number above 0 and up to 1, for example ${example}`,
    );
  return z.number({ error }).gt(0, { error }).lte(1, { error });
}

/** `null`, or one of a few words. */
export function nullOr<Word extends z.ZodType>(word: Word, example: string) {
  return z.union([z.null(), word], {
    error: (issue) => said(`${shown(issue.input)} is not null and not ${example}`, `write null, or ${example}`),
  });
}

/** `off`, or a map of keys. */
export function offOr<Keys extends z.ZodType>(keys: Keys, example: string) {
  return z.union([choice(['off']), keys], {
    error: (issue) =>
      missingOr(issue.input, `${shown(issue.input)} is neither off nor a map of keys`, `write off, or ${example}`),
  });
}

/** `auto`, or a number. */
export function autoOr(number: ReturnType<typeof count>, example: string) {
  return z.union([choice(['auto']), number], {
    error: (issue) =>
      missingOr(
        issue.input,
        `${shown(issue.input)} is neither auto nor a whole number that can be`,
        `write auto, or a whole number, for example ${example}`,
      ),
  });
}

/** One of `values`; those in `later` are recognised, with the message that Sluice does not support them yet. */
export function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  later: readonly string[] = [],
) {
  return z.enum(values, {
    error: (issue) => {
      const remedy = `write ${values.join(' or ')}`;
      if (later.includes(String(issue.input))) return said(`${shown(issue.input)} is not supported yet`, remedy);
      return missingOr(issue.input, `${shown(issue.input)} is not one of ${values.join(', ')}`, remedy);
    },
  });
}

export function list<Item extends z.ZodType>(item: Item, what: string, example: string) {
  const remedy = `write a list of ${what}, for example ${example}`;
  return z
    .array(item, { error: (issue) => missingOr(issue.input, `${shown(issue.input)} is not a list`, remedy) })
    .min(1, { error: said('is an empty list', remedy) });
}

export function mapOf<Key extends z.core.$ZodRecordKey, Value extends z.ZodType>(
  key: Key,
  value: Value,
  what: string,
  example: string,
) {
  const remedy = `write a map of ${what}, for example ${example}`;
  return z
    .record(key, value, { error: (issue) => missingOr(issue.input, `${shown(issue.input)} is not a map`, remedy) })
    .refine((map) => Object.keys(map).length > 0, { error: said('is empty', remedy) });
}
