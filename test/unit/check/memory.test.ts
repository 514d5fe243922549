import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMemory, type MemoryLimits, memoryBound } from '../../../src/check/memory.ts';
import { FeatureCache } from '../../../src/stages/features/cache.ts';
import { testPlan } from '../../fixtures/plan.ts';

const MIB = 1024 * 1024;
const LIMITS: MemoryLimits = {
  brokers: 1,
  fetchMaxBytes: 4 * MIB,
  inflatedMaxBytes: 64 * MIB,
  fetchMaxRecords: 100_000,
  requestBytes: 16 * MIB,
  modelBytes: MIB,
  schemaBytes: 8 * MIB,
};
const term = ({ terms }: ReturnType<typeof memoryBound>, wanted: string): number =>
  terms.find(({ name }) => name === wanted)?.bytes as number;
const flow = (records: number, bytes: number) =>
  testPlan({ enriched: true, flow: { maxInFlight: { records, bytes } } });

test('row 20: the bound is the sum of its terms, and each limit is in exactly one of them', () => {
  const base = memoryBound(flow(1_000, MIB), LIMITS);
  assert.equal(
    base.terms.reduce((sum, { bytes }) => sum + bytes, 0),
    base.bytes,
  );
  const grows = (name: string, by: number, { terms }: ReturnType<typeof memoryBound>): void => {
    for (const [i, term] of terms.entries()) {
      const slack = term.name === 'not given back' && /in flight|fetches/.test(name) ? Math.ceil(by / 4) : 0;
      const expected = term.name === name ? by : slack;
      assert.ok(Math.abs(term.bytes - base.terms[i].bytes - expected) <= 1, `${name} moves ${term.name}`);
    }
  };
  grows('in flight, bytes', 4 * MIB, memoryBound(flow(1_000, 2 * MIB), LIMITS));
  grows('model', 6 * MIB, memoryBound(flow(1_000, MIB), { ...LIMITS, modelBytes: 2 * MIB }));
  // Two copies, plus as many more batches as fit with one record each, at most one for each fetched record.
  const batches = 100_000 - Math.ceil((4 * MIB) / 68);
  grows('fetches', 8 * MIB + 320 * batches, memoryBound(flow(1_000, MIB), { ...LIMITS, fetchMaxBytes: 8 * MIB }));
  grows('requests', MIB, memoryBound(flow(1_000, MIB), { ...LIMITS, requestBytes: 17 * MIB }));
  grows('fetches', MIB, memoryBound(flow(1_000, MIB), { ...LIMITS, inflatedMaxBytes: 65 * MIB }));
  grows('fetches', term(base, 'fetches'), memoryBound(flow(1_000, MIB), { ...LIMITS, brokers: 2 }));
  grows('schemas', 8 * MIB, memoryBound(flow(1_000, MIB), { ...LIMITS, schemaBytes: 9 * MIB }));
  const twice = memoryBound(flow(2_000, MIB), LIMITS);
  grows('in flight, records', term(base, 'in flight, records'), twice);
});

test('the stock client costs a message per record, the columnar one columns for a batch at a time', () => {
  const fetches = (client: 'columnar' | 'stock', fetchMaxRecords: number): number => {
    const plan = testPlan();
    const kafka = { brokers: [], clientId: 'c', sessionTimeoutMs: 1, client };
    const topology = { ...plan.topology, connections: { ...plan.topology.connections, kafka } };
    return term(memoryBound({ ...plan, topology }, { ...LIMITS, fetchMaxRecords }), 'fetches');
  };
  assert.equal(fetches('columnar', 100_000) - fetches('columnar', 90_000), 10_000 * 88);
  assert.equal(fetches('stock', 100_000) - fetches('columnar', 100_000), 100_000 * 480);
});

/** Bytes of all typed arrays inside, each buffer once. */
function bytesOf(object: object, seen = new Set<object>()): number {
  let bytes = 0;
  for (const part of Object.values(object)) {
    if (typeof part !== 'object' || part === null) continue;
    const own: object = ArrayBuffer.isView(part) ? part.buffer : part;
    if (seen.has(own)) continue;
    seen.add(own);
    bytes += own instanceof ArrayBuffer ? own.byteLength : bytesOf(own, seen);
  }
  return bytes;
}

test('a cache costs its rows, and the bound lists that', () => {
  const cache = { entries: 10_000, ttlMs: 1, negativeTtlMs: 1 };
  const plan = testPlan({ enriched: true, read: { cache } });
  const bound = memoryBound(plan, LIMITS);
  const bytes = term(bound, 'feature caches');
  const { rowWidth, views: named } = plan.reads[0];
  const views = named.length;
  const real = new FeatureCache({ entries: 10_000, rowWidth, views });
  for (let i = 0; i < 10_000; i++) {
    const key = Buffer.from(`key ${i}`);
    real.put(key, new Float64Array(rowWidth), new Float64Array(views), 0, true, { expiresAtMs: 1, refreshAtMs: 1 });
  }
  const held = bytesOf(real);
  assert.ok(bytes >= held && bytes < 2.2 * held, `${bytes}, and it holds ${held}`);
  assert.match(formatMemory(bound), /^memory at most \d+ MiB\n {2}base +256 MiB {2}program/);
});

test('a second level, if there is one, costs its queue and its pending look-ups', () => {
  const cache = { entries: 10, ttlMs: 1, negativeTtlMs: 1 };
  const secondLevel = { ttlMs: 1, negativeTtlMs: 1, timeoutMs: 1 };
  const limits = { ...LIMITS, secondLevel: { queuedBytes: 1_000_000, keys: 1_000 } };
  const of = (more: object) =>
    memoryBound(testPlan({ enriched: true, read: { cache: { ...cache, ...more } } }), limits);
  assert.ok(of({}).terms.every(({ name }) => name !== 'second level'));
  const bytes = term(of({ secondLevel }), 'second level');
  assert.ok(bytes > 2_400_000 && bytes < 3_000_000, `${bytes}`);
});

test('the cost of a model depends on where it runs', () => {
  const model = (settings: object): number => {
    const plan = testPlan();
    const topology = { ...plan.topology, model: { ...plan.topology.model, ...settings } };
    return term(memoryBound({ ...plan, topology }, LIMITS), 'model');
  };
  assert.equal(model({ placement: 'inline' }), 3 * MIB);
  assert.equal(model({ placement: 'auto' }), 46 * MIB, 'it may come to a thread');
  assert.equal(model({ placement: 'thread', sessions: 3 }), (4 * 3 + 3 * 40) * MIB);
  assert.equal(model({ isolation: 'process', maxBytes: 0 }), 99 * MIB);
  assert.equal(model({ isolation: 'process', maxBytes: 512 * MIB }), 512 * MIB);
});
