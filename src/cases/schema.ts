import { z } from 'zod';
import { missingOr, said, shown, strict } from '../documents/zod-findings.ts';
import { REASONS } from '../kernel/fate.ts';
import { choice, list, text } from '../topology/leaves.ts';
import { DURATION_PATTERN, parseDurationMs } from '../topology/units.ts';

/** NAME.cases.yaml as one schema: the parsed file's type, and the JSON Schema for editors. Checks against the topology: check.ts. */

const map = (what: string, example: string) => (issue: { input: unknown }) =>
  missingOr(issue.input, `${shown(issue.input)} is not a map of ${what}`, `write ${example}`);

/** Not zod's own number, because some cases are about NaN and infinities. */
const NUMBERS = { anyOf: [{ type: 'number' }, { type: 'array', items: { type: 'number' } }] };
const isNumbers = (value: unknown): boolean =>
  typeof value === 'number' || (Array.isArray(value) && value.every((each) => typeof each === 'number'));
const numbers = z
  .custom<number | readonly number[]>(isNumbers, {
    error: ({ input }) =>
      said(`${shown(input)} is neither a number nor a list of numbers`, 'write 0.2, .nan, .inf or [1, 2, 3]'),
  })
  .meta(NUMBERS);

const columns = z.record(z.string(), numbers, { error: map('columns', '{ late_share: 0.2 }') });
const row = z
  .record(z.string(), columns, { error: map('families, or null', '{ agg: { late_share: 0.2 } }') })
  .nullable();
const rows = z.record(z.string(), row, { error: map('rows', '{ "DEN#XXQ": { agg: { late_share: 0.2 } } }') });
const features = z
  .record(z.string(), rows, { error: map('tables', '{ route: { "DEN#XXQ": { agg: { late_share: 0.2 } } } }') })
  .describe('TABLE → KEY → FAMILY → COLUMN → number or list; what is not named has no row')
  .optional();
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;
const isTime = (value: unknown): value is string =>
  typeof value === 'string' && TIME.test(value) && Number.isFinite(Date.parse(value));
const at = z
  .custom<string>(isTime, {
    error: ({ input }) => said(`${shown(input)} is not a time with its zone`, 'write 2001-06-03T10:10:00Z'),
  })
  .meta({ type: 'string', pattern: TIME.source })
  .describe('what the clock says while a record is scored, and its timestamp; without it, the time of the test')
  .optional();

/** When something was written: this long before the record is scored, or at a point in time. */
export type Age = { readonly agoMs: number } | { readonly atMs: number };

const age = z
  .custom<string>((value) => isTime(value) || (typeof value === 'string' && parseDurationMs(value) !== undefined), {
    error: ({ input }) =>
      said(`${shown(input)} is neither an age with its unit nor a time`, 'write 8d, or 2001-05-26T10:10:00Z'),
  })
  .meta({ type: 'string', anyOf: [{ pattern: DURATION_PATTERN.source }, { pattern: TIME.source }] })
  .transform((text): Age => (isTime(text) ? { atMs: Date.parse(text) } : { agoMs: parseDurationMs(text) ?? 0 }));
const ages = z
  .record(z.string(), z.record(z.string(), age, { error: map('families', '{ slots: 8d }') }), {
    error: map('tables', '{ route: { slots: 8d } }'),
  })
  .describe(
    'TABLE → FAMILY → how old its values are when the record is scored, or when they were written; without it, new',
  )
  .optional();

const isTolerance = (value: unknown) => typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY;
const tolerance = z
  .custom<number>(isTolerance, {
    error: ({ input }) => said(`${shown(input)} is not a tolerance`, 'write how far off a number may be, 1e-5'),
  })
  .meta({ type: 'number', minimum: 0 })
  .describe('largest absolute error of a number')
  .optional();

const plain = z
  .custom<Plain>(
    (value) => value === null || typeof value === 'string' || typeof value === 'boolean' || isNumbers(value),
    {
      error: ({ input }) =>
        missingOr(input, `${shown(input)} cannot be a field of an output`, 'write a number, a text or a list'),
    },
  )
  .meta({ anyOf: [{ type: ['string', 'number', 'boolean', 'null'] }, NUMBERS.anyOf[1]] });
const within = strict({ value: plain.describe('what is expected'), tolerance });
const isMap = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const expected = z.union([plain, within], {
  error: ({ input }) =>
    isMap(input)
      ? said(`${shown(input)} is not { value, tolerance }`, 'write { value: 0.5, tolerance: 0.01 }')
      : said(`${shown(input)} cannot be a field of an output`, 'write a number, a text or a list'),
});

export type Plain = number | string | boolean | null | readonly number[];

const expectation = z
  .object(
    {
      deadLetter: choice(REASONS.slice(1) as [string, ...string[]])
        .describe('the record is dead-lettered, for this reason')
        .optional(),
      dropped: z
        .literal(true, { error: ({ input }) => said(`${shown(input)} is not true`, 'write dropped: true') })
        .describe('the record is dropped')
        .optional(),
    },
    {
      error: map('output fields', 'expect: { probability: 0.53 }, { deadLetter: decode-failed } or { dropped: true }'),
    },
  )
  .catchall(expected)
  .refine((fields) => Object.keys(fields).length > 0, {
    error: said('expects nothing', 'name a field of the output; sluice test --update writes what comes out'),
  })
  .describe('fields of the output; or deadLetter: REASON; or dropped: true')
  .optional();

const one = strict({
  name: text('a name', 'an unknown route').describe('what the case shows; --only NAME runs it alone'),
  event: z
    .record(z.string(), z.unknown(), { error: map('fields, or null', '{ id: 1, origin: DEN }') })
    .nullable()
    .describe('the record as JSON; null is a tombstone')
    .optional(),
  value: z
    .string({ error: ({ input }) => said(`${shown(input)} is not text`, 'write the value as text') })
    .describe('in place of event: the bytes of the value, as text')
    .optional(),
  key: text('a key', '"8000001"').describe('the key of the record; without it, none').optional(),
  features,
  ages,
  at,
  tolerance,
  expect: expectation,
});

export const casesSchema = strict({
  tolerance,
  at,
  features,
  ages,
  cases: list(one, 'cases', '[{ name: an unknown route, event: { … }, expect: { probability: 0.53 } }]').describe(
    'each a record and its expected outcome',
  ),
});

export type CasesFile = z.infer<typeof casesSchema>;
export type CaseEntry = CasesFile['cases'][number];
export type FeatureTables = NonNullable<CasesFile['features']>;
export type FeatureAges = NonNullable<CasesFile['ages']>;
