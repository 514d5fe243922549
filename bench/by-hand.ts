/**
 * The example as one would write it without Sluice: an object per record, feature objects in a Map, one tensor per batch, an object
 * per prediction. It does less: no offsets, order, headers, keys, bounds, schema ids or dead letters. Its predictions are
 * compared with the expected ones before it is measured.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import avsc from 'avsc';
import * as ort from 'onnxruntime-node';
import type { Feed } from './ends.ts';
import { FEATURES, type Flight, feedOf } from './in-process.ts';

const PREFIX_BYTES = 5;
const WIDTH = 27;
const MODEL = 'models/flight-delay/1/model.onnx';

interface Airport {
  readonly dep?: { readonly late_share: number };
  readonly arr?: { readonly late_share: number };
}

interface Route {
  readonly agg?: { readonly late_share: number; readonly mean_delay: number; readonly per_day: number };
  readonly slots?: { readonly n: readonly number[]; readonly l: readonly number[] };
}

interface Risk {
  readonly id: number;
  readonly probability: number;
  readonly band: string;
  readonly model: string;
}

export interface ByHand {
  /** Values of a batch → values to publish. */
  score(values: readonly Buffer[]): Promise<Buffer[]>;
  close(): Promise<void>;
}

export async function createByHand(format: 'avro' | 'json'): Promise<ByHand> {
  const flightType = avsc.Type.forSchema(JSON.parse(readFileSync('schemas/flight-departed.avsc', 'utf8')));
  const riskType = avsc.Type.forSchema(JSON.parse(readFileSync('schemas/delay-risk.avsc', 'utf8')));
  const airports = readTable<Airport>('airport');
  const routes = readTable<Route>('route');
  const session = await ort.InferenceSession.create(MODEL, { intraOpNumThreads: 1, interOpNumThreads: 1 });

  const decode = (value: Buffer): Flight =>
    format === 'json' ? JSON.parse(value.toString('utf8')) : flightType.fromBuffer(value.subarray(PREFIX_BYTES));
  const encode = (risk: Risk): Buffer =>
    format === 'json' ? Buffer.from(JSON.stringify(risk)) : Buffer.concat([PREFIX, riskType.toBuffer(risk)]);

  async function predict(flights: readonly Flight[]): Promise<Float32Array> {
    const rows = flights.flatMap((flight) => featuresOf(flight, airports, routes));
    const tensor = new ort.Tensor('float32', Float32Array.from(rows), [flights.length, WIDTH]);
    const { probability } = await session.run({ features: tensor });
    return probability.data as Float32Array;
  }

  const byHand: ByHand = {
    async score(values) {
      const flights = values.map(decode);
      const probabilities = await predict(flights);
      return flights.map(({ id }, i) => {
        const probability = probabilities[i];
        const band = probability < 0.2 ? 'low' : probability < 0.5 ? 'medium' : 'high';
        return encode({ id, probability, band, model: 'a4f1c0ffee12' });
      });
    },
    close: () => session.release(),
  };
  await compare(byHand, format, (value) =>
    format === 'json' ? JSON.parse(value.toString('utf8')) : riskType.fromBuffer(value.subarray(PREFIX_BYTES)),
  );
  return byHand;
}

const PREFIX = Buffer.from([0, 0, 0, 0, 1]);

function featuresOf(
  flight: Flight,
  airports: ReadonlyMap<string, Airport>,
  routes: ReadonlyMap<string, Route>,
): number[] {
  const { departed_at: at, origin, destination, distance } = flight;
  const minute = mod(Math.floor(at / 60_000), 1440);
  const slot = Math.floor(minute / 15);
  const day = mod(Math.floor(at / 86_400_000) + 3, 7);
  const angle = (2 * Math.PI * minute) / 1440;
  const dep = airports.get(origin ?? '')?.dep;
  const arr = airports.get(destination ?? '')?.arr;
  const { agg, slots } = routes.get(`${origin}#${destination}`) ?? {};
  const late = agg?.late_share ?? 0.2;
  const row = [Math.sin(angle), Math.cos(angle), Math.sin(2 * angle), Math.cos(2 * angle)];
  for (let d = 0; d < 7; d++) row.push(d === day ? 1 : 0);
  row.push(Math.log1p(distance === null || distance < 0 ? 569 : distance));
  row.push(dep?.late_share ?? 0.2, dep === undefined ? 1 : 0, arr?.late_share ?? 0.2, arr === undefined ? 1 : 0);
  row.push(late, (agg?.mean_delay ?? 6.5) / 30, Math.log1p(agg?.per_day ?? 0), agg === undefined ? 1 : 0);
  row.push(((slots?.l[slot] ?? 0) + 3 * late) / ((slots?.n[slot] ?? 0) + 3));
  for (let k = -4; k <= 1; k++) row.push(Math.log1p(slots?.n[mod(slot + k, 96)] ?? 0));
  return row;
}

function mod(x: number, n: number): number {
  return ((x % n) + n) % n;
}

function readTable<Row>(table: string): Map<string, Row> {
  return new Map(
    lines(gunzipSync(readFileSync(`${FEATURES}/${table}.jsonl.gz`))).map((line) => {
      const row = JSON.parse(line) as Row & { readonly key: string };
      return [row.key, row];
    }),
  );
}

function lines(text: Buffer): string[] {
  return text.toString('utf8').trimEnd().split('\n');
}

/** A comparison is only fair if the predictions are the same. */
async function compare(byHand: ByHand, format: 'avro' | 'json', decode: (value: Buffer) => Risk): Promise<void> {
  const read = (file: string): string[] => lines(readFileSync(`examples/flight-delay/${file}`));
  const flights = read('events-500.jsonl').map((line) => JSON.parse(line) as Flight);
  const expected = read('expected-500.jsonl').map((line) => JSON.parse(line) as Risk);
  const { values }: Feed = feedOf(flights, format);
  const risks = (await byHand.score(values)).map(decode);
  for (const [i, risk] of risks.entries()) {
    assert.equal(risk.id, expected[i].id);
    assert.ok(Math.abs(risk.probability - expected[i].probability) < 1e-5, `flight ${risk.id}: ${risk.probability}`);
  }
}
