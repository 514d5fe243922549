/**
 * CPU per record of the light workload, without a broker: `node bench/light-path.ts [records] [frameRecords] [maxBatch]`.
 * CPU of the process (all its threads), the best of several rounds, because on a shared machine only the best is repeatable; the two
 * ends cost work per frame only. Only reports, never fails.
 */
import { createLightBench, SCHEMA_ID } from './in-process.ts';
import { lightFeed } from './light.ts';
import { pathRounds } from './path-rounds.ts';

const ROUNDS = 10;
const FEED = 65_536;

const [records = 1_000_000, frameRecords = 512, maxBatch] = process.argv.slice(2).map(Number);

const bench = await createLightBench({ maxBatch });
const feed = lightFeed(FEED, SCHEMA_ID);
const { costs, stages } = await pathRounds(bench, feed, { rounds: ROUNDS, warmUp: 200_000, records, frameRecords });
await bench.close();
const rest = costs.map((cost) => cost.toFixed(3)).join(' ');
console.log(`frames of ${frameRecords}: ${Math.min(...costs).toFixed(3)} µs CPU a record (rounds: ${rest})`);
console.log(`µs within each stage, time, not CPU: ${stages}`);
