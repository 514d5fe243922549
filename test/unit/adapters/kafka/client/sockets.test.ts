import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createSecureServer } from 'node:tls';
import fc from 'fast-check';
import { MAX_RESPONSE_BYTES, Responses } from '../../../../../src/adapters/kafka/client/responses.ts';
import { openSocket, takeResponsesWhole } from '../../../../../src/adapters/kafka/client/sockets.ts';
import { LOCALHOST } from '../../../../fixtures/kafka/tls.ts';

/** With its length in front; `fill` tells one from another. */
function response(bytes: number, fill: number): Buffer {
  const whole = Buffer.alloc(4 + bytes, fill);
  whole.writeInt32BE(bytes);
  return whole;
}

/** Writes a stream as a socket would: as much a time as `sizes` say, at most what there is room for. */
function pour(stream: Buffer, sizes: readonly number[], into: Responses): void {
  for (let at = 0, k = 0; at < stream.length; k++) {
    const room = into.room();
    assert.ok(room.length > 0);
    const count = Math.min(room.length, stream.length - at, sizes[k % sizes.length]);
    stream.copy(room, 0, at, at + count);
    at += count;
    into.received(count);
  }
}

test('responses come out whole, once and in order, however the stream is cut', () => {
  const size = fc.oneof(fc.nat(10), fc.nat(1_000), fc.integer({ min: 60_000, max: 200_000 }));
  const chunk = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1_000, max: 300_000 }));
  fc.assert(
    fc.property(
      fc.array(size, { maxLength: 12 }),
      fc.array(chunk, { minLength: 1, maxLength: 6 }).filter((sizes) => Math.max(...sizes) >= 1_000),
      (lengths, sizes) => {
        const sent = lengths.map((bytes, i) => response(bytes, i + 1));
        const got: Buffer[] = [];
        const responses = new Responses({ onResponse: (one) => got.push(one), onNonsense: () => assert.fail() });
        pour(Buffer.concat(sent), sizes, responses);
        assert.equal(got.length, sent.length);
        for (const [i, one] of got.entries()) assert.ok(one.equals(sent[i]), `${i}: nothing was written over it`);
      },
    ),
    { numRuns: 200 },
  );
});

test('a length that cannot be true is told before there is memory for it, and nothing is read behind it', () => {
  for (const bytes of [-1, MAX_RESPONSE_BYTES - 3, 0x48545450]) {
    const lie = Buffer.alloc(4);
    lie.writeInt32BE(bytes);
    const told: (number | string)[] = [];
    const responses = new Responses({
      onResponse: (one) => told.push(one.toString('latin1', 4)),
      onNonsense: (length) => told.push(length),
    });
    pour(Buffer.concat([response(1, 97), lie, response(1, 98)]), [1_000], responses);
    pour(response(1, 99), [3], responses);
    assert.deepEqual(told, ['a', bytes]);
  }
});

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, 'localhost');
  await once(server, 'listening');
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What arrives until the other side ends, and how that ends. */
async function receive(port: number, ssl: object | undefined): Promise<{ got: Buffer[]; error?: Error }> {
  const got: Buffer[] = [];
  let connected = false;
  const socket = openSocket({
    ...{ host: 'localhost', port, ssl: ssl as never },
    onConnect: () => {
      connected = true;
      socket.write('hello');
    },
  });
  socket.on('data', (data: Buffer) => got.push(data));
  const error = await new Promise<Error | undefined>((resolve) => {
    socket.on('error', resolve);
    socket.on('end', () => resolve(undefined));
  });
  assert.ok(connected || error !== undefined);
  socket.destroy();
  return { got, ...(error && { error }) };
}

const SENT = [response(0, 0), response(5, 1), response(3_000_000, 2), response(70_000, 3), response(8, 4)];

function answer(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.end(Buffer.concat(SENT)));
}

for (const isSecure of [false, true]) {
  test(`over ${isSecure ? 'TLS' : 'TCP'} every response is one event, and the end is one`, async (context) => {
    const server = isSecure ? createSecureServer(LOCALHOST, answer) : createServer(answer);
    const port = await listen(context, server);
    const { got, error } = await receive(port, isSecure ? { ca: [LOCALHOST.cert] } : undefined);
    assert.equal(error, undefined);
    assert.deepEqual(
      got.map(({ length }) => length),
      SENT.map(({ length }) => length),
    );
    for (const [i, one] of got.entries()) assert.ok(one.equals(SENT[i]));
  });
}

test('a certificate that nobody vouches for is refused', async (context) => {
  const port = await listen(context, createSecureServer(LOCALHOST, answer));
  const { got, error } = await receive(port, {});
  assert.equal((error as { code?: string }).code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
  assert.deepEqual(got, []);
});

test('what is no Kafka listener ends the connection with an error that says so', async (context) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const { got, error } = await receive(await listen(context, server), undefined);
  assert.match(error?.message ?? '', /localhost:\d+ speaks of a response of 1213486160 bytes.*Kafka listener/);
  assert.deepEqual(got, []);
});

test('a listener with TLS that is spoken to without is said to be one', async (context) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    // Fatal, unexpected message.
    socket.write(Buffer.from([0x15, 3, 3, 0, 2, 2, 10]));
  });
  const { error } = await receive(await listen(context, server), undefined);
  assert.match(error?.message ?? '', /localhost:\d+ answers with an alert of TLS: .*connections\.kafka\.ssl$/);
});

/** As far as the client's connection is there once it is connected. */
function connectionOf(own: object): { processData(data: Buffer): void } {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: object };
  return Object.assign(Object.create(prototype), { chunks: [], bytesBuffered: 0, bytesNeeded: 4 }, own);
}

test('what answers a login comes with its length in front, as the client wants it', () => {
  takeResponsesWhole();
  const [token, empty] = [response(40, 5), response(0, 0)];
  for (const authExpectResponse of [true, false]) {
    const got: Buffer[] = [];
    const connection = connectionOf({
      authHandlers: { onSuccess: (raw: Buffer) => got.push(raw) },
      authExpectResponse,
    });
    const responses = new Responses({
      onResponse: (one) => connection.processData(one),
      onNonsense: () => assert.fail(),
    });
    pour(Buffer.concat([token, empty]), [3], responses);
    assert.deepEqual(got, [token, empty]);
  }
});

test('the client copies no response that came whole, and still puts together what did not', () => {
  takeResponsesWhole();
  takeResponsesWhole();
  const fulfilled: { readonly correlationId: number; readonly payload: Buffer }[] = [];
  const requestQueue = { fulfillRequest: (one: (typeof fulfilled)[number]) => fulfilled.push(one) };
  const connection = connectionOf({ authHandlers: null, requestQueue });
  const [first, second, third] = [1, 2, 3].map((id) => {
    const one = response(1_000, 9);
    one.writeInt32BE(id, 4);
    return one;
  });
  connection.processData(first);
  connection.processData(second);
  for (const part of [third.subarray(0, 2), third.subarray(2, 500), third.subarray(500)]) connection.processData(part);
  assert.deepEqual(
    fulfilled.map(({ correlationId, payload }) => [correlationId, payload.length]),
    [1, 2, 3].map((id) => [id, 996]),
  );
  for (const [i, one] of [first, second].entries())
    assert.equal(fulfilled[i].payload.buffer, one.buffer, 'a view of it');
});
