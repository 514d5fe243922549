import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import avro from 'avsc';
import type { RegistryFault } from '../../../src/devstack/registry.ts';
import { until } from '../../fixtures/until.ts';
import { framed } from '../../fixtures/upstream.ts';
import { audit, describeViolations, headerText, untilDrained } from '../ledger.ts';
import type { Seen } from '../read.ts';
import { openReader } from '../read-apart.ts';
import { record } from '../report.ts';
import { eventTypes, expectedScore, scoreType, TOPICS } from './pipeline.ts';
import { openStage, type Stage } from './stage.ts';

/** Rows of the matrix about schemas: what the registry says, does not say, and says otherwise than before. */
const LIMIT = { timeout: 150_000 };
const SOON_MS = 45_000;
const EXTRA = { extra_a: 0, extra_b: 0, extra_c: 0 };

async function staged(context: TestContext, onRegistry?: () => RegistryFault | undefined): Promise<Stage> {
  const stage = await openStage(18, { onRegistry });
  context.after(async () => {
    for (const { runner } of stage.members) runner.stop();
    await Promise.all(stage.members.map(({ outcome }) => outcome));
    await stage.close();
  });
  return stage;
}

const event = (id: number, x: number) => ({ id, key: 'k1', x, ...EXTRA });
const good = (id: number, x: number): Buffer => framed(1, eventTypes[0].toBuffer(event(id, x)));

/** Outputs or dead letters by the id of their event, or by source. */
async function read(stage: Stage, topic: string): Promise<Seen[]> {
  const reader = openReader(stage.watched.brokers);
  try {
    return await reader.readOn(topic);
  } finally {
    await reader.close();
  }
}

test(
  'row 19: a schema that can be resolved gives the same prediction bit by bit; one that cannot, dead letters',
  LIMIT,
  async (context) => {
    const stage = await staged(context);
    const narrower = {
      type: 'record',
      name: 'Event',
      fields: [
        { name: 'since', type: 'string', default: '' },
        { name: 'x', type: ['null', 'float'] },
        { name: 'id', type: 'int' },
        { name: 'key', type: ['null', 'string'] },
      ],
    };
    const renamed = { type: 'record', name: 'Event', fields: [{ name: 'ident', type: 'long' }] };
    const ids = [narrower, renamed].map((schema, n) => stage.register(`evolved-${n}`, schema));
    const promoted = avro.Type.forSchema(narrower as avro.Schema).toBuffer({
      since: 'today',
      x: 3.5,
      id: 7,
      key: 'k1',
    });
    const stranger = avro.Type.forSchema(renamed as avro.Schema).toBuffer({ ident: 7 });
    await stage.write(0, [
      { key: 'as it was', value: good(7, 3.5) },
      { key: 'promoted', value: framed(ids[0], promoted) },
      { key: 'renamed', value: framed(ids[1], stranger) },
      { key: 'behind', value: good(8, 4) },
    ]);
    await stage.join();
    await untilDrained(stage.watched, SOON_MS);
    const outputs = await read(stage, TOPICS.output);
    assert.equal(outputs.length, 3);
    const [one, other] = outputs.filter(({ value }) => scoreType.fromBuffer((value as Buffer).subarray(5)).id === 7);
    assert.deepEqual(one.value, other.value);
    const letters = await read(stage, TOPICS.deadLetter);
    assert.deepEqual(
      letters.map(({ key, headers }) => `${key} ${headerText(headers, '__dlq.errors.schema-id')}`),
      [`renamed ${ids[1]}`],
    );
    const account = await audit(stage.watched, { maxDuplicates: 0 });
    assert.equal(describeViolations(account), '');
    record({ rows: [19], test: context.name, faults: { evolution: 2 }, invariants: account.checked, duplicates: 0 });
  },
);

