import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { openSocket, takeResponsesWhole } from '../src/adapters/kafka/client/sockets.ts';

/**
 * CPU per megabyte of responses from the socket to the client's decoder, with the client's sockets and with ours, in one
 * run: `node bench/receive.ts`. Processor time of this process; the broker is a child process that sends zeros.
 */
const MEBI = 1 << 20;
const ROUNDS = 8;

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder') as new () => { writeInt32(value: number): object };

if (process.argv[2] === 'broker') await serve();
else await main();

/** Answers every request with as many bytes as the last four of it say. */
async function serve(): Promise<void> {
  const server = createServer((socket) => {
    let held = Buffer.alloc(0);
    socket.on('data', (data) => {
      held = Buffer.concat([held, data]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0);
        const answer = Buffer.alloc(4 + held.readInt32BE(end - 4));
        answer.writeInt32BE(answer.length - 4);
        // Key and version, then the correlation id.
        held.copy(answer, 4, 8, 12);
        held = held.subarray(end);
        socket.write(answer);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

interface Client {
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(call: object): Promise<number>;
}

function sized(bytes: number): object {
  const request = { apiKey: 1, apiVersion: 11, apiName: 'Fetch', encode: async () => new Encoder().writeInt32(bytes) };
  const response = { decode: async (payload: Buffer) => payload.length, parse: async (length: number) => length };
  return { request, response };
}

async function main(): Promise<void> {
  const broker = fork(new URL(import.meta.url), ['broker']);
  const [port] = (await once(broker, 'message')) as [number];
  const Connection = require('kafkajs/src/network/connection') as new (options: object) => Client;
  const stockSockets = require('kafkajs/src/network/socketFactory') as () => unknown;
  const logger = { namespace: () => logger, debug: () => {}, error: () => {}, info: () => {}, warn: () => {} };
  const { processData: stock } = (Connection as unknown as { prototype: { processData: unknown } }).prototype;
  takeResponsesWhole();
  const { prototype } = Connection as unknown as { prototype: { processData: unknown } };
  const whole = prototype.processData;
  const clients: Record<string, Client> = {};
  for (const [name, socketFactory] of Object.entries({ stock: stockSockets(), ours: openSocket })) {
    const options = {
      host: '127.0.0.1',
      port,
      logger,
      socketFactory,
      connectionTimeout: 5_000,
      requestTimeout: 30_000,
    };
    const client = new Connection(options);
    Object.assign(client, { processData: name === 'stock' ? stock : whole });
    await client.connect();
    clients[name] = client;
  }
  for (const mebis of [0.02, 1, 4]) {
    const bytes = Math.round(mebis * MEBI);
    const count = Math.ceil(32 / Math.max(mebis, 0.25));
    const least: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, client] of Object.entries(clients)) {
        const before = process.cpuUsage();
        for (let i = 0; i < count; i++) {
          if ((await client.send(sized(bytes))) !== bytes - 4) throw new Error(`${name} lost bytes`);
        }
        const { user, system } = process.cpuUsage(before);
        least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, (user + system) / count);
      }
    }
    const { stock: before, ours: after } = least;
    const figures = `stock ${before.toFixed(0)} µs, ours ${after.toFixed(0)} µs, ${(before / after).toFixed(1)} times less`;
    console.log(`a response of ${bytes} bytes: ${figures}; ours ${((after / bytes) * MEBI).toFixed(0)} µs a MiB`);
  }
  for (const client of Object.values(clients)) await client.disconnect();
  broker.kill();
}
