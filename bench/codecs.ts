import avsc from 'avsc';
import { compileAvroDecoder } from '../src/codecs/avro/decoder.ts';
import { compileAvroEncoder } from '../src/codecs/avro/encoder.ts';
import { compileJsonDecoder } from '../src/codecs/json/decoder.ts';
import { compileJsonEncoder } from '../src/codecs/json/encoder.ts';
import type { ColumnWant, OutputField, ValueDecoder, ValueEncoder } from '../src/codecs/types.ts';
import { type Column, labelColumn, longColumn, numberColumn, stringColumn } from '../src/kernel/columns.ts';
import { RecordSlab } from '../src/kernel/record-slab.ts';

/**
 * CPU per record in the codecs, against avsc and JSON.parse on the same bytes in the same process: `node bench/codecs.ts`.
 * The ratios carry over to other machines, the nanoseconds do not.
 */

const COUNT = 512;
const ROUNDS = 300;
const REPEATS = 7;

const FLIGHT = {
  type: 'record',
  name: 'FlightDeparted',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'departed_at', type: { type: 'long', logicalType: 'local-timestamp-millis' } },
    { name: 'origin', type: ['null', 'string'] },
    { name: 'destination', type: ['null', 'string'] },
    { name: 'distance', type: ['null', 'int'] },
  ],
};

const RISK = {
  type: 'record',
  name: 'DelayRisk',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'probability', type: 'float' },
    { name: 'band', type: 'string' },
    { name: 'model', type: 'string' },
  ],
};

const IMAGE = { type: 'record', name: 'Image', fields: [{ name: 'pixels', type: { type: 'array', items: 'float' } }] };
const PIXELS = 784;

const WANTS: readonly ColumnWant[] = [
  { field: 'id', kind: 'long', width: 1 },
  { field: 'departed_at', kind: 'number', width: 1 },
  { field: 'origin', kind: 'string', width: 1 },
  { field: 'destination', kind: 'string', width: 1 },
  { field: 'distance', kind: 'number', width: 1 },
];

const flights = Array.from({ length: COUNT }, (_, i) => ({
  id: 2_497_811 + 7 * i,
  departed_at: 991_356_180_000 + 60_000 * i,
  origin: i % 50 === 0 ? null : 'ATL',
  destination: 'PDX',
  distance: i % 20 === 0 ? null : 1_542 - i,
}));

/** Median nanoseconds per record, once the code is warm. */
function measure(frame: () => void): number {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = process.hrtime.bigint();
    for (let round = 0; round < ROUNDS; round++) frame();
    times.push(Number(process.hrtime.bigint() - start) / (ROUNDS * COUNT));
  }
  return times.sort((a, b) => a - b)[REPEATS >> 1];
}

