/**
 * How Feast names rows in Bigtable: a hash of the serialized entity key, and the feature view,
 * `0123…cdef#driver_stats`. A key in a topology is the text of the join keys' values, in the order of `joinKeys`.
 *
 * Promise: a key that does not fit (too many parts, not an integer) has no row; it is never taken for another entity's.
 */
import { murmur3Hex } from '../../kernel/bytes/murmur3.ts';
import type { FeastEntity, JoinKeyType } from '../../kernel/cells/views.ts';

/** Numbers of feast.types.ValueType. */
const TYPES: Readonly<Record<JoinKeyType, number>> = { string: 2, int32: 3, int64: 4 };
const INTEGER = /^-?(0|[1-9]\d{0,18})$/;

/** Undefined: no entity has this key. */
export type EntityId = (key: Buffer) => string | undefined;

export function createEntityId({ joinKeys, separator, keyVersion }: FeastEntity): EntityId {
  // Feast sorts by name, whoever asks.
  const sorted = joinKeys.map((each, part) => ({ ...each, part })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = sorted.map(({ name }) => {
    const bytes = Buffer.from(name);
    return Buffer.concat(
      keyVersion === 3 ? [uint32(TYPES.string), uint32(bytes.length), bytes] : [uint32(TYPES.string), bytes],
    );
  });
  const head = Buffer.concat(keyVersion === 3 ? [uint32(sorted.length), ...names] : names);
  return (key) => {
    const text = key.toString('utf8');
    const parts = joinKeys.length === 1 ? [text] : text.split(separator);
    if (parts.length !== joinKeys.length) return undefined;
    const values: Buffer[] = [head];
    for (const { type, part } of sorted) {
      const value = valueBytes(type, parts[part]);
      if (value === undefined) return undefined;
      values.push(uint32(TYPES[type]), uint32(value.length), value);
    }
    return murmur3Hex(Buffer.concat(values));
  };
}

export function rowKeyOf(entityId: string, featureView: string): Buffer {
  return Buffer.from(`${entityId}#${featureView}`);
}

function valueBytes(type: JoinKeyType, text: string): Buffer | undefined {
  if (type === 'string') return Buffer.from(text);
  if (!INTEGER.test(text)) return undefined;
  const value = BigInt(text);
  const bits = type === 'int32' ? 32 : 64;
  if (BigInt.asIntN(bits, value) !== value) return undefined;
  const bytes = Buffer.alloc(bits / 8);
  if (type === 'int32') bytes.writeInt32LE(Number(value));
  else bytes.writeBigInt64LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
