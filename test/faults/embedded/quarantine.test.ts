import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headerText, readTopic } from '../../fixtures/reader.ts';
import { Sluice } from '../../fixtures/sluice.ts';
import { audit, describeViolations, untilDrained } from '../ledger.ts';
import { record } from '../report.ts';
import { flights, startHello } from './hello.ts';

const KILLER = 'test/fixtures/killer.ts';
const POISON = { id: 3_100, distance: 2_000_000_000 };

test('row 24: a record that kills the process is found, and alone dead-lettered; everything else is published', {
  timeout: 120_000,
}, async (context) => {
  const { watched, file, env, produce } = await startHello(context, { partitions: 3 });
  const good = flights(6_000).filter(({ id }) => id !== POISON.id);
  await produce([...good.slice(0, POISON.id), POISON, ...good.slice(POISON.id)]);
  let deaths = 0;
  for (;;) {
    const sluice = new Sluice([file], env, KILLER);
    context.after(() => sluice.signal('SIGKILL'));
    const drained = untilDrained(watched, 60_000).then(() => 'drained' as const);
    drained.catch(() => undefined);
    const how = await Promise.race([drained, sluice.ended]);
    if (how === 'drained') {
      assert.equal((await sluice.health()).ready, true);
      assert.equal(
        sluice.logged('the process died repeatedly on this record: it is dead-lettered unprocessed').length,
        1,
      );
      assert.equal(await sluice.metric('sluice_dead_letters_total', { reason: 'quarantined' }), 1);
      assert.equal(await sluice.stop(), 0);
      break;
    }
    assert.equal(how, 'SIGKILL', sluice.stderr.slice(-2_000));
    deaths++;
    assert.ok(deaths <= 6, 'it dies again and again');
  }
  // Four, and one for each time that it lay further on than the note beside the last commit could know.
  assert.ok(deaths >= 4, `${deaths} deaths`);
  context.diagnostic(`${deaths} deaths`);
  const account = await audit(watched);
  assert.equal(describeViolations(account), '');
  const letters = await readTopic(watched.brokers, watched.deadLetter);
  assert.deepEqual(
    letters.map((letter) => [letter.key?.toString(), headerText(letter, '__dlq.errors.reason')]),
    [[String(POISON.id), 'quarantined']],
  );
  assert.equal(JSON.parse(String(letters[0].value)).distance, POISON.distance, 'with its own bytes');
  record({ rows: [24], test: context.name, faults: { crash: deaths }, invariants: ['I1', 'I2', 'I3', 'I5'] });
});
