import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../src/codecs/avro/decoder.ts';
import { branchesOf, serves } from '../../src/codecs/avro/fields.ts';
import { fieldAt, fieldNamed, recordIn, wayTo } from '../../src/codecs/avro/paths.ts';
import { type AvroRecord, type AvroType, parseAvroRecord } from '../../src/codecs/avro/schema.ts';
import type { ColumnWant, ValueDecoder } from '../../src/codecs/types.ts';
import { EvolvingAvro } from '../unit/codecs/evolving-avro.ts';
import { expected, type RandomSchema } from '../unit/codecs/random-avro.ts';
import { decodeOne, mulberry32, oracle } from '../unit/codecs/support.ts';

/**
 * Fields of records inside of records, as the compiled decoder reads them into columns, and as a slow one does: avsc makes the
 * whole value as the reader's schema has it, and the path is walked over its objects.
 */

const MAX_STEPS = 5;

/** Records in most fields, in unions and with one inside itself, so that paths are long. */
class NestedAvro extends EvolvingAvro {
  nested(): RandomSchema {
    const fields = Array.from({ length: 1 + this.below(4) }, (_, k) => ({ name: `f${k}`, type: this.inner(0) }));
    return { type: 'record', name: 'Root', fields };
  }

  private made = 0;

  private inner(depth: number): unknown {
    if (depth > 3 || this.below(4) === 0) return this.pick(this.schema().fields).type;
    const name = `M${this.made++}`;
    const fields: { name: string; type: unknown }[] = Array.from({ length: 1 + this.below(3) }, (_, k) => ({
      name: `m${k}`,
      type: this.inner(depth + 1),
    }));
    if (this.below(3) === 0) fields.push({ name: 'next', type: ['null', name] });
    const record = { type: 'record', name, fields };
    return this.pick([() => record, () => ['null', record], () => [record, 'null', 'boolean']])();
  }

  /** Wants of some fields, those inside of records more often than others. */
  wants(schema: RandomSchema): ColumnWant[] {
    const root = parseAvroRecord(schema);
    const wants: ColumnWant[] = [];
    for (let more = 1 + this.below(6); more > 0; more--) {
      const path = this.path(root);
      const { type } = fieldAt(root, path) ?? assert.fail(path);
      const kinds = (['number', 'string', 'long', 'vector', 'raw'] as const).filter((kind) =>
        branchesOf(type).some((branch) => serves(branch, kind)),
      );
      const kind = this.pick(kinds);
      const fixed = branchesOf(type).flatMap((branch) => (branch.type === 'fixed' ? [branch.size / 4] : []));
      const width = kind === 'vector' ? (fixed[0] ?? 1 + this.below(3)) : 1;
      wants.push({ field: path, kind, width, ...(kind === 'raw' && { type }) });
    }
    return wants;
  }

  private path(record: AvroRecord): string {
    const steps: string[] = [];
    for (let within: AvroRecord | undefined = record; within !== undefined && within.fields.length > 0; ) {
      const field: AvroRecord['fields'][number] = this.pick(within.fields);
      steps.push(field.name);
      within = steps.length < MAX_STEPS && this.below(8) > 0 ? recordIn(field.type) : undefined;
    }
    return steps.join('.');
  }
}

/** What stands at the end of a path in the objects that avsc makes, `{ Branch: value }` in unions; null: a step leads nowhere. */
function valueAt(value: unknown, record: AvroRecord, path: string): unknown {
  let [at, within] = [value, record];
  const steps = path.split('.');
  for (const [k, step] of steps.entries()) {
    const type = fieldNamed(within, step)?.type ?? assert.fail(step);
    at = (at as Readonly<Record<string, unknown>>)[step];
    if (k === steps.length - 1) return at;
    within = recordIn(type) ?? assert.fail(path);
    if (type.type === 'union') {
      if (at === null || !Object.hasOwn(at as object, within.name)) return null;
      at = (at as Readonly<Record<string, unknown>>)[within.name];
    }
  }
  return at;
}

/** undefined: the decoder should refuse it. */
function meaning(value: unknown, want: ColumnWant, own: AvroType, reader: RandomSchema): unknown {
  if (want.kind === 'raw') return rawOf(value, want, own, reader);
  if (value === null || !serves(branchOf(own, value), want.kind)) return null;
  const plain = own.type === 'union' ? Object.values(value as object)[0] : value;
  // A union of one is what an unwrapped value would be taken for.
  return expected({ it: plain }, want);
}

const nameOf = (type: AvroType): string => ('name' in type ? type.name : type.type);

function branchOf(type: AvroType, value: unknown): AvroType {
  if (type.type !== 'union') return type;
  const name = value === null ? 'null' : Object.keys(value as object)[0];
  return type.branches.find((each) => nameOf(each) === name) ?? assert.fail(name);
}

