/** Rows 33 and 34: clients that can reach the port of metrics and health. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createAdmin } from '../../../src/adapters/http/admin.ts';
import { createExposition } from '../../../src/adapters/prometheus/exposition.ts';
import { METRICS } from '../../../src/telemetry/catalogue.ts';
import { createTelemetry } from '../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../fixtures/clock.ts';
import { seeded } from '../../fixtures/random.ts';
import { until } from '../../fixtures/until.ts';
import { record } from '../report.ts';

const PARTITIONS = 1_000;
const CONNECTIONS = 64;

async function serve(t: TestContext) {
  const clock = new FakeClock();
  const events: string[] = [];
  const telemetry = createTelemetry({ clock, log: { log: (_, message) => void events.push(message) } });
  let renders = 0;
  telemetry.beforeSnapshot(() => {
    renders++;
  });
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const labels = { topic: 't', partition: String(partition) };
    telemetry.gauge('sluice_lag_records', labels, () => partition);
  }
  const admin = await createAdmin(
    { clock, metrics: createExposition({ clock, telemetry }), health: () => ({ live: true, ready: true, reason: '' }) },
    { port: 0 },
  );
  t.after(() => admin.close());
  const port = Number(new URL(admin.url).port);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };
  return { clock, url: admin.url, open, renders: () => renders, events };
}

test('row 33: a thousand partitions are a bounded page, in which the worst lag beyond it is told', async (t) => {
  const { url, events } = await serve(t);
  const page = await (await fetch(`${url}/metrics`)).text();
  const lags = page.split('\n').filter((line) => line.startsWith('sluice_lag_records{'));
  assert.equal(lags.length, METRICS.sluice_lag_records.maxSeries + 1);
  assert.equal(lags.at(-1), 'sluice_lag_records{topic="overflow",partition="overflow"} 999');
  assert.ok(events.includes('too many series; further ones are counted as overflow'));
});

test('row 33: a flood of scrapes is one page a second', async (t) => {
  const { url, clock, renders } = await serve(t);
  const scrape = async (): Promise<number> => (await fetch(`${url}/metrics`)).status;
  for (let second = 0; second < 3; second++) {
    for (let n = 0; n < 200; n += 20) {
      const statuses = await Promise.all(Array.from({ length: 20 }, scrape));
      assert.deepEqual([...new Set(statuses)], [200]);
    }
    await clock.advance(1_000);
  }
  assert.equal(renders(), 3);
  record({ rows: [33], test: 'a flood of scrapes', faults: { scrape: 600 }, invariants: ['I7'] });
});

test('row 33: readers that take nothing are cut off, and let the probes in again', async (t) => {
  const { url, clock, open } = await serve(t);
  const slow = Array.from({ length: CONNECTIONS }, open);
  let closed = 0;
  for (const socket of slow) {
    socket.once('close', () => closed++);
    socket.pause();
    // More answers than the kernel can buffer: the rest waits in this process.
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200));
  }
  await until('one more is turned away', async () => {
    const late = open();
    await once(late, 'close');
    return true;
  });
  await clock.advance(10_000);
  await until('all are cut off', () => {
    for (const socket of slow) socket.resume();
    return closed === CONNECTIONS;
  });
  assert.equal((await fetch(`${url}/live`)).status, 200);
  record({ rows: [33], test: 'slow readers', faults: { slowReader: CONNECTIONS }, invariants: ['I9'] });
});

test('row 34: no request, whole or not, does more than be refused', async (t) => {
  const { url, open } = await serve(t);
  const random = seeded(34);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const noise = (): string =>
    Buffer.from(Array.from({ length: Math.floor(random() * 60) }, () => random() * 256)).toString('latin1');
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT', 'OPTIONS', 'PRI', 'X', noise()];
  const paths = [
    ...[
      '/',
      '/metrics/../live',
      '/../../etc/passwd',
      '/%2e%2e/%00',
      '/live%0d%0aset-cookie:%20x',
      '//live',
      '*',
      '/live?',
    ],
    ...['http://169.254.169.254/', '/reload', `/${'a'.repeat(20_000)}`, `/models/..%2f..%2fx`, noise()],
  ];
  const headers = [
    '',
    'content-length: 99999999\r\n',
    'transfer-encoding: chunked\r\n',
    `x: ${'y'.repeat(20_000)}\r\n`,
    'content-length: -1\r\n',
    'expect: 100-continue\r\n',
    'upgrade: h2c\r\nconnection: upgrade\r\n',
    'a\r\nb\r\n',
  ];
  const answers = new Map<string, number>();
  for (let n = 0; n < 400; n++) {
    const socket = open();
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    const closed = once(socket, 'close');
    const request = `${pick(methods)} ${pick(paths)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${pick(headers)}\r\n${noise()}`;
    socket.end(random() < 0.2 ? request.slice(0, Math.floor(random() * request.length)) : request, 'latin1');
    await closed;
    const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'closed';
    assert.ok(!/set-cookie/i.test(answer.split('\r\n\r\n')[0]), answer);
    answers.set(status, (answers.get(status) ?? 0) + 1);
  }
  for (const status of answers.keys()) assert.match(status, /^(closed|100|200|4\d\d)$/, JSON.stringify([...answers]));
  assert.ok((answers.get('404') ?? 0) > 10 && (answers.get('400') ?? 0) > 10, JSON.stringify([...answers]));
  assert.deepEqual(await (await fetch(`${url}/ready`)).json(), { ready: true, reason: '' });
  record({ rows: [34], test: 'requests of all kinds', faults: { request: 400 }, invariants: ['I12'] });
});
