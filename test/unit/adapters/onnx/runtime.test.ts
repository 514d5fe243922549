import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import { THROWS } from '../../../fixtures/models.ts';
import { writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { sessions } from './sessions.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-onnx-'));
after(() => rmSync(folder, { recursive: true }));

sessions('on this thread', () => createOnnxRuntime({ telemetry: new RecordingTelemetry() }));

test('auto takes what there is, and tells what it passed over', async (t) => {
  const telemetry = new RecordingTelemetry();
  const session = await createOnnxRuntime({ telemetry }).load({
    file: writeOnnx(THROWS, folder),
    device: 'auto',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [1] }],
    fetches: ['y'],
  });
  t.after(() => session.close());
  const passedOver = telemetry.events.map(({ fields }) => fields.device);
  assert.deepEqual(
    [...passedOver, session.device].slice(0, 2),
    session.device === 'cuda:0' ? ['cuda:0'] : ['cuda', 'cpu'],
  );
});

test('a file that ends too early is refused, wherever it ends', async () => {
  const runtime = createOnnxRuntime({ telemetry: new RecordingTelemetry() });
  const whole = readFileSync(writeOnnx(THROWS, folder));
  const file = join(folder, 'half.onnx');
  for (let bytes = 0; bytes < whole.length; bytes++) {
    writeFileSync(file, whole.subarray(0, bytes));
    await assert.rejects(runtime.inspect(file), { code: 'bundle-invalid', message: /half\.onnx/ }, `${bytes} bytes`);
  }
  writeFileSync(file, whole);
  assert.equal((await runtime.inspect(file)).inputs.length, 1);
});
