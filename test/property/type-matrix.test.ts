import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckFinding, formatFindings } from '../../src/documents/finding.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { seeded } from '../fixtures/random.ts';
import { contractOf, type Ran, runContract, type Wire } from '../fixtures/type-matrix/contract.ts';
import { isSame, isSameJson, mayFail, parseDigits } from '../fixtures/type-matrix/outputs.ts';
import { ABSENCES, type Absence, EVENT_TYPES, fieldOf, type TypeCase } from '../fixtures/type-matrix/types.ts';
import { type Expected, TARGETS, USES, type Use } from '../fixtures/type-matrix/uses.ts';
import { jsonOf, type Meaning, meaningOf, randomValue } from '../fixtures/type-matrix/values.ts';
import { oracle } from '../unit/codecs/support.ts';

const VALUES = 8;

interface Sample {
  readonly meaning: Meaning;
  readonly bytes: Buffer;
}

/** Values of the field, as their producers would write them. */
function samplesOf(field: object, wire: Wire, random: () => number): readonly Sample[] {
  const { type } = field as { readonly type: unknown };
  const schema = {
    type: 'record',
    name: 'Event',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'x', type },
    ],
  };
  const avro = oracle(schema);
  const samples: Sample[] = [];
  while (samples.length < VALUES) {
    const value = randomValue(type, random);
    const meaning = meaningOf(type, value);
    const json = jsonOf(meaning);
    if (wire === 'avro') samples.push({ meaning, bytes: avro.toBuffer({ id: 1n, x: value }) });
    else if (json !== undefined) samples.push({ meaning, bytes: Buffer.from(`{"id":1,"x":${json}}`) });
    else return [];
  }
  return samples;
}

function refusedWell(findings: readonly CheckFinding[], what: string): void {
  const errors = findings.filter(({ severity }) => severity === 'error');
  assert.ok(errors.length > 0, `${what}: refused without an error`);
  for (const { code, file, line, column, message, remedy, excerpt } of errors) {
    const all = formatFindings(findings);
    assert.match(code, /^(expression-invalid|(key|output)-mismatch)$/, what);
    assert.match(file, /^(topology|bundle)\.yaml$/, `${what}\n${all}`);
    assert.ok(line > 1 && column > 1 && excerpt.trim() !== '', `${what}: without its place\n${all}`);
    assert.ok(remedy.length > 10, `${what}: without a remedy\n${all}`);
    assert.match(
      message,
      /event\.x|\{x\}|prediction\.p|argument \d is|text|takes numbers/,
      `${what}: does not name what is wrong\n${all}`,
    );
    assert.doesNotMatch(message, /there is no/, `${what}: there is\n${all}`);
  }
}

function became(ran: Ran, use: Use): Expected {
  if (ran.fate !== 'open') return { reason: ran.reason };
  return use.asked.key === undefined ? { row: ran.row } : { key: ran.keys[use.asked.key] };
}

function same(one: Expected, other: Expected): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch (error) {
    assert.ok(error instanceof assert.AssertionError);
    return false;
  }
}