test(
  'row 18: an id that nobody knows is asked for once and dead-lettered; a registry that is away only holds',
  LIMIT,
  async (context) => {
    let asked = 0;
    let fault: RegistryFault | undefined;
    const stage = await staged(context, () => {
      asked++;
      return fault;
    });
    const member = await stage.join();
    await until('the member is ready', () => member.telemetry.eventsNamed('ready').length > 0, SOON_MS);
    asked = 0;
    const unknown = Array.from({ length: 50 }, (_, n) => ({ key: `u${n}`, value: framed(4_000, Buffer.from([n])) }));
    await stage.write(0, [...unknown, { key: 'behind', value: good(1, 5) }]);
    await untilDrained(stage.watched, SOON_MS);
    assert.ok(asked <= 3, `50 records of one unknown id and one of a known one: ${asked} requests`);
    assert.equal((await read(stage, TOPICS.deadLetter)).length, 50);

    // Each answer that is no answer: the record waits, and goes on as if nothing had been.
    const schemas = [{ status: 500 }, { status: 503 }, { status: 429 }, { delayMs: 60_000 }].map((next, n) => {
      const schema = {
        type: 'record',
        name: 'Event',
        fields: [
          { name: 'id', type: 'long' },
          { name: `late_${n}`, type: 'int' },
        ],
      };
      return {
        next,
        type: avro.Type.forSchema(schema as avro.Schema),
        schemaId: stage.register(`late-${n}`, schema),
        n,
      };
    });
    for (const { next, type, schemaId, n } of schemas) {
      fault = next;
      const before = asked;
      await stage.write(1, [
        { key: 'late', value: framed(schemaId, type.toBuffer({ id: 100 + n, [`late_${n}`]: n })) },
      ]);
      await until('it is asked for', () => asked > before, SOON_MS);
      await until('readiness says so', () => !member.runner.health().ready, SOON_MS);
      fault = undefined;
      await untilDrained(stage.watched, SOON_MS);
    }
    const scores = (await read(stage, TOPICS.output)).map(({ value }) =>
      scoreType.fromBuffer((value as Buffer).subarray(5)),
    );
    assert.deepEqual(
      scores
        .filter(({ id }) => id >= 100)
        .map(({ id, score }) => [Number(id), score])
        .sort(),
      schemas.map(({ n }) => [100 + n, expectedScore(null, null)]),
    );
    const account = await audit(stage.watched, { maxDuplicates: 0 });
    assert.equal(describeViolations(account), '');
    assert.deepEqual(account.reasons, { 'schema-unknown': 50 });
    record({ rows: [18], test: context.name, faults: { registry: 4 }, invariants: account.checked, duplicates: 0 });
  },
);

test(
  'row 18: a flood of ids that nobody knows is a trickle of requests, and ends as dead letters',
  LIMIT,
  async (context) => {
    const askedAtMs: number[] = [];
    const stage = await staged(context, () => {
      askedAtMs.push(performance.now());
      return undefined;
    });
    const member = await stage.join();
    await until('the member is ready', () => member.telemetry.eventsNamed('ready').length > 0, SOON_MS);
    askedAtMs.length = 0;
    const FLOOD = 160;
    const flood = Array.from({ length: FLOOD }, (_, n) => ({
      key: `f${n}`,
      value: framed(5_000 + n, Buffer.from([n])),
    }));
    await stage.write(2, [...flood, { key: 'behind', value: good(2, 6) }]);
    await untilDrained(stage.watched, SOON_MS);
    // 50 a second: in any second, those of two that overlap it.
    const most = Math.max(...askedAtMs.map((from) => askedAtMs.filter((at) => at >= from && at < from + 1_000).length));
    assert.ok(most <= 100, `${most} requests within a second`);
    assert.ok(askedAtMs.length <= FLOOD + 2, `${askedAtMs.length} requests for ${FLOOD} ids`);
    const account = await audit(stage.watched, { maxDuplicates: 0 });
    assert.equal(describeViolations(account), '');
    assert.deepEqual([account.published, account.reasons], [1, { 'schema-unknown': FLOOD }]);
    record({
      rows: [18],
      test: context.name,
      faults: { 'unknown-id': FLOOD },
      invariants: account.checked,
      duplicates: 0,
    });
  },
);
