import assert from 'node:assert/strict';
import { test } from 'node:test';
import { healthOf, type Signs } from '../../../../../src/adapters/kafka/group/health.ts';
import { SluiceError } from '../../../../../src/kernel/errors.ts';

const WELL: Signs = {
  failure: undefined,
  joining: undefined,
  shut: [],
  isUnheard: false,
  silentMs: 0,
  unansweredMs: 0,
  trouble: undefined,
  sessionTimeoutMs: 10_000,
  maxWaitMs: 200,
};

test('ready while it can make progress', () => {
  assert.deepEqual(healthOf(WELL), { ready: true, reason: '', live: true });
  assert.equal(healthOf({ ...WELL, silentMs: 9_000 }).ready, true);
  assert.equal(healthOf({ ...WELL, trouble: 'a broker closed a connection' }).ready, true, 'the others answer');
});

for (const [what, signs, reason] of [
  ['before the first join', { joining: 'g' }, /^joining group g$/],
  [
    'while it re-joins',
    { shut: ['re-joining'], trouble: 'brokers a:1: refused' },
    /^re-joining, brokers a:1: refused$/,
  ],
  ['when the coordinator does not hear it', { isUnheard: true }, /no heartbeat was answered/],
  ['when no fetch ends', { silentMs: 11_000 }, /no fetch ended for 11 s/],
  [
    'when every fetch fails, as from a topic that was deleted',
    { unansweredMs: 1_001, trouble: 'no such topic' },
    /^no such topic$/,
  ],
  ['when brokers do not answer', { silentMs: 500, trouble: 'brokers a:1: refused' }, /^brokers a:1: refused$/],
] as const) {
  test(`not ready ${what}, and it says why; a restart would not help`, () => {
    const health = healthOf({ ...WELL, ...signs });
    assert.deepEqual([health.ready, health.live], [false, true]);
    assert.match(health.reason, reason);
  });
}

test('not live after a failure for good', () => {
  const failure = new SluiceError('consumer-dead', 'the client does nothing');
  assert.deepEqual(healthOf({ ...WELL, failure }), { ready: false, reason: 'the client does nothing', live: false });
});
