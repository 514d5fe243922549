import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { State } from '../../src/telemetry/state/state.ts';
import { type Hello, startHello } from '../faults/embedded/hello.ts';
import { harmless } from '../faults/embedded/poisonous.ts';
import { Sluice } from '../fixtures/sluice.ts';
import { until } from '../fixtures/until.ts';
import { open, openBrowser } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

interface Running {
  readonly hello: Hello;
  readonly sluice: Sluice;
  readonly url: string;
}

const PACE_MS = 50;

/** A pipeline that is fed for as long as the test runs. */
async function start(context: TestContext, ...args: string[]): Promise<Running> {
  let over = false;
  let feeding: Promise<void> | undefined;
  // Before what is fed is closed: hooks run in the order in which they were given.
  context.after(async () => {
    over = true;
    await feeding;
  });
  const hello = await startHello(context, { partitions: 4, sessionTimeout: '6s' });
  const sluice = new Sluice(['run', hello.file, '--json', '--listen', '127.0.0.1:0', ...args], hello.env);
  context.after(() => sluice.signal('SIGKILL'));
  await sluice.ready();
  feeding = (async () => {
    for (let fed = 0; !over; fed += 200) {
      await hello.produce(harmless(200, fed));
      await pause(PACE_MS);
    }
  })();
  return { hello, sluice, url: `${await sluice.url()}/` };
}

/** A figure of a tile, as a number. */
async function tile(page: Page, name: string): Promise<number> {
  const text = await page.locator('.tile', { has: page.getByText(name, { exact: true }) }).innerText();
  return Number(/[\d,.]+/.exec(text.replace(name, ''))?.[0].replaceAll(',', ''));
}

/** What reaches further than the window is wide; empty when nothing does. */
function tooWide(page: Page): Promise<string> {
  return page.evaluate(
    `[...document.querySelectorAll('body *')]
      .filter((one) => one.closest('.scroll, .hidden-text') === null && one.getBoundingClientRect().right > innerWidth + 1)
      .map((one) => one.outerHTML.slice(0, 120)).join('\\n')
      + (document.documentElement.scrollWidth > innerWidth ? ' the page scrolls sideways' : '')`,
  );
}

test('the console of one pipeline', async (context) => {
  const running = await start(context);
  await context.test(
    'while records flow: figures that change, the bottleneck, a dead letter with its reason, no payload',
    (sub) => flowing(sub, running),
  );
  await context.test('light and dark, wide and narrow: nothing overflows, text stands out', (sub) =>
    fits(sub, running),
  );
  await context.test(
    'names as long as they may be and text that would be HTML: nothing overflows, nothing runs',
    (sub) => hostile(sub, running),
  );
  await context.test('history by keyboard: arrows go back in time, Escape returns', (sub) => history(sub, running));
  await context.test('it says that nothing answers, and since when', (sub) => lost(sub, running));
});

