/** What Sluice says to typical mistakes names the file or thing, the cause and the remedy; docs/reference/mistakes.md is made of the same table. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADDRESS_MISTAKES } from '../fixtures/mistakes/addresses.ts';
import { FILE_MISTAKES } from '../fixtures/mistakes/files.ts';
import { MODEL_MISTAKES } from '../fixtures/mistakes/models.ts';
import { openWorkshop, type Workshop } from '../fixtures/mistakes/workshop.ts';
import { WORLD_MISTAKES } from '../fixtures/mistakes/world.ts';

let workshop: Workshop;
before(async () => {
  workshop = await openWorkshop();
});
after(() => workshop?.close());

for (const mistake of [...FILE_MISTAKES, ...MODEL_MISTAKES, ...WORLD_MISTAKES, ...ADDRESS_MISTAKES]) {
  test(`mistake: ${mistake.name}`, async () => {
    const { code, said } = await workshop.make(mistake);
    assert.equal(code, mistake.code, said);
    for (const part of [mistake.names, mistake.cause, mistake.remedy]) {
      assert.notEqual(part, '');
      assert.ok(said.includes(part), `${part}\nis not in\n${said}`);
    }
    assert.doesNotMatch(said, /\n +at .*:\d+:\d+\)?$/m, 'no stack trace');
  });
}

test('every finding of a file shows its line and a caret, and --json has them as fields', async () => {
  const [first] = FILE_MISTAKES;
  const { said } = await workshop.make(first);
  assert.match(said, /^ {3}13 \| {3}latencyBuget: 50ms.*\n {6}\| {3}\^$/m);
  const { stdout } = await workshop.make({ ...first, command: [...first.command, '--json'] });
  const [finding] = JSON.parse(stdout).findings;
  const { line, column, path, excerpt } = finding;
  assert.deepEqual([line, column, path, excerpt.trim().split(':')[0]], [13, 3, 'flow.latencyBuget', 'latencyBuget']);
  assert.ok(finding.remedy.length > 0 && finding.message.length > 0);
});