interface Block {
  readonly arena: Buffer;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

function block(values: readonly Buffer[]): Block {
  let at = 0;
  const starts = values.map((value) => {
    at += value.length;
    return at - value.length;
  });
  return { arena: Buffer.concat(values), starts, ends: starts.map((start, i) => start + values[i].length) };
}

function eventColumns(arena: Buffer): Column[] {
  return [
    longColumn(COUNT),
    numberColumn(COUNT),
    stringColumn(COUNT, arena),
    stringColumn(COUNT, arena),
    numberColumn(COUNT),
  ];
}

function decodeFrame(decoder: ValueDecoder, { arena, starts, ends }: Block, columns = eventColumns(arena)): Column[] {
  const row = decoder.bind(arena, columns);
  for (let i = 0; i < COUNT; i++) if (!row(starts[i], ends[i], i)) throw new Error(`record ${i} was refused`);
  return columns;
}

function encodeFrame(encoder: ValueEncoder, events: Column[], predictions: Column[], slab: RecordSlab): void {
  slab.clear();
  const row = encoder.bind(events, predictions);
  for (let i = 0; i < COUNT; i++) if (!row(i, slab)) throw new Error(`record ${i} was refused`);
}

const flightType = avsc.Type.forSchema(FLIGHT as avsc.Schema);
const riskType = avsc.Type.forSchema(RISK as avsc.Schema);
const imageType = avsc.Type.forSchema(IMAGE as avsc.Schema);
const asAvro = block(flights.map((flight) => flightType.toBuffer(flight)));
const asJson = block(flights.map((flight) => Buffer.from(JSON.stringify(flight))));
const images = block(
  flights.map((_, i) => imageType.toBuffer({ pixels: Array.from({ length: PIXELS }, (_, k) => (k * i) / 255) })),
);

const avroDecoder = compileAvroDecoder({ writer: FLIGHT, wants: WANTS });
const jsonDecoder = compileJsonDecoder({ schema: FLIGHT, wants: WANTS });
const imageWant: ColumnWant = { field: 'pixels', kind: 'vector', width: PIXELS };
const imageDecoder = compileAvroDecoder({ writer: IMAGE, wants: [imageWant] });
const imageColumn: Column = {
  kind: 'vector',
  width: PIXELS,
  values: new Float64Array(COUNT * PIXELS),
  present: new Uint8Array(COUNT),
};

const model = 'a4f1c0ffee12';
const events = decodeFrame(avroDecoder, asAvro);
const probability = numberColumn(COUNT);
for (let i = 0; i < COUNT; i++) probability.values[i] = Math.fround(((i * 7919) % COUNT) / COUNT);
const band = labelColumn(
  COUNT,
  ['low', 'medium', 'high'].map((text) => Buffer.from(text)),
);
for (let i = 0; i < COUNT; i++) band.codes[i] = i % 3;
const predictions: Column[] = [probability, band];
const fields: readonly OutputField[] = [
  { name: 'id', source: { from: 'event', slot: 0 } },
  { name: 'probability', source: { from: 'prediction', slot: 0 } },
  { name: 'band', source: { from: 'prediction', slot: 1 } },
  { name: 'model', source: { from: 'constant', value: model } },
];
const output = {
  schema: RISK,
  fields,
  wants: WANTS,
  predictions: [
    { kind: 'number', width: 1 },
    { kind: 'label', width: 1 },
  ],
} as const;
const avroEncoder = compileAvroEncoder({ ...output, prefix: Buffer.alloc(5) });
const jsonEncoder = compileJsonEncoder(output);
const slab = new RecordSlab(COUNT, COUNT * 128);
const scratch = Buffer.alloc(256);
const risk = (i: number): object => ({ id: flights[i].id, probability: probability.values[i], band: 'low', model });

let sink = 0;
const each = (work: (i: number) => unknown) => () => {
  for (let i = 0; i < COUNT; i++) if (work(i) !== undefined) sink++;
};

const lines: [string, () => void, string, () => void][] = [
  [
    'Avro flight → columns',
    () => decodeFrame(avroDecoder, asAvro),
    'avsc decode',
    each((i) => flightType.decode(asAvro.arena, asAvro.starts[i]).value),
  ],
  [
    'Avro 784 floats → columns',
    () => decodeFrame(imageDecoder, images, [imageColumn]),
    'avsc decode',
    each((i) => imageType.decode(images.arena, images.starts[i]).value),
  ],
  [
    'JSON flight → columns',
    () => decodeFrame(jsonDecoder, asJson),
    'JSON.parse',
    each((i) => JSON.parse(asJson.arena.toString('utf8', asJson.starts[i], asJson.ends[i]))),
  ],
  [
    'columns → Avro risk',
    () => encodeFrame(avroEncoder, events, predictions, slab),
    'avsc encode',
    each((i) => riskType.encode(risk(i), scratch)),
  ],
  [
    'columns → JSON risk',
    () => encodeFrame(jsonEncoder, events, predictions, slab),
    'JSON.stringify',
    each((i) => scratch.write(JSON.stringify(risk(i)))),
  ],
];
for (const [ours, frame, theirs, peer] of lines) {
  const own = measure(frame);
  const other = measure(peer);
  console.log(
    `${ours.padEnd(26)} ${own.toFixed(0).padStart(5)} ns   ${theirs.padEnd(14)} ${other.toFixed(0).padStart(5)} ns   ×${(other / own).toFixed(1)}`,
  );
}
if (sink === 0) throw new Error('nothing was read');
