import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FetchedMessage } from '../../../../../src/adapters/kafka/client/internals.ts';
import { BEGINNING, firstFrom } from '../../../../../src/adapters/kafka/fetch/frames.ts';
import { countBefore } from '../../../../../src/adapters/kafka/fetch/range-cut.ts';
import { RecordColumns } from '../../../../../src/kernel/record-columns.ts';

/** A message of one record, or a batch of several, at rising offsets. */
function messages(batches: readonly (readonly number[])[]): FetchedMessage[] {
  return batches.map((offsets): FetchedMessage => {
    const one = { offset: String(offsets.at(-1)), timestamp: '0', key: null, value: null };
    if (offsets.length === 1) return one;
    const columns = new RecordColumns(offsets.length);
    columns.offsets.set(offsets);
    return { ...one, records: { columns, from: 0, to: offsets.length, bytes: Buffer.alloc(0), start: 0 } };
  });
}

test('records before an offset are counted from any place, in single messages and in batches with gaps', () => {
  const gaps = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }), { maxLength: 6 });
  fc.assert(
    fc.property(gaps, fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 20 }), (steps, from, until, most) => {
      let at = -1;
      const offsets = steps.map((batch) => batch.map((gap) => (at += gap)));
      const found = messages(offsets);
      const wanted = offsets.flat().filter((offset) => offset >= from && offset < until).length;
      const counted = countBefore(found, from === 0 ? BEGINNING : firstFrom(found, from), until, most);
      assert.equal(counted, Math.min(most, wanted));
    }),
  );
});
