import type { Difference, Expectation, ExpectedField, Outcome } from './types.ts';

/** Compares what became of a record with what was expected; empty if they agree. */
export function differences(expected: Expectation | undefined, got: Outcome): readonly Difference[] {
  if (expected === undefined)
    return [{ field: '', expected: 'nothing yet (--update writes it)', got: describe(got), off: undefined }];
  if (expected.fate === 'published' && got.fate === 'published')
    return expected.fields.flatMap((field) => fieldDifference(field, got.fields[field.name]));
  const sameReason =
    expected.fate !== 'dead-lettered' || (got.fate === expected.fate && got.reason === expected.reason);
  if (expected.fate === got.fate && sameReason) return [];
  return [{ field: '', expected: describeExpected(expected), got: describe(got), off: undefined }];
}

export function describe(outcome: Outcome): string {
  if (outcome.fate === 'published') return `published ${JSON.stringify(outcome.fields)}`;
  if (outcome.fate === 'dropped') return `dropped (${outcome.reason})`;
  return `dead letter ${outcome.reason} (in ${outcome.stage})`;
}

function describeExpected(expected: Expectation): string {
  if (expected.fate === 'dead-lettered') return `dead letter ${expected.reason}`;
  return expected.fate;
}

function fieldDifference({ name, value, tolerance }: ExpectedField, got: unknown): Difference[] {
  const off = distance(value, got);
  if (off === undefined ? same(value, got) : off <= tolerance) return [];
  const text = off === undefined || tolerance === 0 ? '' : ` ± ${tolerance}`;
  return [{ field: name, expected: `${shown(value)}${text}`, got: shown(got), off }];
}

/** How far apart two numbers are, or two lists at their largest difference; undefined if that is not a number. */
function distance(expected: unknown, got: unknown): number | undefined {
  if (typeof expected === 'number' && typeof got === 'number') {
    const off = Object.is(expected, got) ? 0 : Math.abs(got - expected);
    return Number.isNaN(off) ? undefined : off;
  }
  if (!Array.isArray(expected) || !Array.isArray(got) || expected.length !== got.length) return undefined;
  let most = 0;
  for (const [i, each] of expected.entries()) {
    const off = distance(each, got[i]);
    if (off === undefined) return undefined;
    most = Math.max(most, off);
  }
  return most;
}

function same(expected: unknown, got: unknown): boolean {
  return Object.is(expected, got);
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
