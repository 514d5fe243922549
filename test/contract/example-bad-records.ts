import type { IHeaders, Message } from 'kafkajs';
import { seeded } from '../fixtures/random.ts';
import { type Flight, flightType, framed } from '../fixtures/upstream.ts';

/** A record that must become a dead letter. */
export interface BadRecord {
  readonly name: string;
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: IHeaders;
  readonly reason: string;
  readonly stage: string;
  /** As the dead letter says it. */
  readonly schemaId: string;
}

export interface SchemaIds {
  /** The schema that the topology names. */
  readonly flight: number;
  /** An older or newer one, with an array in it that the topology does not know. */
  readonly tagged: number;
  /** An id that the registry never issued. */
  readonly unknown: number;
}

/** FlightDeparted with an array in front, as another team might write it. */
export function taggedSchema(flightSchema: string): string {
  const schema = JSON.parse(flightSchema);
  schema.fields = [{ name: 'tags', type: { type: 'array', items: 'null' } }, ...schema.fields];
  return JSON.stringify(schema);
}

const MANY = 300;

export function manyHeaders(): IHeaders {
  const many = Array.from({ length: MANY }, (_, i) => [`header-${i}`, `value ${i}`]);
  return { ...Object.fromEntries(many), repeated: ['first', 'second', 'third'], empty: '' };
}

export const SPOOFED: IHeaders = {
  '__dlq.errors.topic': 'elsewhere',
  '__dlq.errors.offset': '7',
  '__dlq.errors.reason': 'nothing',
  '__dlq.note': 'not ours',
};

export function badRecords(good: Flight, ids: SchemaIds): BadRecord[] {
  const body = flightType.toBuffer(good);
  const whole = framed(ids.flight, body);
  const random = seeded(3);
  const noise = Buffer.from(Array.from({ length: 80 }, () => Math.floor(random() * 256)));
  noise[0] = 0xc3;
  const magic = Buffer.from(whole);
  magic[0] = 1;
  const truncated = whole.subarray(0, whole.length - 2);
  /** Two longs, then the text's length: 2^40 − 1. */
  const longText = Buffer.concat([Buffer.from([2, 2, 2]), varint(2n ** 41n - 2n), Buffer.from('ATL')]);
  const decode = { reason: 'decode-failed', stage: 'decode', headers: {} };
  const known = { ...decode, schemaId: String(ids.flight) };
  const none = { ...decode, schemaId: '' };
  const records: BadRecord[] = [
    { ...none, name: 'random bytes', key: 'noise', value: noise },
    { ...none, name: 'wrong magic byte', key: 'magic', value: magic },
    { ...none, name: 'empty value', key: 'empty', value: Buffer.alloc(0) },
    { ...none, name: 'shorter than its prefix', key: 'short', value: Buffer.from([0, 0, 0]) },
    { ...known, name: 'nothing behind the prefix', key: 'bare', value: whole.subarray(0, 5) },
    { ...known, name: 'truncated', key: 'cut', value: truncated },
    { ...known, name: 'a text longer than the record', key: 'long', value: framed(ids.flight, longText) },
    { ...known, name: 'no such branch of a union', key: 'branch', value: framed(ids.flight, Buffer.from([2, 2, 8])) },
    {
      ...decode,
      name: 'an unknown schema id',
      key: 'stranger',
      value: framed(ids.unknown, body),
      reason: 'schema-unknown',
      schemaId: String(ids.unknown),
    },
    ...[2n ** 31n, 2n ** 40n, 2n ** 62n, -(2n ** 62n)].map((count) => ({
      ...decode,
      name: `an array of ${count} items`,
      key: `array ${count}`,
      value: framed(ids.tagged, Buffer.concat([varint(zigzag(count)), varint(0n), body])),
      schemaId: String(ids.tagged),
    })),
    { ...known, name: 'headers that pretend to be ours', key: 'spoof', value: truncated, headers: SPOOFED },
    { ...known, name: 'many headers', key: 'many', value: truncated, headers: manyHeaders() },
    { ...known, name: 'no key', key: null, value: truncated },
    { ...known, name: 'an empty key', key: '', value: truncated },
  ];
  return records.map((record) => ({ ...record, headers: { 'test-case': record.name, ...record.headers } }));
}

export function asMessage(record: BadRecord): Message {
  const { key, value, headers } = record;
  return { key, value, headers };
}

function zigzag(value: bigint): bigint {
  return value >= 0n ? value << 1n : (-value << 1n) - 1n;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
