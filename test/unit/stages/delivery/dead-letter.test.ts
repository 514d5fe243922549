import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEAD_LETTERED, REASONS, type Reason, reasonCode, STAGE_OF_REASON } from '../../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../../src/kernel/frame.ts';
import { FrameBuilder } from '../../../../src/kernel/frame-builder.ts';
import { decodeHeaders, type Header } from '../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import { replayHeaders } from '../../../../src/kernel/replay.ts';
import { appendDeadLetter, type DeadLetterForm } from '../../../../src/stages/delivery/dead-letter.ts';
import { frameOf, type TestRecord } from '../../../fixtures/frames.ts';

const ORIGIN = { topic: 'flights.departed', partition: 7, epoch: 3 };
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const RECORD: TestRecord = {
  offset: 9_007_199_254_740_991,
  timestampMs: 1_700_000_000_123,
  key: Buffer.from([0, 255, 1]),
  value: Buffer.from([0xc3, 0x28, 0, 9]),
};

function failed(record: TestRecord, reason: Reason): Frame {
  const frame = frameOf(ORIGIN, [{ offset: 1, key: 'other', value: 'other' }, record], { receivedAtMs: NOW_MS });
  decide(frame, 1, DEAD_LETTERED, reasonCode(reason));
  return frame;
}

interface Letter {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Header[];
}

function letterOf(frame: Frame, i: number, form: DeadLetterForm = 'whole'): Letter {
  const slab = new RecordSlab(1, 1);
  slab.append(0, null, Buffer.from('before'), null);
  appendDeadLetter(frame, i, { instance: 'host-1', nowMs: NOW_MS, form }, slab);
  assert.equal(slab.count, 2);
  const part = (start: number, end: number): Buffer | null => (start < 0 ? null : slab.arena.subarray(start, end));
  return {
    timestampMs: slab.timestamps[1],
    key: part(slab.keyStart[1], slab.keyEnd[1]),
    value: part(slab.valueStart[1], slab.valueEnd[1]),
    headers: decodeHeaders(slab.arena.subarray(slab.headersStart[1], slab.headersEnd[1])),
  };
}

function texts(headers: readonly Header[]): [string, string | null][] {
  return headers.map(({ name, value }) => [name, value?.toString() ?? null]);
}

test('a dead letter is the original record, byte for byte, with headers that say where it came from and why', () => {
  const headers = [
    { name: 'trace', value: Buffer.from([1, 2, 255]) },
    { name: 'trace', value: null },
    { name: '', value: Buffer.alloc(0) },
  ];
  const frame = failed({ ...RECORD, headers }, 'feature-missing');
  frame.schemaId[1] = 42;
  frame.model = 'flight-delay@1#0123456789ab';
  const letter = letterOf(frame, 1);
  assert.equal(letter.timestampMs, RECORD.timestampMs);
  assert.deepEqual([letter.key, letter.value], [RECORD.key, RECORD.value]);
  assert.deepEqual(letter.headers.slice(0, 3), headers);
  assert.deepEqual(texts(letter.headers.slice(3)), [
    ['__dlq.errors.topic', 'flights.departed'],
    ['__dlq.errors.partition', '7'],
    ['__dlq.errors.offset', '9007199254740991'],
    ['__dlq.errors.timestamp', '1700000000123'],
    ['__dlq.errors.stage', 'enrich'],
    ['__dlq.errors.reason', 'feature-missing'],
    ['__dlq.errors.attempts', '1'],
    ['__dlq.errors.first-seen', '2026-01-02T03:04:05.678Z'],
    ['__dlq.errors.schema-id', '42'],
    ['__dlq.errors.model', 'flight-delay@1#0123456789ab'],
    ['__dlq.errors.instance', 'host-1'],
  ]);
});

test('what is not known yet is empty, a null stays null', () => {
  const letter = letterOf(failed({ offset: 5, timestampMs: 1, key: null, value: null }, 'tombstone'), 1);
  assert.deepEqual([letter.key, letter.value], [null, null]);
  const found = new Map(texts(letter.headers));
  assert.deepEqual([found.get('__dlq.errors.schema-id'), found.get('__dlq.errors.model')], ['', '']);
  assert.equal(letter.headers.length, 11);
});

test('headers of the input that pretend to be ours are set apart, not believed', () => {
  const headers = [
    { name: '__dlq.errors.reason', value: Buffer.from('fine') },
    { name: '__dlq.anything', value: null },
    { name: '__dlqx', value: null },
  ];
  const letter = letterOf(failed({ ...RECORD, headers }, 'decode-failed'), 1);
  assert.deepEqual(texts(letter.headers.slice(0, 3)), [
    ['original.__dlq.errors.reason', 'fine'],
    ['original.__dlq.anything', null],
    ['__dlqx', null],
  ]);
  const reasons = letter.headers.filter(({ name }) => name === '__dlq.errors.reason');
  assert.deepEqual(texts(reasons), [['__dlq.errors.reason', 'decode-failed']]);
});

