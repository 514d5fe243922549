import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Feed } from '../../bench/ends.ts';
import { createPathBench, feedOf, type PathBench, readFlights } from '../../bench/in-process.ts';
import { type Allocations, startSampling, total } from '../../bench/sampling.ts';

/**
 * No object, promise, closure or string a record between source and sink: the same number of frames is driven through the
 * assembled path twice, small ones and large ones, while V8 reports each of its allocations. What the larger frames cost
 * more is what records cost.
 */
const FRAMES = 64;
const SMALL = 64;
const LARGE = 512;
/** A boxed number has 16 bytes, an object at least 24: code that is not optimised yet boxes, and that is no finding. */
const LEAST_OBJECT_BYTES = 24;
/** Batches and chunks come by the hundreds of records, and make some dozens of objects each. */
const MOST_OBJECTS_A_RECORD = 0.5;

let bench: PathBench;
let feed: Feed;

before(async () => {
  bench = await createPathBench({ format: 'avro', cache: 'all', maxBatch: 4096 });
  // Few flights, again and again: once warm, the cache has all that is asked for.
  feed = feedOf(readFlights(32), 'avro');
});

after(() => bench.close());

async function allocationsOf(frameRecords: number): Promise<Allocations[]> {
  let stop = async (): Promise<Allocations[]> => [];
  const onWarm = async (): Promise<void> => {
    stop = await startSampling(LEAST_OBJECT_BYTES);
  };
  await bench.run(feed, { warmUp: FRAMES * LARGE, records: FRAMES * frameRecords, frameRecords, onWarm });
  return stop();
}

test('the meter sees one small object a record', async () => {
  const made: unknown[] = new Array(10_000).fill(undefined);
  const stop = await startSampling(LEAST_OBJECT_BYTES);
  for (let i = 0; i < made.length; i++) made[i] = { i };
  const seen = total(await stop(), 'objects');
  assert.ok(seen >= made.length, `${seen} objects seen`);
});

test('nothing is made once a record between source and sink', async () => {
  const small = await allocationsOf(SMALL);
  const large = await allocationsOf(LARGE);
  const aRecord = (total(large, 'objects') - total(small, 'objects')) / (FRAMES * (LARGE - SMALL));
  large.sort((one, other) => other.objects - one.objects);
  const most = large.slice(0, 8).map(({ where, objects }) => `${objects} ${where}`);
  assert.ok(
    aRecord < MOST_OBJECTS_A_RECORD,
    `${aRecord.toFixed(2)} objects a record; most come from\n${most.join('\n')}`,
  );
});
