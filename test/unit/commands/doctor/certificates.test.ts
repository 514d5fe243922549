import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEnd, checkOwn } from '../../../../src/commands/doctor/certificates.ts';
import { Secret } from '../../../../src/kernel/connections/secret.ts';
import { createAuthority } from '../../../fixtures/certificates.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

for (const [days, status, what] of [
  [-1, 'problem', 'x has ended, on 2025-12-31'],
  [3, 'warning', 'x ends in 3 days, on 2026-01-04'],
  [29.5, 'warning', 'x ends in 29 days, on 2026-01-30'],
  [31, 'ok', 'x is good until 2026-02-01'],
] as const) {
  test(`a certificate that ends in ${days} days: ${status}`, () => {
    const found = checkEnd('x', NOW_MS + days * DAY_MS, NOW_MS);
    assert.deepEqual([found.status, found.what], [status, what]);
    assert.equal(found.remedy, status === 'ok' ? undefined : 'have it renewed');
  });
}

test('certificates of ours are named by their keys', () => {
  const authority = createAuthority('tests');
  const to = new Date(Math.floor(Date.now() / 1000) * 1000 + 90 * DAY_MS);
  const { cert } = authority.issue({ name: 'me', to });
  const tls = { ca: new Secret(authority.cert), cert: new Secret(cert) };
  const found = checkOwn(tls, 'connections.kafka', Date.now());
  assert.deepEqual(
    found.map(({ status, what }) => [status, what.split(' ')[0]]),
    [
      ['warning', 'connections.kafka.ssl.ca'],
      ['ok', 'connections.kafka.ssl.cert'],
    ],
  );
  assert.deepEqual(checkOwn(undefined, 'x', 0), []);
});
