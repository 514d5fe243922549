import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { project } from '../fixtures/dev.ts';
import { Sluice } from '../fixtures/sluice.ts';
import { until } from '../fixtures/until.ts';
import { open, openBrowser } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

test('sluice dev prints the address of its console, which shows the pipeline, and the next one after an edit', async (context) => {
  const mine = project();
  const dev = new Sluice(['dev', mine.file, '--loop', '--rate', '200'], {});
  context.after(() => dev.signal('SIGKILL'));
  const [, url] = await until('the address', () => /^Console: (\S+)$/m.exec(dev.stderr) ?? undefined);
  const { page, complaints } = await open(context, browser, url);
  await page.getByText('● ready').waitFor();
  await page.getByRole('heading', { name: 'hello' }).waitFor();
  await page.locator('#path .slowest').waitFor();
  await page.locator('#lag tbody tr').first().waitFor();
  assert.match(await page.locator('#lag').innerText(), /caught up in/i);

  mine.edit('topology: hello', 'topology: renamed');
  await page.getByRole('heading', { name: 'renamed' }).waitFor();
  await page.getByText('● ready').waitFor();
  await page.locator('#path .slowest').waitFor();
  assert.deepEqual(complaints, []);
  dev.signal('SIGINT');
  assert.equal(await dev.ended, 0, dev.stderr);
});
