/** The store against a server that misbehaves as it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { translate } from '../../../../src/adapters/bigtable/errors.ts';
import { createBigtableStore } from '../../../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../../../src/adapters/bigtable/writer.ts';
import {
  type BigtableOptions,
  createBigtable,
  type ReadFault,
  type ReadRowsRequest,
} from '../../../../src/devstack/bigtable.ts';
import type { ViewSpec } from '../../../../src/kernel/cells/views.ts';
import type { Clock } from '../../../../src/kernel/clock.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { blank, isSluice, sortedKeys } from '../../../contract/feature-store-parts.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

const VIEW: ViewSpec = {
  name: 'v',
  family: 'agg',
  columns: [
    { name: 'a', kind: 'number', width: 1, offset: 0 },
    { name: 'b', kind: 'number', width: 1, offset: 1 },
  ],
};
const KEYS = sortedKeys(Array.from({ length: 300 }, (_, i) => `k${1000 + i}`));
const VALUES = Float64Array.from({ length: 600 }, (_, i) => i);

async function world(
  t: { after(end: () => Promise<void>): void },
  serverOptions: BigtableOptions = {},
  clock: Clock = createSystemClock(),
) {
  const faults: (ReadFault | undefined)[] = [];
  const requests: ReadRowsRequest[] = [];
  let heard = (): void => {};
  const server = await createBigtable({
    ...serverOptions,
    onRead(request) {
      requests.push(request);
      heard();
      return faults.shift();
    },
  });
  const telemetry = new RecordingTelemetry();
  const deps = { clock, telemetry, random: () => 0.5 };
  const options = { project: 'p', instance: 'i', emulatorHost: server.host };
  const store = createBigtableStore(deps, options);
  const writer = createBigtableWriter(deps, options);
  t.after(async () => {
    await store.close();
    await writer.close();
    await server.close();
  });
  await writer.ensureTable('t', ['agg']);
  const present = new Uint8Array(KEYS.length).fill(1);
  const common = { table: 't', layout: 'packed', keys: KEYS, rowWidth: 2 } as const;
  await writer.write({ ...common, views: [VIEW], values: VALUES, present, timestampMs: 1_000 });
  await store.open(['t']);
  requests.length = 0;
  const into = blank(KEYS.length, 2, 1);
  const views = [VIEW];
  const read = (timeoutMs = 20_000, keys = KEYS) => store.read({ ...common, keys, views, into, timeoutMs });
  /** Resolves when this many reads have reached the server. */
  const arrived = (count: number): Promise<void> =>
    new Promise((resolve) => {
      heard = () => requests.length >= count && resolve();
      heard();
    });
  return { store, writer, telemetry, faults, requests, into, read, common, arrived };
}

for (const [title, fault, code] of [
  ['a stream that the server cancels', { afterRows: 3, code: status.CANCELLED }, 'store-unavailable'],
  ['a stream that ends early, inside a row', { afterRows: 3 }, 'store-unavailable'],
  ['a server that is away', { code: status.UNAVAILABLE }, 'store-unavailable'],
  ['a server that is overloaded', { afterRows: 50, code: status.RESOURCE_EXHAUSTED }, 'store-unavailable'],
  ['a server that fails', { code: status.INTERNAL }, 'store-unavailable'],
  ['a server that forbids', { code: status.PERMISSION_DENIED }, 'store-refused'],
  ['a server that knows us not', { code: status.UNAUTHENTICATED }, 'store-refused'],
  ['a server that understands us not', { code: status.INVALID_ARGUMENT }, 'store-refused'],
  ['a table that is gone', { code: status.NOT_FOUND }, 'table-missing'],
] as const) {
  test(`${title} is ${code}, never a partial answer`, async (t) => {
    const { read, faults, into, requests } = await world(t);
    faults.push(undefined, fault);
    await assert.rejects(read(), isSluice(code));
    assert.ok(into.values.every(Number.isNaN) && into.writtenAtMs.every(Number.isNaN));
    assert.ok(requests.length <= 3, 'nothing is tried again behind our back');
    await read();
    assert.deepEqual(into.values, VALUES, 'the next read is as if nothing had been');
  });
}

test('keys go out in even, sorted chunks, with the families that are needed and the latest cell only', async (t) => {
  const { read, requests, into, store, common } = await world(t);
  await read();
  assert.deepEqual(into.values, VALUES);
  assert.deepEqual(
    requests.map(({ rows }) => rows?.rowKeys.length),
    [100, 100, 100],
  );
  const sent = requests.flatMap(({ rows }) => rows!.rowKeys.map(String)).sort();
  assert.deepEqual(sent, KEYS.map(String));
  const [family, latest] = requests[0].filter!.chain!.filters;
  assert.equal(family.familyNameRegexFilter, 'agg');
  assert.equal(latest.cellsPerColumnLimitFilter, 1);
  await store.read({ ...common, keys: [], views: [VIEW], into, timeoutMs: 20_000 });
  assert.equal(requests.length, 3, 'without keys nothing is asked: it would mean the whole table');
});

test('split cells and full messages are put together', async (t) => {
  const { read, into } = await world(t, { partBytes: 3, messageBytes: 200 });
  await read();
  assert.deepEqual(into.values, VALUES);
});

test('a read that waits is ended by the close of the store', async (t) => {
  const { read, faults, store } = await world(t);
  faults.push({ stall: true });
  const reading = assert.rejects(read(), isSluice('store-unavailable'));
  await store.close();
  await reading;
});

