import { type Asked, contractOf } from '../../test/fixtures/type-matrix/contract.ts';
import { EVENT_TYPES, fieldOf, type TypeCase } from '../../test/fixtures/type-matrix/types.ts';
import { TARGETS } from '../../test/fixtures/type-matrix/uses.ts';

/** The table of types: each cell is what the contract check says when it is asked. test/property/type-matrix.test.ts runs what it accepts. */
export function typeRows(): readonly (readonly string[])[] {
  return EVENT_TYPES.map((type) => [
    type.name,
    readAs(type),
    accepts(type, { key: 'enrich' }) ? 'yes' : '',
    outputsOf(type).join(', '),
  ]);
}

function accepts(type: TypeCase, asked: Asked): boolean {
  return contractOf(fieldOf(type, 'never'), asked, 'avro').plan !== undefined;
}

function readAs(type: TypeCase): string {
  if (accepts(type, { expression: 'length(event.x)' })) return 'text';
  if (accepts(type, { expression: 'at(event.x, 0)' })) return `vector, \`event.x\`: ${type.width} numbers`;
  if (accepts(type, { expression: 'at(event.x[3], 0)' })) return 'vector, `event.x[3]`';
  if (accepts(type, { expression: 'event.x' })) return 'number';
  const parts = ['number', 'text'].filter((name) =>
    accepts(type, { expression: name === 'text' ? 'length(text(event.x))' : 'number(event.x)' }),
  );
  const read = [...parts.map((name) => `\`${name}(event.x)\``), ...fieldReadIn(type)];
  return read.length === 0 ? 'not' : read.join(', ');
}

/** A field of the record that it is, or may be. */
function fieldReadIn(type: TypeCase): readonly string[] {
  const branches = [type.schema].flat() as { readonly fields?: readonly { readonly name: string }[] }[];
  const [field] = branches.flatMap(({ fields = [] }) => fields);
  if (field === undefined || !accepts(type, { expression: `event.x.${field.name}` })) return [];
  return [`its fields, \`event.x.${field.name}\``];
}

const PLAIN = new Set(['boolean', 'int', 'long', 'float', 'double', 'string', 'array of float', 'array of double']);

function outputsOf(type: TypeCase): readonly string[] {
  const to = (target: unknown): boolean => accepts(type, { source: 'event.x', target });
  const names = TARGETS.filter(({ name, schema }) => PLAIN.has(name) && to(schema)).map(({ name }) => name);
  return to(type.schema) && !names.includes(type.name) ? ['the same', ...names] : names;
}
