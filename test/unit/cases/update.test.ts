import assert from 'node:assert/strict';
import test from 'node:test';
import type { Case, Outcome } from '../../../src/cases/types.ts';
import { updatedCases } from '../../../src/cases/update.ts';

const at = (index: number): Case => ({ index }) as Case;
const published = (fields: Record<string, unknown>): Outcome => ({ fate: 'published', fields });
const dead: Outcome = { fate: 'dead-lettered', reason: 'decode-failed', stage: 'decode' };

function updated(text: string, ...outcomes: readonly (Outcome | undefined)[]): string {
  const updates = outcomes.flatMap((outcome, i) => (outcome === undefined ? [] : [{ one: at(i), outcome }]));
  return updatedCases(text, updates, ['p', 'band']);
}

test('values are replaced in place; comments, spacing and everything not expected stay', () => {
  const text = `# head
cases:
  - name:   a     # of two
    expect: { p:  0.5,  band: low } # by hand
    event: {id: 1}
  - name: b
    expect:
      # why
      p: { value: 0.5, tolerance: 0.1 }  # coarse
      band: "on"
`;
  const first = published({ p: 0.25, band: 'high', id: 1 });
  const second = published({ p: 0.75, band: 'on', id: 2 });
  assert.equal(
    updated(text, first, second),
    text.replace('0.5,  band: low', '0.25,  band: high').replace('value: 0.5', 'value: 0.75'),
  );
  assert.equal(updated(text, undefined, undefined), text);
});

test('another fate replaces the whole expectation', () => {
  const text =
    'cases:\n  - name: a\n    expect:\n      p: 1\n      band: low\n    event: null\n  - name: b\n    expect: { dropped: true }\n';
  assert.equal(
    updated(text, dead, published({ p: 1, id: 3 })),
    'cases:\n  - name: a\n    expect:\n      { deadLetter: decode-failed }\n    event: null\n  - name: b\n    expect: { p: 1 }\n',
  );
});

test('if nothing was expected, a line is added in the style of the case, after comments of its last line', () => {
  const text = `cases:
  - name: a
    event:
      id: 1   # one
    # about b
  - { name: b, event: { id: 2 } }
  - name: c
    event: null`;
  const dropped: Outcome = { fate: 'dropped', reason: 'tombstone' };
  assert.equal(
    updated(text, published({ p: [1, 2], band: 'very low', id: 7 }), dead, dropped),
    `cases:
  - name: a
    event:
      id: 1   # one
    expect: { p: [1, 2], band: "very low" }
    # about b
  - { name: b, event: { id: 2 }, expect: { deadLetter: decode-failed } }
  - name: c
    event: null
    expect: { dropped: true }`,
  );
});
