/**
 * The fault matrix: 37 rows, each with the tests that show it, or with the argument why there is none. Which tests there are is
 * read from their titles (`row 7: …`, `rows 13, 14: …`), so that the table cannot lag behind them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where tests of the matrix may live; all of them are run by `npm test` or `npm run test:integration`. */
const FOLDERS = ['test/faults', 'test/contract', 'test/unit', 'test/property', 'test/e2e', 'test/integration'];

export const FAULTS: Readonly<Record<number, string>> = {
  1: 'processor killed, one of several, again and again',
  2: 'SIGTERM: under load, twice, during a rebalance',
  3: 'SIGTERM while a model run or a sink hangs',
  4: 'zombie: stopped for longer than its session, then woken',
  5: 'brokers restarted, cleanly and hard; leader, controller, all',
  6: 'leader moves without a failure',
  7: 'group coordinator moves',
  8: 'transaction coordinator moves, commit times out',
  9: 'rebalance storm',
  10: 'partitions added live',
  11: 'offset out of range, topic truncated, topic recreated',
  12: 'network: latency, jitter, bandwidth, slicing, reset, black hole, limit, slow close, down; one way',
  13: 'feature store slow',
  14: 'feature store black-holed',
  15: 'feature store overloaded, unavailable, refusing',
  16: 'feature store: partial rows, wrong types, huge cells, missing rows',
  17: 'corrupted Avro and corrupted batches',
  18: 'unknown schema id; registry 404, 5xx, slow, down; flood of ids',
  19: 'schema evolution, compatible and not',
  20: 'oversized records and outputs, decompression bombs',
  21: 'tombstones, null keys, empty values, a thousand headers, spoofed headers',
  22: 'model throws for one row of a batch',
  23: 'model returns NaN, Inf, wrong shape, wrong type',
  24: 'model slow, hung, crashing, out of memory',
  25: 'model file swapped, truncated, half-written, linked, pointing outside',
  26: 'model swapped under load',
  27: 'GPU lost',
  28: 'disk full',
  29: 'CPU, memory or file descriptors starved',
  30: 'clock steps by an hour, both ways',
  31: 'duplicate and out-of-order input, replay from the beginning',
  32: 'DNS failure, certificate and password rotation',
  33: 'scrape flood, slow scraper, label explosion',
  34: 'abuse of the admin port',
  35: 'dead-letter topic not available',
  36: 'all of it at random, seeded',
  37: 'changelog topic of a cache: its broker away, records removed, unreadable or without a key',
};

/** Only these may go without a test. */
const ARGUED: Readonly<Record<number, string>> = {
  27: 'Providers are tried in order when a session is made, a device asked for and not got is an error, and the one in use is a metric (test/unit/adapters/onnx). A GPU that is lost while it runs fails a run like any other fault of the model; it cannot be provoked where tests run, as there is none.',
  28: 'A running processor writes no file: no spool, no cache, no state; models are read, logs go to standard error. What a full disk can break is reading the bundle at start, which is row 25.',
  29: 'Heartbeats are sent while work waits for a declared reason, from timers that a slow machine only delays; a session that runs out all the same is row 4. Starving a process of CPU or memory needs control groups that tests may not have; CI on two busy cores with eight processes is the mild form, and every fault test runs in it.',
};

export interface ShownBy {
  readonly file: string;
  readonly title: string;
}

export interface Row {
  readonly row: number;
  readonly fault: string;
  readonly tests: readonly ShownBy[];
  readonly argued: string | undefined;
}

export function matrix(): Row[] {
  const found = FOLDERS.flatMap((folder) => testFiles(join(ROOT, folder))).flatMap(titlesOf);
  return Object.entries(FAULTS).map(([row, fault]) => ({
    row: Number(row),
    fault,
    tests: found.filter(({ rows }) => rows.includes(Number(row))).map(({ file, title }) => ({ file, title })),
    argued: ARGUED[Number(row)],
  }));
}

/** `5, 36`, `17 and 35` → numbers. */
export function rowsOf(title: string): number[] {
  const head = /^rows? (\d+(?:(?:, | and )\d+)*): /.exec(title)?.[1];
  return head === undefined ? [] : head.split(/, | and /).map(Number);
}

function testFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function titlesOf(path: string): (ShownBy & { readonly rows: readonly number[] })[] {
  const file = relative(ROOT, path);
  const text = readFileSync(path, 'utf8');
  const titles = [...text.matchAll(/(?:\b(?:test|it|describe)\(\s*|\b[A-Z]+ = )(['"`])(rows? \d.*?)\1/g)].map(
    ([, , title]) => title,
  );
  // A title that is made from a table of cases: each case names its row.
  const made = /\b(?:test|it)\(\s*`(row \$\{row\}: .*?)`/.exec(text)?.[1];
  if (made !== undefined) {
    for (const [, row] of text.matchAll(/\brow: (\d+)/g)) titles.push(made.replace('${' + 'row}', row));
  }
  return [...new Set(titles)]
    .map((title) => ({ file, title, rows: rowsOf(title) }))
    .filter(({ rows }) => rows.length > 0);
}