/** As Avro of the want's type, which has a null where the field itself may have none. */
function rawOf(value: unknown, { type = assert.fail() }: ColumnWant, own: AvroType, reader: RandomSchema): Buffer {
  if (type.type !== 'union') return encoded(own, value, reader);
  const name = value === null ? 'null' : nameOf(branchOf(own, value));
  const begin = Buffer.from([2 * type.branches.findIndex((each) => nameOf(each) === name)]);
  if (value === null) return begin;
  const [plain] = own.type === 'union' ? Object.values(value as object) : [value];
  return Buffer.concat([begin, encoded(branchOf(own, value), plain, reader)]);
}

/** avsc writes by JSON schemas: one that is parsed becomes JSON again. */
function encoded(type: AvroType, value: unknown, reader: RandomSchema): Buffer {
  const schema = jsonOf(type, new Set());
  return oracle({ type: 'record', name: `${reader.name}Only`, fields: [{ name: 'it', type: schema }] }).toBuffer({
    it: value,
  });
}

function jsonOf(type: AvroType, known: Set<AvroType>): unknown {
  if ('name' in type) {
    if (known.has(type)) return type.name;
    known.add(type);
  }
  switch (type.type) {
    case 'union':
      return type.branches.map((branch) => jsonOf(branch, known));
    case 'array':
      return { type: 'array', items: jsonOf(type.items, known) };
    case 'map':
      return { type: 'map', values: jsonOf(type.values, known) };
    case 'record':
      return {
        type: 'record',
        name: type.name,
        fields: type.fields.map((each) => ({ name: each.name, type: jsonOf(each.type, known) })),
      };
    case 'enum':
      return { type: 'enum', name: type.name, symbols: type.symbols };
    case 'fixed':
      return { type: 'fixed', name: type.name, size: type.size };
    default:
      return type.type;
  }
}

test('fields inside records are read as a slow decoder reads them, whatever schema wrote them', () => {
  let read = 0;
  let refused = 0;
  let deep = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const avro = new NestedAvro(mulberry32(seed));
      const writer = avro.nested();
      const reader = avro.below(3) === 0 ? writer : avro.evolved(writer);
      if (reader.fields.length === 0) return;
      const [from, to] = [oracle(writer), oracle(reader)];
      const bytes = from.toBuffer(avro.value(writer));
      const wants = avro.wants(reader);
      let value: unknown;
      try {
        value = to.fromBuffer(to.toBuffer(to.fromBuffer(bytes, to.createResolver(from) as never)));
      } catch (error) {
        assert.ok(error instanceof Error);
        // avsc refuses a schema for any field, we for those that are read: nothing is said of such.
        return;
      }
      const root = parseAvroRecord(reader);
      const expectations = wants.map((want) =>
        meaning(valueAt(value, root, want.field), want, wayTo(root, want.field)?.at(-1)?.type ?? assert.fail(), reader),
      );
      let decoder: ValueDecoder;
      try {
        decoder = compileAvroDecoder({ writer, reader, wants });
      } catch (error) {
        // Of a width that the default does not have.
        assert.match(String(error), /the default of field ".*" \(.*\), .*, cannot be read as a vector of \d/);
        return;
      }
      const got = decodeOne(decoder, wants, bytes);
      if (expectations.includes(undefined)) {
        refused++;
        assert.equal(got, undefined);
        return;
      }
      read++;
      if (wants.some(({ field }) => field.split('.').length > 2)) deep++;
      assert.deepEqual(
        got,
        expectations,
        JSON.stringify({ writer, reader, wants: wants.map(({ type: _, ...rest }) => rest) }),
      );
    }),
    { seed: 21, numRuns: 600 },
  );
  assert.ok(read > 250 && refused > 8 && deep > 60, `${read} read, ${deep} deep, ${refused} refused`);
});

test('damaged values never throw, and are refused wherever a decoder of no fields refuses them', () => {
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (seed, damage) => {
        const avro = new NestedAvro(mulberry32(seed));
        const schema = avro.nested();
        const wants = avro.wants(schema);
        const bytes = oracle(schema).toBuffer(avro.value(schema));
        for (const [at, byte] of damage) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const [some, none] = [wants, []].map((each) =>
          decodeOne(compileAvroDecoder({ writer: schema, wants: each }), each, bytes),
        );
        if (some === undefined) refused++;
        else taken++;
        assert.ok(some === undefined || none !== undefined);
      },
    ),
    { seed: 22, numRuns: 500 },
  );
  assert.ok(taken > 100 && refused > 100, `${taken} taken, ${refused} refused`);
});
