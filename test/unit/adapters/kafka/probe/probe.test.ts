import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { probeBroker } from '../../../../../src/adapters/kafka/probe/probe.ts';
import { createSystemClock } from '../../../../../src/kernel/system-clock.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { seeded } from '../../../../fixtures/random.ts';

async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const look = (address: string, clock = createSystemClock()) =>
  probeBroker(clock, { address, clientId: 'test', timeoutMs: 5_000 });

test('another service on the port is said to be no Kafka', async (t) => {
  const http = createHttp((_, response) => response.end('hello'));
  await assert.rejects(look(await listen(t, http)), /does not speak plain Kafka|it hung up/);
});

test('who takes connections and never answers is waited for no longer than was said', async (t) => {
  let connections = 0;
  const silent = createServer(() => connections++);
  const address = await listen(t, silent);
  const clock = new FakeClock();
  const looking = look(address, clock as never);
  const outcome = assert.rejects(looking, /no answer within 5000 ms/);
  await once(silent, 'connection');
  await new Promise(setImmediate);
  await clock.advance(5_000);
  await clock.advance(5_000);
  await outcome;
  assert.equal(connections, 1);
});

test('a name that leads nowhere is said to be none', async () => {
  await assert.rejects(look('no-such-host.invalid:9092'), /no host no-such-host\.invalid|cannot be resolved/);
});

for (const version of [4, 8]) {
  test(`asking for a topic in version ${version} of the call does not make it`, async (t) => {
    const asked: Buffer[] = [];
    const broker = createServer((socket) => {
      socket.on('data', (question: Buffer) => {
        asked.push(question);
        const METADATA = 3;
        const body = Buffer.alloc(12);
        body.writeInt32BE(1, 2);
        body.writeInt16BE(METADATA, 6);
        body.writeInt16BE(version, 10);
        const head = Buffer.alloc(8);
        head.writeInt32BE(body.length + 4, 0);
        question.copy(head, 4, 8, 12);
        if (asked.length === 1) socket.write(Buffer.concat([head, body]));
        else socket.end();
      });
    });
    const probe = await look(await listen(t, broker));
    await assert.rejects(probe.cluster(['in']), /hung up/);
    const [, question] = asked;
    const name = question.lastIndexOf('in');
    assert.deepEqual([...question.subarray(name + 2)], version === 4 ? [0] : [0, 0, 1], 'what may be made, and told');
    assert.equal(question.readInt16BE(6), version);
  });
}

test('answers of any bytes end in a broker or in an error, never in a wait or a crash', async (t) => {
  const random = seeded(7);
  const noise = createServer((socket) => {
    socket.once('data', () => {
      const body = Buffer.from(Array.from({ length: 4 + Math.floor(random() * 60) }, () => Math.floor(random() * 256)));
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 4, 0);
      head.writeInt32BE(1, 4);
      socket.end(Buffer.concat([head, body]));
    });
  });
  const address = await listen(t, noise);
  for (let turn = 0; turn < 100; turn++) {
    await look(address).then(
      (probe) => probe.close(),
      (thrown) => assert.match(thrown.message, /Kafka|hung up/),
    );
  }
});
