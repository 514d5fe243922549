import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpened } from '../../../../src/commands/world/opened.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

test('what was opened is closed, the last first and each once; what fails or hangs is told, and keeps nothing from its end', async () => {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const opened = createOpened({ clock, telemetry });
  const closed: string[] = [];
  const part = (step: string, end: () => Promise<void> = async () => undefined) =>
    opened.keep(step, {
      step,
      close() {
        closed.push(step);
        return end();
      },
    });
  assert.equal(part('model').step, 'model');
  part('store', () => Promise.reject(new Error('the socket is gone')));
  part('sink', () => new Promise(() => undefined));
  part('log');
  await clock.run(opened.closeAll());
  assert.deepEqual(closed, ['log', 'sink', 'store', 'model']);
  const told = telemetry.eventsNamed('close-failed');
  assert.deepEqual(
    told.map(({ step }) => step),
    ['sink', 'store'],
  );
  assert.match(String(told[0].reason), /did not close within 5000 ms/);
  assert.match(String(told[1].reason), /the socket is gone/);
  await opened.closeAll();
  assert.equal(closed.length, 4);
});