test('a stalled call ends at the time-out of the read, neither before nor after, and the store goes on', async (t) => {
  const clock = new FakeClock();
  const { store, faults, into, read, arrived } = await world(t, {}, clock);
  faults.push({ stall: true, afterRows: 5 }, { stall: true }, { stall: true });
  let rejected: unknown;
  const reading = read(40).catch((error) => {
    rejected = error;
  });
  await arrived(3);
  await clock.advance(39);
  await store.open(['t']); // a whole exchange with the server, in which a rejection would have come to us
  assert.equal(rejected, undefined);
  await clock.advance(1);
  await reading;
  isSluice('store-unavailable')(rejected);
  assert.ok(into.values.every(Number.isNaN));
  const again = read();
  await clock.advance(100);
  await again;
  assert.deepEqual(into.values, VALUES);
});

test('to wait behind other reads is no outage: the time-out of a read counts from its first call', async (t) => {
  const clock = new FakeClock();
  const { store, faults, requests, common, arrived } = await world(t, {}, clock);
  const views = [VIEW];
  const start = (timeoutMs: number): Promise<unknown> => {
    const into = blank(KEYS.length, 2, 1);
    const reading = store.read({ ...common, views, into, timeoutMs });
    return reading.then(
      () => into.values,
      (error) => error,
    );
  };
  // Three calls a read, four at a time: two reads that stall hold every call for as long as they may.
  for (let n = 0; n < 4; n++) faults.push({ stall: true });
  const ahead = [start(1_000), start(1_000)];
  await arrived(4);
  const behind = Array.from({ length: 20 }, () => start(40));
  await clock.advance(999);
  assert.equal(requests.length, 4, 'the others wait for a free call');
  await clock.advance(1);
  for (const answer of await Promise.all(ahead)) isSluice('store-unavailable')(answer as Error);
  await clock.advance(100);
  for (const answer of await Promise.all(behind)) assert.deepEqual(answer, VALUES);
});

test('the calls of one read share its time-out, also those that wait for a free call', async (t) => {
  const clock = new FakeClock();
  const { store, faults, requests, common, arrived } = await world(t, {}, clock);
  const keys = sortedKeys(Array.from({ length: 700 }, (_, i) => `k${1000 + i}`));
  for (let n = 0; n < 4; n++) faults.push({ stall: true });
  const reading = store.read({ ...common, keys, views: [VIEW], into: blank(700, 2, 1), timeoutMs: 40 });
  const rejected = assert.rejects(reading, isSluice('store-unavailable'));
  await arrived(4);
  await clock.advance(40);
  await rejected;
  const opened = store.open(['t']);
  await until('the table is described', () => clock.timers > 1);
  await clock.advance(100);
  await opened;
  assert.equal(requests.length, 5, 'nothing further is asked for a read that is over');
  assert.equal(clock.timers, 0);
});

test('a cell of the wrong length is missing, and said so once a read', async (t) => {
  const { store, writer, telemetry, common } = await world(t);
  const keys = KEYS.slice(0, 3);
  // Three numbers a row under a qualifier that says two.
  const lying = [{ ...VIEW, columns: [{ ...VIEW.columns[0], name: 'a,b', width: 3 }] }];
  const write = { ...common, table: 'lies', keys, views: lying, rowWidth: 3, present: Uint8Array.of(1, 1, 1) };
  await writer.ensureTable('lies', ['agg']);
  await writer.write({ ...write, values: new Float64Array(9).fill(1), timestampMs: 9_000 });
  await store.open(['lies']);
  const into = blank(3, 2, 1);
  await store.read({ ...common, table: 'lies', keys, views: [VIEW], into, timeoutMs: 20_000 });
  assert.ok(into.values.every(Number.isNaN) && into.writtenAtMs.every(Number.isNaN));
  const fields = { table: 'lies', qualifier: 'f32:a,b', bytes: 12, expected: '8 bytes (float32 or float64)', cells: 3 };
  assert.deepEqual(telemetry.eventsNamed('feature-cell-corrupt'), [fields]);
});

test('a family that is not there is refused with the names of those that are', async (t) => {
  const { store, common, into } = await world(t);
  const views = [{ ...VIEW, family: 'agq' }];
  await assert.rejects(store.read({ ...common, views, into, timeoutMs: 20_000 }), (error: Error) => {
    assert.match(error.message, /"agq" asked for, "agg" there/);
    return isSluice('store-refused')(error);
  });
});

test('a server that nobody runs is unavailable, not fatal', async () => {
  const server = await createBigtable();
  await server.close();
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry() };
  const store = createBigtableStore(deps, { project: 'p', instance: 'i', emulatorHost: server.host });
  await assert.rejects(store.open(['t']), isSluice('store-unavailable'));
  await store.close();
});

test('an emulator address that is none is a mistake in usage', async () => {
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry() };
  for (const emulatorHost of ['localhost', ':8086', 'localhost:', 'localhost:x']) {
    const store = createBigtableStore(deps, { project: 'p', instance: 'i', emulatorHost });
    await assert.rejects(store.open(['t']), isSluice('usage-invalid'));
  }
});

test('translation is total, and an unknown family is named as one whatever the status', () => {
  for (const thrown of [undefined, null, 'text', 7, new Error('x'), { code: 999 }, { code: 'ENOENT' }]) {
    assert.equal(translate(thrown, 't').disposition, 'retry');
  }
  assert.equal(translate({ code: status.INTERNAL, details: 'unknown family "x"' }, 't').code, 'store-refused');
});
