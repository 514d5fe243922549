/**
 * What the path allocates on the JavaScript heap per record: `node bench/allocations.ts [records]`.
 *
 * Drives the assembled path over a million records while V8 samples every allocation that it makes (an interval of one byte:
 * only allocations that V8 folds together are estimated), including those collected meanwhile. Anything made per record shows as one object a
 * record or more; what is made per frame of 512, batch or chunk shows as hundredths. Memory of typed arrays, the frame's columns, is
 * outside the heap and not in the figures. Only reports, never fails.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { createPathBench, feedOf, readFlights } from './in-process.ts';
import { type Allocations, OWN_CODE, startSampling, total } from './sampling.ts';

const RECORDS = Number(process.argv[2] ?? 1_000_000);
const WARM_UP = 200_000;
const SHOWN = 40;

let collections = 0;
let collectionMs = 0;
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    collections++;
    collectionMs += entry.duration;
  }
});
observer.observe({ entryTypes: ['gc'] });

const bench = await createPathBench({ format: 'avro', cache: 'all' });
const feed = feedOf(readFlights(), 'avro');

// Once without the sampler, for collections and time.
let startedMs = 0;
await bench.run(feed, {
  warmUp: WARM_UP,
  records: RECORDS,
  onWarm() {
    collections = 0;
    collectionMs = 0;
    startedMs = performance.now();
  },
});
const plainMs = performance.now() - startedMs;
// Entries that the observer has not received yet arrive with the next turn of the loop.
await new Promise((resolve) => setTimeout(resolve, 50));
const plain = `${collections} collections, ${collectionMs.toFixed(0)} ms of ${plainMs.toFixed(0)} ms`;

let stop = async (): Promise<Allocations[]> => [];
await bench.run(feed, {
  warmUp: WARM_UP,
  records: RECORDS,
  onWarm: async () => {
    stop = await startSampling();
  },
});
const rows = await stop();
await bench.close();
observer.disconnect();

const own = rows.filter((row) => OWN_CODE.test(row.where));
const sum = (of: readonly Allocations[]): string =>
  `${(total(of, 'bytes') / RECORDS).toFixed(1)} B in ${(total(of, 'objects') / RECORDS).toFixed(3)} objects`;
const column = (n: number): string => (n / RECORDS).toFixed(3).padStart(9);
console.log(`${RECORDS} records, frames of 512, Avro to Avro, every look-up cached and the cache warm`);
console.log(`allocated a record: ${sum(rows)}`);
console.log(`of that in src/ and generated code: ${sum(own)}`);
console.log(`without the sampler: ${plain}`);
console.log(`\n${'B/record'.padStart(9)} ${'obj/rec.'.padStart(9)}  function`);
for (const row of rows.slice(0, SHOWN)) console.log(`${column(row.bytes)} ${column(row.objects)}  ${row.where}`);
