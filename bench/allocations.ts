/**
 * What the path allocates on the JavaScript heap, a record: `node --expose-gc bench/allocations.ts [records]`.
 *
 * Drives the assembled path over a million records while V8 samples every allocation that it makes (interval of one byte:
 * nothing is estimated but what V8 folds together), collected ones too. Anything made once a record shows as one object a
 * record or more; what is made once a frame of 512, a batch or a chunk shows as hundredths. Memory of typed arrays lies
 * outside the heap and is not in the figures: it is the frame's columns. Reports, and never fails.
 */
import { Session } from 'node:inspector/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import { createPathBench, feedOf, readFlights } from './in-process.ts';
import { type AllocationProfile, byFunction, OWN_CODE } from './sampling.ts';

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
await bench.run(feed, WARM_UP);

await new Promise((resolve) => setTimeout(resolve, 50));
collections = 0;
collectionMs = 0;
const startedMs = performance.now();
await bench.run(feed, RECORDS);
const plainMs = performance.now() - startedMs;
await new Promise((resolve) => setTimeout(resolve, 50));
const plain = { collections, collectionMs };

const session = new Session();
session.connect();
await session.post('HeapProfiler.startSampling', {
  samplingInterval: 1,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
});
await bench.run(feed, RECORDS);
const { profile } = await session.post('HeapProfiler.stopSampling');
session.disconnect();

const rows = byFunction(profile as unknown as AllocationProfile);
const all = rows.reduce((sum, row) => sum + row.bytes, 0);
const objects = rows.reduce((sum, row) => sum + row.objects, 0);
const own = rows.filter((row) => OWN_CODE.test(row.where));
const a = (n: number): string => (n / RECORDS).toFixed(3).padStart(9);
console.log(`${RECORDS} records, frames of 512, Avro to Avro, every look-up cached`);
console.log(`allocated a record: ${(all / RECORDS).toFixed(1)} B in ${(objects / RECORDS).toFixed(3)} objects`);
console.log(
  `of that in src/: ${(own.reduce((sum, row) => sum + row.bytes, 0) / RECORDS).toFixed(1)} B in ${(own.reduce((sum, row) => sum + row.objects, 0) / RECORDS).toFixed(3)} objects`,
);
console.log(
  `without the sampler: ${plain.collections} collections, ${plain.collectionMs.toFixed(0)} ms of ${plainMs.toFixed(0)} ms`,
);
console.log(`\n${'B/record'.padStart(9)} ${'obj/rec.'.padStart(9)}  function`);
for (const row of rows.slice(0, SHOWN)) console.log(`${a(row.bytes)} ${a(row.objects)}  ${row.where}`);
await bench.close();
observer.disconnect();
