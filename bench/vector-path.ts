/**
 * CPU per record of wide vectors, without a broker: `node bench/vector-path.ts [avro|json] [records] [frameBytes]`.
 * CPU of the process (all its threads), the best of several rounds, and the time within each stage; the two ends cost work per
 * frame only. `node --cpu-prof bench/vector-path.ts` also writes a profile. Only reports, never fails.
 */
import { createVectorBench } from './in-process.ts';
import { pathRounds } from './path-rounds.ts';
import { vectorFeed } from './vectors.ts';

const ROUNDS = 6;
const FEED = 2_000;

const [format, ...numbers] = process.argv.slice(2);
if (format !== 'avro' && format !== 'json') throw new Error('name a format: avro or json');
const [records = format === 'avro' ? 100_000 : 30_000, frameBytes = 262_144] = numbers.map(Number);

const bench = await createVectorBench(format);
const feed = vectorFeed(FEED, format);
const recordBytes = feed.values.reduce((sum, value) => sum + value.length, 0) / FEED;
// As the source cuts them.
const frameRecords = Math.max(1, Math.min(512, Math.floor(frameBytes / recordBytes)));
const { costs, stages } = await pathRounds(bench, feed, { rounds: ROUNDS, warmUp: 20_000, records, frameRecords });
await bench.close();
const { rss } = process.memoryUsage();
console.log(
  `${format}, ${Math.round(recordBytes)} B, frames of ${frameRecords}: ${Math.min(...costs).toFixed(2)} µs CPU a record (rounds: ${costs.map((cost) => cost.toFixed(2)).join(' ')}), ${Math.round(rss / 1e6)} MB`,
);
console.log(`µs within each stage, time, not CPU: ${stages}`);
