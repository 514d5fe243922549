import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { buildSite } from '../../docs/tools/site/site.ts';
import { ROOT } from '../docs/pages.ts';
import { open, openBrowser } from './browser.ts';

/** From a folder, as somebody unpacks it: no server. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-site-'));
const site = `${pathToFileURL(folder)}/`;
const PAGES: string[] = [];
let browser: Browser;
before(async () => {
  for (const [path, content] of buildSite(ROOT)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
    if (path.endsWith('.html')) PAGES.push(path);
  }
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the search finds a key of the topology, and leads to its row', async (context) => {
  const { page, complaints } = await open(context, browser, site, { path: 'docs/guide.html' });
  await page.keyboard.press('/');
  const input = page.getByRole('combobox', { name: 'Search these pages' });
  assert.equal(await page.evaluate('document.activeElement.id'), 'search');
  await input.fill('latencyBudget');
  const first = page.getByRole('option').first();
  await first.waitFor();
  assert.match(await first.innerText(), /flow\.latencyBudget\s+Topology/);
  assert.equal(await first.locator('mark').first().innerText(), 'latencyBudget');
  assert.equal(await first.getAttribute('aria-selected'), 'true');
  await page.keyboard.press('ArrowDown');
  assert.equal(await first.getAttribute('aria-selected'), 'false');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForURL(/docs\/reference\/topology\.html#row-flowlatencybudget$/);
  assert.ok(await page.locator('tr:target').isVisible());

  await input.fill('<img src=x onerror=alert(1)>');
  await page.getByText('Nothing says “<img src=x').waitFor();
  await input.fill('.*(');
  await page.locator('#found p, #found a').first().waitFor();
  await page.keyboard.press('Escape');
  assert.ok(await page.locator('#found').isHidden());
  assert.deepEqual(complaints, []);
});

test('no page complains, and none is wider than its window, on a telephone and on a desk', async (context) => {
  assert.ok(PAGES.length > 60);
  const { page, complaints } = await open(context, browser, site, { path: 'index.html' });
  // Files that are shown differ in their text only: a few stand for all.
  const shown = PAGES.filter((path, at) => !/\.\w+\.html$/.test(path) || at % 6 === 0);
  for (const path of shown) {
    await page.goto(site + path, { waitUntil: 'domcontentloaded' });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      assert.ok((wide as number) <= 0, `${path} is ${wide} pixels wider than ${width}`);
    }
  }
  assert.deepEqual(complaints, []);
});

test('on a narrow screen the list of pages comes and goes, by keyboard too', async (context) => {
  const { page } = await open(context, browser, site, { path: 'index.html', width: 390 });
  const list = page.getByRole('navigation', { name: 'Pages' });
  assert.ok(await list.isHidden());
  await page.getByRole('link', { name: 'Menu' }).focus();
  await page.keyboard.press('Enter');
  await list.waitFor();
  await list.getByRole('link', { name: 'Close' }).click();
  assert.ok(await list.isHidden());
  await page.getByRole('link', { name: 'Menu' }).click();
  await list.getByRole('link', { name: 'Runbook' }).click();
  await page.waitForURL(/docs\/runbook\.html$/);
  assert.ok(await list.isHidden());
});

test('without JavaScript everything is there to read; what needs it is not shown', async (context) => {
  const page = await browser.newPage({ javaScriptEnabled: false });
  context.after(() => page.close());
  await page.goto(`${site}docs/guide.html`);
  assert.ok(await page.getByRole('heading', { level: 1 }).isVisible());
  assert.ok(await page.getByRole('link', { name: 'Glossary' }).isVisible());
  for (const id of ['#search', '#theme']) assert.ok(await page.locator(id).isHidden(), id);
});

test('light and dark: as the system has it or as chosen, and text stands out', async (context) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(context, browser, site, { path: 'index.html', colorScheme });
    const ratios = (await page.evaluate(CONTRASTS)) as Record<string, number>;
    for (const [name, ratio] of Object.entries(ratios)) assert.ok(ratio >= 4.5, `${name} in ${colorScheme}: ${ratio}`);
    const scheme = (): Promise<string> =>
      page.evaluate(
        'getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).colorScheme',
      );
    assert.match(await scheme(), /light dark$/);
    const button = page.getByRole('button', { name: /^Colours/ });
    await button.click();
    assert.match(await scheme(), /\)light$/);
    await button.click();
    assert.match(await scheme(), /\)dark$/);
    await page.goto(`${site}docs/guide.html`);
    assert.match(await scheme(), /\)dark$/, 'the choice is kept');
  }
});

/** Of every colour that text has, on every ground that text stands on, as WCAG reckons it. */
const CONTRASTS = `(() => {
  const probe = document.createElement('i');
  document.body.append(probe);
  const light = (name) => {
    probe.style.color = 'var(--' + name + ')';
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratios = {};
  for (const text of ['ink', 'strong', 'quiet', 'link', 'comment', 'text', 'key', 'word'])
    for (const ground of ['back', 'side', 'card', 'link-soft']) {
      const [one, other] = [light(text), light(ground)].sort((a, b) => b - a);
      ratios[text + ' on ' + ground] = (one + 0.05) / (other + 0.05);
    }
  return ratios;
})()`;
