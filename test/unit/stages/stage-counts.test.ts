import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../../src/kernel/frame.ts';
import { createStageCounts } from '../../../src/stages/stage-counts.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';

const frame = { count: 40 } as Frame;

test('records count as held while a stage has them, and as through when it is done', async () => {
  const telemetry = new RecordingTelemetry();
  const counts = createStageCounts(telemetry);
  const { promise, resolve } = Promise.withResolvers<void>();
  const failing = Promise.withResolvers<void>();
  const answers = [promise, failing.promise];
  const stage = counts.counted('enrich', () => answers.shift());
  const held = (): number | undefined => telemetry.gauges.get('sluice_stage_held_records{stage=enrich}')?.();
  const through = (): number => telemetry.count('sluice_stage_records_total', { stage: 'enrich' });
  const [first, second] = [stage(frame), stage(frame)];
  assert.deepEqual([held(), through()], [80, 0]);
  resolve();
  await first;
  assert.deepEqual([held(), through()], [40, 40]);
  failing.reject(new Error('away'));
  await assert.rejects(second as Promise<void>, /away/);
  assert.deepEqual([held(), through()], [0, 40]);
  assert.equal(stage(frame), undefined, 'at once');
  assert.deepEqual([held(), through()], [0, 80]);
});

test('a stage that is part of two ways holds what both have', () => {
  const telemetry = new RecordingTelemetry();
  const counts = createStageCounts(telemetry);
  const never = new Promise<void>(() => undefined);
  void counts.counted('infer', () => never)(frame);
  void counts.counted('infer', () => never)(frame);
  counts.countedSync('encode', () => undefined)(frame);
  assert.equal(telemetry.gauges.get('sluice_stage_held_records{stage=infer}')?.(), 80);
  assert.equal(telemetry.count('sluice_stage_records_total', { stage: 'encode' }), 40);
});
