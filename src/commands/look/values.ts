import { createAvroReader } from '../../codecs/avro/value.ts';
import { CONFLUENT_PREFIX_BYTES, readSchemaId } from '../../codecs/wire.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import type { ValueFormat } from '../../plan/topology.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import { isText } from '../display/safe-text.ts';

/** A record's bytes, decoded as far as possible. */
export interface Decoded {
  /** A string for text; undefined if it could not be decoded. */
  readonly value: unknown;
  readonly schemaId: number | undefined;
  /** Why it is shown as text or bytes although a better form was expected; undefined otherwise. */
  readonly why: string | undefined;
}

/** Decodes bytes: Avro by the writer's schema, JSON, or text; says why if it cannot. Never throws. */
export interface Values {
  value(topic: string, bytes: Buffer | null): Promise<Decoded>;
  key(bytes: Buffer | null): Promise<Decoded>;
}

type Reader = ReturnType<typeof createAvroReader>;
type Known = { readonly read: Reader } | { readonly why: string; readonly untilMs: number };

const MAX_KNOWN_IDS = 1_000;
/** How long after a failure an id, or the registry, is asked again. */
const ASK_AGAIN_MS = 5_000;
const MAX_HEX_BYTES = 48;

export function createValues(
  deps: { readonly clock: Clock; readonly schemas: SchemaSource },
  formatOf: (topic: string) => ValueFormat | undefined,
): Values {
  const { clock, schemas } = deps;
  const known = new Map<number, Known>();
  const plain = new Map<unknown, Reader>();

  async function knownOf(id: number): Promise<Known> {
    const found = known.get(id);
    if (found !== undefined && ('read' in found || clock.monotonicMs() < found.untilMs)) return found;
    const made = await ask(id);
    if (known.size >= MAX_KNOWN_IDS) known.delete(known.keys().next().value as number);
    known.set(id, made);
    return made;
  }

  async function ask(id: number): Promise<Known> {
    try {
      return { read: createAvroReader(await schemas.writerSchema(id)) };
    } catch (thrown) {
      // What such a record would mean to a pipeline does not matter here.
      const why = classify(thrown).message.replace(/; records that name \d+ are dead-lettered$/, '');
      return { why, untilMs: clock.monotonicMs() + ASK_AGAIN_MS };
    }
  }

  async function framed(bytes: Buffer, schemaId: number): Promise<Decoded> {
    const found = await knownOf(schemaId);
    if ('why' in found) return { value: undefined, schemaId, why: found.why };
    const value = found.read(bytes, CONFLUENT_PREFIX_BYTES);
    const why = value === undefined ? `its bytes are no value of schema ${schemaId}, which it names` : undefined;
    return { value, schemaId, why };
  }

  function unframed(bytes: Buffer, { schema, schemaFile }: ValueFormat): Decoded {
    const read = plain.get(schema) ?? createAvroReader(schema);
    plain.set(schema, read);
    const value = read(bytes, 0);
    const why = value === undefined ? `its bytes are no value of ${schemaFile}` : undefined;
    return { value, schemaId: undefined, why };
  }

  async function decode(bytes: Buffer | null, format: ValueFormat | undefined): Promise<Decoded> {
    if (bytes === null) return { value: null, schemaId: undefined, why: undefined };
    if (format?.kind === 'avro' && format.wire === 'plain') return unframed(bytes, format);
    if (format?.kind !== 'json') {
      const id = readSchemaId(bytes, 0, bytes.length);
      if (id >= 0) return framed(bytes, id);
    }
    const expected = format === undefined ? undefined : expectation(format);
    return looseOf(bytes, expected);
  }

  return {
    value: (topic, bytes) => decode(bytes, formatOf(topic)),
    async key(bytes) {
      const found = await decode(bytes, undefined);
      // "17" is a key, not the number 17.
      return typeof found.value === 'string' || bytes === null || found.schemaId !== undefined || !isText(bytes)
        ? found
        : { ...found, value: bytes.toString('utf8') };
    },
  };
}

function expectation(format: ValueFormat): string {
  return format.kind === 'json' ? 'it is no JSON' : 'it has no schema id in front: a zero byte and four of the id';
}

/** JSON or text; `expected` says what was wrong with the expected format. */
function looseOf(bytes: Buffer, expected: string | undefined): Decoded {
  const schemaId = undefined;
  if (bytes.length === 0) return { value: '', schemaId, why: expected };
  if (!isText(bytes)) {
    return { value: undefined, schemaId, why: expected ?? 'it has no schema id in front, and is no UTF-8 text' };
  }
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return { value, schemaId, why: expected?.endsWith('no JSON') ? undefined : expected };
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return { value: text, schemaId, why: expected };
  }
}

/** The first of some undecodable bytes. */
export function excerpt(bytes: Buffer): string {
  const more = bytes.length > MAX_HEX_BYTES ? `… ${bytes.length} bytes` : '';
  return `0x${bytes.toString('hex', 0, Math.min(bytes.length, MAX_HEX_BYTES))}${more}`;
}