test('a record that was too large goes by reference: its place and size, no body', () => {
  const builder = new FrameBuilder(ORIGIN, 1, 0);
  builder.appendReference(12, 1_000, 70_000_000);
  const letter = letterOf(builder.build(13, 0, 0), 0);
  assert.deepEqual([letter.key, letter.value], [null, null]);
  const found = new Map(texts(letter.headers));
  assert.equal(found.get('__dlq.errors.bytes'), '70000000');
  assert.deepEqual([found.get('__dlq.errors.stage'), found.get('__dlq.errors.offset')], ['source', '12']);
});

test('every reason names the stage that gave it', () => {
  const stages = REASONS.filter((reason) => reason !== 'none').map((reason) => {
    const found = new Map(texts(letterOf(failed(RECORD, reason), 1).headers));
    assert.equal(found.get('__dlq.errors.reason'), reason);
    assert.equal(found.get('__dlq.errors.stage'), STAGE_OF_REASON[reason]);
    return found.get('__dlq.errors.stage');
  });
  const known = [
    'source',
    'decode',
    'enrich',
    'preprocess',
    'infer',
    'postprocess',
    'details',
    'encode',
    'deliver',
    'unknown',
  ];
  assert.deepEqual([...new Set(stages)].sort(), known.sort());
});

test('reason codes are a contract: none is renamed or moved', () => {
  assert.deepEqual(REASONS.slice(0, 14), [
    'none',
    'decode-failed',
    'schema-unknown',
    'too-large',
    'tombstone',
    'feature-missing',
    'feature-stale',
    'feature-not-finite',
    'model-failed',
    'output-not-finite',
    'encode-failed',
    'unpublishable',
    'stage-failed',
    'quarantined',
  ]);
});

test('a dead letter that its topic refuses carries less: dated now, then only where the record is to be found', () => {
  const frame = failed(RECORD, 'decode-failed');
  const dated = letterOf(frame, 1, 'dated-now');
  assert.deepEqual([dated.timestampMs, dated.key, dated.value], [NOW_MS, RECORD.key, RECORD.value]);
  const reference = letterOf(frame, 1, 'reference');
  const place = `${ORIGIN.topic}/${ORIGIN.partition}/${frame.offsets[1]}`;
  assert.deepEqual([reference.timestampMs, reference.key?.toString(), reference.value], [NOW_MS, place, null]);
  const headers = new Map(texts(reference.headers));
  assert.equal(headers.get('__dlq.errors.timestamp'), String(RECORD.timestampMs), 'the original is not lost');
  assert.equal(headers.get('__dlq.errors.bytes'), String(RECORD.value?.length));
});

test('a replayed record that fails again says which attempt it was and where the first one lies', () => {
  const replay = { of: 'flights.departed/7/5', attempt: 3, firstSeen: '2026-01-01T00:00:00.000Z' };
  const frame = failed({ ...RECORD, headers: replayHeaders(replay) }, 'decode-failed');
  const letter = new Map(texts(letterOf(frame, 1).headers));
  assert.equal(letter.get('__dlq.errors.attempts'), '3');
  assert.equal(letter.get('__dlq.errors.first-attempt'), 'flights.departed/7/5');
  assert.equal(letter.get('__dlq.errors.first-seen'), '2026-01-01T00:00:00.000Z');
  assert.equal(letter.get('sluice-replay-of'), 'flights.departed/7/5', 'the original headers stay');
});

test('replay headers that are not well-formed count as not there', () => {
  for (const [name, value] of [
    ['sluice-replay-attempt', '1e9'],
    ['sluice-replay-attempt', '0'],
    ['sluice-replay-of', 'x\n/1/2'],
    ['sluice-replay-first-seen', 'yesterday'],
  ]) {
    const replay = { of: 'a/1/2', attempt: 2, firstSeen: '2026-01-01T00:00:00.000Z' };
    const headers = [...replayHeaders(replay), { name, value: Buffer.from(value) }];
    const letter = new Map(texts(letterOf(failed({ ...RECORD, headers }, 'decode-failed'), 1).headers));
    assert.equal(letter.get('__dlq.errors.attempts'), '1', `${name}: ${value}`);
    assert.equal(letter.has('__dlq.errors.first-attempt'), false);
  }
});

test('a record on which a stage broke names that stage', () => {
  const frame = failed(RECORD, 'stage-failed');
  frame.failedIn = new Map([[1, 'encode']]);
  assert.equal(new Map(texts(letterOf(frame, 1).headers)).get('__dlq.errors.stage'), 'encode');
});
