import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** What it takes to be the same for exactly-once pipelines as Kafka is; a broker without would run them as others. */
const TRANSACTIONS = 450;
/** What it takes that `sluice dev` forgets rows that were taken out of a feature file. */
const ROWS_THAT_GO = 20;
/** The embedded services are small, or they would be a second product: this many lines, all of them counted. */
const BUDGET = { broker: 1_200 + TRANSACTIONS, registry: 150, bigtable: 250 + ROWS_THAT_GO };

const FOLDER = fileURLToPath(new URL('../../src/devstack/', import.meta.url));

type Part = keyof typeof BUDGET;

/** By folder or by the beginning of the name: bigtable-table.ts belongs to bigtable. undefined: to nothing known. */
function partOf(path: string): Part | undefined {
  if (path.startsWith('kafka/')) return 'broker';
  return (['registry', 'bigtable'] as const).find((part) => new RegExp(`^${part}(-[\\w-]+)?\\.ts$`).test(path));
}

test('the embedded broker, registry and Bigtable keep to their number of lines', () => {
  const lines: Record<Part, number> = { broker: 0, registry: 0, bigtable: 0 };
  for (const entry of readdirSync(FOLDER, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath.slice(FOLDER.length)}/${entry.name}`.replaceAll('\\', '/').replace(/^\//, '');
    const part = partOf(path);
    assert.ok(part, `src/devstack/${path} belongs to none of the parts that have a budget`);
    lines[part] += readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8').split('\n').length - 1;
  }
  for (const part of Object.keys(BUDGET) as Part[]) {
    assert.ok(lines[part] > 0, `there is no ${part}`);
    assert.ok(lines[part] <= BUDGET[part], `the ${part} has ${lines[part]} lines; ${BUDGET[part]} are the limit`);
  }
});
