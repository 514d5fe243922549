import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { State } from '../../src/telemetry/state/state.ts';
import { project, start } from '../fixtures/dev.ts';
import { until } from '../fixtures/until.ts';

const LISTEN = { host: '127.0.0.1', port: 0 };

describe('the console of dev', () => {
  test('is at one address across edits, and shows whatever runs', async () => {
    const mine = project();
    const run = start(mine.file, { listen: LISTEN });
    const url = String((await run.until('listening')).console);
    const state = async (): Promise<State | undefined> => {
      const response = await fetch(`${url}api/state`);
      return response.ok ? ((await response.json()) as State) : undefined;
    };
    const seen = (topology: string): Promise<true> =>
      until(`${topology}: thirty records, and none waits`, async () => {
        const now = await state();
        return now?.topology === topology && now.records.settled === 30 && now.lag.records === 0 && now.health.ready;
      });
    await seen('hello');

    run.notice(mine.edit('topology: hello', 'topology: renamed'));
    await run.until('settled', 2);
    await seen('renamed');

    run.notice(mine.edit('prediction.probability', 'prediction.probabilty'));
    await run.until('findings');
    await seen('renamed');
    assert.match(await (await fetch(`${url}metrics`)).text(), /^sluice_records_total\{fate="published"\} 30$/m);
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
    await assert.rejects(fetch(url), 'it is closed with the rest');
  });

  test('there is none without an address to listen on', async () => {
    const run = start(project().file, { exit: true });
    assert.equal((await run.until('listening')).console, undefined);
    assert.equal(await run.ended, 0);
  });
});