async function flowing(context: TestContext, { hello, url }: Running): Promise<void> {
  const { page, complaints } = await open(context, browser, url);
  await page.getByText('● ready').waitFor();
  const stages = await page.evaluate(
    `[...document.querySelectorAll('#path [data-stage]')].map((one) => one.dataset.stage)`,
  );
  assert.deepEqual(
    stages,
    'source decode enrich preprocess infer postprocess encode deliver commit'.split(' '),
    'the path, in its order',
  );
  const settled = (): Promise<number> => tile(page, 'Settled');
  await until('records settle', async () => (await settled()) > 0);
  const text = (): Promise<string> => page.locator('.tile').first().innerText();
  const first = await text();
  await until('the figures change', async () => (await text()) !== first);
  await page.locator('#path .slowest').waitFor();
  assert.match(await page.locator('#path .slowest .tag').innerHTML(), /bottleneck|busiest/);
  assert.match(await page.locator('#path svg').getAttribute('aria-label').then(String), /(bottleneck|busiest): \w+, /);
  await page.locator('#charts .heat[d^="M"]').first().waitFor({ state: 'attached' });
  assert.match(await page.locator('#process').innerText(), /hello@1 #[0-9a-f]{12}/);
  assert.equal(await page.locator('#lag tbody tr').count(), 4);

  await hello.produce([{ id: 2, distance: 'a secret' as never }]);
  const row = page.locator('#letters tr', { hasText: 'decode-failed' }).filter({ has: page.locator('code') });
  await row.waitFor();
  assert.match(await row.innerText(), new RegExp(`decode-failed\\s+decode\\s+${hello.watched.inputs[0]}/2/\\d+`));
  assert.doesNotMatch(await page.content(), /a secret/);
  assert.deepEqual(complaints, []);
}

const HTML = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>';

/** The same state with what others may say and name, at its worst. */
function atWorst(state: State): State {
  const topic = 't'.repeat(249);
  const partition = {
    topic,
    records: 1e12,
    seconds: 1e6,
    drainSeconds: null,
    neverDrains: true,
    stillSeconds: 1e6,
    stuck: true,
  };
  const letter = { atMs: state.atMs, reason: HTML, stage: HTML, topic: HTML, partition: 1, offset: '9007199254740991' };
  return {
    ...state,
    topology: 'T'.repeat(100),
    model: { ...state.model, models: [{ model: 'M'.repeat(100), version: '1', digest: 'd'.repeat(12) }] },
    health: { live: true, ready: false, waits: [HTML, 'x'.repeat(3_000)] },
    lag: { ...state.lag, partitions: Array.from({ length: 300 }, (_, k) => ({ ...partition, partition: k })) },
    deadLetters: { byReason: [], recent: [letter, { ...letter, topic }] },
  };
}

async function hostile(context: TestContext, { url }: Running): Promise<void> {
  for (const width of [1280, 390]) {
    const { page, complaints } = await open(context, browser, url, { width });
    await page.route('**/api/state*', async (route) => {
      const response = await route.fetch();
      if (!response.ok()) return route.fulfill({ response });
      await route.fulfill({ json: atWorst((await response.json()) as State) });
    });
    await page.getByRole('heading', { name: 'T'.repeat(100) }).waitFor();
    await page.getByText('and 236 with less lag').waitFor();
    assert.equal(await tooWide(page), '', `${width} wide`);
    assert.equal(await page.evaluate('window.ran'), undefined);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.deepEqual(complaints, []);
  }
}

test('two instances: together, and each by its button, from the keyboard', async (context) => {
  const { url } = await start(context, '--instances', '2');
  const { page, complaints } = await open(context, browser, url);
  const together = page.getByRole('button', { name: 'All together' });
  await together.filter({ hasText: '2 of 2 ready' }).waitFor();
  assert.equal(await together.getAttribute('aria-pressed'), 'true');
  await until('four partitions', async () => (await page.locator('#lag tbody tr').count()) === 4);
  await page.getByRole('button', { name: 'Instance 2' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('button[aria-pressed="true"]', { hasText: 'Instance 2' }).waitFor();
  await until('its own partitions', async () => (await page.locator('#lag tbody tr').count()) === 2);
  assert.match(page.url(), /\?instance=2$/);
  assert.equal(await page.evaluate('document.activeElement.dataset.instance'), '2', 'the focus stays');
  await page.reload();
  await page.locator('button[aria-pressed="true"]', { hasText: 'Instance 2' }).waitFor();
  assert.deepEqual(complaints, []);
});

async function fits(context: TestContext, { url }: Running): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 768, 390]) {
      const { page, complaints } = await open(context, browser, url, { width, colorScheme });
      await page.locator('#letters code').first().waitFor();
      await page.locator('#path .slowest').waitFor();
      assert.equal(await tooWide(page), '', `${width} ${colorScheme}`);
      for (const name of ['ink', 'quiet', 'flow', 'look', 'bad', 'good']) {
        const ratio = (await page.evaluate(CONTRAST.replace('NAME', name))) as number;
        assert.ok(ratio >= 4.5, `${name} on a card in ${colorScheme}: ${ratio.toFixed(1)}`);
      }
      assert.deepEqual(complaints, []);
    }
  }
}

/** Of a colour of the page on its cards, as WCAG reckons it. */
const CONTRAST = `(() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [one, other] = [light('--NAME'), light('--card')].sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
})()`;

async function history(context: TestContext, { url }: Running): Promise<void> {
  const { page } = await open(context, browser, url);
  const chart = page.getByRole('group', { name: /Time inside Sluice/ });
  const reading = page.locator('.chart', { has: chart }).locator('.reading');
  await reading.getByText(/p50 .+, p99 /).waitFor();
  assert.match(await reading.innerText(), /^now /);
  await chart.focus();
  await page.keyboard.press('ArrowLeft');
  assert.match(await reading.innerText(), /^\d\d:\d\d:\d\d p50/);
  await page.keyboard.press('Escape');
  assert.match(await reading.innerText(), /^now /);
}

async function lost(context: TestContext, { sluice, url }: Running): Promise<void> {
  const { page } = await open(context, browser, url);
  await page.getByText('● ready').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  sluice.signal('SIGKILL');
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match(await alert.innerText(), /Connection lost: no answer since \d\d:\d\d:\d\d/);
  assert.equal(await page.locator('body.stale').count(), 1);
}
