import { test } from 'node:test';
import { startServices } from '../../integration/services.ts';
import { openDoubt } from '../once/doubt.ts';

const doubt = openDoubt(startServices);

for (const what of ['request', 'answer'] as const) {
  test(`row 8: a transaction of which any ${what} is lost is committed once`, () => doubt.lostOnce(what));
}

test('rows 4 and 8: an owner that was replaced writes nothing more, and leaves nothing open', () =>
  doubt.ownerReplaced());

test('rows 4 and 8: a commit in doubt that its successor has seen is told to be committed, and nothing else', () =>
  doubt.successorHasSeen());

test('a row that its topic refuses leaves nothing behind, and what comes after it goes on', async () => {
  await doubt.refusedRow();
  await doubt.futureRow();
});