test('what check accepts of a type runs as the interpreter says; what it refuses has place and remedy', () => {
  const random = seeded(6);
  const wrong: string[] = [];
  let accepted = 0;
  let refused = 0;
  for (const type of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const field = fieldOf(type, absence);
      const samples = { avro: samplesOf(field, 'avro', random), json: samplesOf(field, 'json', random) };
      for (const use of USES) {
        const what = `${type.name}, null: ${absence}, ${use.name}`;
        try {
          const { plan, findings } = contractOf(field, use.asked, 'avro');
          if (plan === undefined) {
            refusedWell(findings, what);
            refused++;
            continue;
          }
          accepted++;
          for (const wire of ['avro', 'json'] as const)
            wrong.push(
              ...differences(plan, use, type.width ?? 1, samples[wire], wire).map((each) => `${what}: ${each}`),
            );
        } catch (error) {
          wrong.push(`${what}: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 400).join('\n')}`);
  assert.ok(accepted > 1_400 && refused > 2_000, `${accepted} accepted, ${refused} refused`);
});

function differences(plan: Plan, use: Use, width: number, samples: readonly Sample[], wire: Wire): string[] {
  const ran = runContract(
    read(plan, wire),
    samples.map(({ bytes }) => bytes),
  );
  return samples.flatMap(({ meaning, bytes }, i) => {
    const expected = use.expect(meaning, width);
    const got = became(ran[i], use);
    if (expected !== undefined && same(got, expected)) return [];
    const shown = wire === 'json' ? bytes.toString() : bytes.toString('hex');
    return [`${wire} ${shown} (${meaning.is}) became ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`];
  });
}

/** The same plan over events of another wire: what check says of types is the same for both. */
function read(plan: Plan, kind: Wire): Plan {
  const { schemaFile, schema } = plan.topology.source.value;
  const value = kind === 'json' ? { kind, schemaFile, schema } : plan.topology.source.value;
  return { ...plan, topology: { ...plan.topology, source: { ...plan.topology.source, value } } };
}

/** Fields of the output: a list for everybody, and the field's own type, alone, with null, and as a branch. */
function targetsOf(
  { schema }: TypeCase,
  absence: Absence,
): readonly { readonly name: string; readonly schema: unknown }[] {
  const branches = [schema].flat();
  const { type } = fieldOf({ name: '', schema, fallback: null }, absence) as { readonly type: unknown };
  return [
    ...TARGETS,
    { name: 'its own type', schema: type },
    { name: 'its own type or null', schema: [...branches, 'null'] },
    { name: 'null or its own type', schema: ['null', ...branches] },
  ];
}

test('what check lets pass from an event to an output is there as it was, over each pair of formats', () => {
  const random = seeded(8);
  const wrong: string[] = [];
  let accepted = 0;
  let refused = 0;
  for (const type of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const field = fieldOf(type, absence);
      const samples = { avro: samplesOf(field, 'avro', random), json: samplesOf(field, 'json', random) };
      for (const target of targetsOf(type, absence)) {
        const what = `${type.name}, null: ${absence}, to ${target.name}`;
        try {
          const { plan, findings } = contractOf(field, { source: 'event.x', target: target.schema }, 'avro');
          if (plan === undefined) {
            refusedWell(findings, what);
            refused++;
            continue;
          }
          accepted++;
          for (const wire of ['avro', 'json'] as const) {
            for (const to of ['avro', 'json'] as const) {
              const lost = unlike(written(read(plan, wire), to), samples[wire], target.schema, to);
              wrong.push(...lost.map((each) => `${what}, ${wire} to ${to}: ${each}`));
            }
          }
        } catch (error) {
          wrong.push(`${what}: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 400).join('\n')}`);
  assert.ok(accepted > 700 && refused > 3_000, `${accepted} accepted, ${refused} refused`);
});

function unlike(plan: Plan, samples: readonly Sample[], target: unknown, wire: Wire): string[] {
  const schema = {
    type: 'record',
    name: 'Output',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'y', type: target },
    ],
  };
  const avro = oracle(schema);
  const ran = runContract(
    plan,
    samples.map(({ bytes }) => bytes),
  );
  return samples.flatMap(({ meaning, bytes }, i) => {
    const { fate, reason, output } = ran[i];
    if (output === undefined) {
      return mayFail(meaning) ? [] : [`${bytes.toString('hex')} (${meaning.is}) was ${fate}: ${reason}`];
    }
    if (wire === 'json') {
      const { y } = parseDigits(output.toString()) as { readonly y: unknown };
      return isSameJson(meaning, y) ? [] : [`${bytes.toString('hex')} became ${output}`];
    }
    const { y } = avro.fromBuffer(output) as { readonly y: unknown };
    return isSame(meaning, meaningOf(target, y), plan.topology.source.value.kind === 'json')
      ? []
      : [`${bytes.toString('hex')} became ${output.toString('hex')}`];
  });
}

function written(plan: Plan, kind: Wire): Plan {
  const { output } = plan.topology;
  const { schemaFile, schema } = output.value;
  const value = kind === 'json' ? { kind, schemaFile, schema } : output.value;
  return { ...plan, topology: { ...plan.topology, output: { ...output, value } } };
}
