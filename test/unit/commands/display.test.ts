import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textWidth } from '../../../src/commands/display/format.ts';
import type { DisplayState } from '../../../src/commands/display/state.ts';
import { createDisplay, type DisplayOptions, summary } from '../../../src/commands/display.ts';
import { FakeClock } from '../../fixtures/clock.ts';
import { sampleState } from './display/sample.ts';

interface Setup {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly options?: DisplayOptions;
  readonly state?: Partial<DisplayState>;
}

function make({ isTTY = true, columns = 80, rows = 40, options = { color: false }, state = {} }: Setup = {}) {
  const clock = new FakeClock();
  const written: string[] = [];
  let changes = state;
  const display = createDisplay(
    { clock, out: { write: (text: string) => written.push(text) }, isTTY, columns: () => columns, rows: () => rows },
    () => sampleState(changes),
    options,
  );
  return {
    clock,
    written,
    display,
    change: (next: Partial<DisplayState>) => (changes = next),
    text: () => written.join(''),
  };
}

/** What a terminal shows after all that was written: lines, without colours. */
function screenOf(written: string): string[] {
  const lines: string[] = [''];
  let at = 0;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read
  for (const [token] of written.matchAll(/\u001b\[\??(\d*)[A-Za-z]|\n|\r|[^\u001b\n\r]+/g)) {
    if (token === '\n') {
      at++;
      column = 0;
      lines[at] ??= '';
    } else if (token === '\r') column = 0;
    else if (token.endsWith('A') && token.startsWith('\u001b')) {
      at -= Number(token.slice(2, -1));
      assert.ok(at >= 0, 'the cursor was moved above what was written');
    } else if (token === '\u001b[K') lines[at] = lines[at].slice(0, column);
    else if (token === '\u001b[J') {
      lines[at] = lines[at].slice(0, column);
      lines.length = at + 1;
    } else if (!token.startsWith('\u001b')) {
      lines[at] = lines[at].slice(0, column) + token + lines[at].slice(column + token.length);
      column += token.length;
    }
  }
  return lines;
}

test('the panel shows what a person asks for', async () => {
  const { display, text, clock } = make({ columns: 100 });
  display.start();
  await clock.advance(2000);
  const screen = screenOf(text()).join('\n');
  for (const shown of [
    'sluice  flight-delay · flight-delay@1 · cpu',
    'running  00:01:23',
    'source → decode → enrich → preprocess → infer → postprocess → encode → deliver',
    '1,234,567',
    '212.4 rows',
    '5,812 batches',
    'p50 12.3 ms',
    'p99 48.2 ms',
    'p99 92 ms',
    '8,192 of 20,000',
    '12 MiB of 64 MiB',
    '1,204 records   420 ms behind',
    '98% hits',
    '12   decode-failed 9 · feature-missing 3',
    'DEN→SFO 0.54 high',
  ]) {
    assert.ok(screen.includes(shown), `${shown} is missing in\n${screen}`);
  }
  assert.match(screen, /bottleneck +infer/);
  assert.match(screen, / {2}31% .* 92% /);
  display.stop();
});

test('it is drawn in place: the screen holds one panel, however often it is refreshed', async () => {
  const { display, text, clock, change, written } = make();
  display.start();
  const once = screenOf(text()).length;
  await clock.advance(3000);
  assert.equal(written.length, 2 + 12, 'four times a second');
  change({ samples: ['a'] });
  await clock.advance(250);
  const screen = screenOf(text());
  assert.equal(screen.length, once - 1);
  assert.equal(screen.filter((line) => line.includes('sluice')).length, 1);
  display.stop();
});

test('the cursor is hidden while it runs and comes back, once; no timer is left', async () => {
  const { display, text, clock } = make();
  display.start();
  display.start();
  await clock.advance(600);
  display.stop();
  display.stop();
  assert.equal(text().split('\u001b[?25l').length, 2);
  assert.equal(text().split('\u001b[?25h').length, 2);
  assert.ok(text().endsWith('\u001b[?25h'));
  assert.equal(clock.timers, 0);
});

test('a printed line stands above the panel and stays', async () => {
  const { display, text, clock } = make();
  display.start();
  await clock.advance(500);
  display.print('12:03:04 info  assigned\n');
  await clock.advance(500);
  const screen = screenOf(text());
  assert.equal(screen[0], '12:03:04 info  assigned');
  assert.match(screen[1], /sluice/);
  display.stop();
  display.print('after\n');
  assert.match(text(), /after\n$/);
});

for (const columns of [10, 20, 40, 59, 60, 66, 80, 120]) {
  test(`no line is wider than a terminal of ${columns} columns, nor the panel taller than 12 rows`, async () => {
    const { display, text, clock } = make({
      columns,
      rows: 12,
      state: { samples: ['東京→大阪 0.54', 'x'.repeat(300), 'e\u0301'.repeat(100)], topology: 'long-'.repeat(10) },
    });
    display.start();
    await clock.advance(1000);
    const screen = screenOf(text());
    assert.ok(screen.length <= 12);
    for (const line of screen) assert.ok(textWidth(line) < columns, line);
    display.stop();
  });
}

test('colours only where asked for, and text from data cannot reach the terminal', async () => {
  const evil = { samples: ['\u001b[2Jgone\u0007\r\n'], topology: 'a\u001b]0;title\u0007' };
  const plain = make({ state: evil });
  plain.display.start();
  plain.display.stop();
  assert.ok(!plain.text().includes('\u001b[2J'));
  assert.ok(!plain.text().includes('\u001b]'));
  assert.ok(!plain.text().includes('\u0007'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  assert.doesNotMatch(plain.text(), /\u001b\[[\d;]*m/);
  const colored = make({ options: { color: true } });
  colored.display.start();
  colored.display.stop();
  assert.ok(colored.text().includes('\u001b[1;33minfer\u001b[0m'));
});

test('without a terminal: a plain line a second, and one at the end', async () => {
  const { display, written, clock } = make({ isTTY: false });
  display.start();
  await clock.advance(2500);
  display.print('12:03:04 info  assigned\n');
  display.stop();
  assert.equal(written.length, 4);
  assert.match(
    written[0],
    /^\d\d:\d\d:\d\d phase=running records=1234567 rate=\d+\/s batch=212\.4 p50=12\.3ms p99=48\.2ms age99=92ms lag=1204\/420ms inflight=8192 cache=98% dead=12 bottleneck=infer\n$/,
  );
  assert.ok(!written.join('').includes('\u001b'));
});

test('figures that are not known are said to be unknown', async () => {
  const nothing = {
    records: 0,
    published: 0,
    deadLettered: {},
    batches: 0,
    rows: 0,
    cacheHits: 0,
    cacheMisses: 0,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    ageP50Ms: Number.NaN,
    ageP99Ms: Number.NaN,
    lagRecords: Number.NaN,
    lagSeconds: Number.NaN,
    busy: [],
    bottleneck: '',
    samples: [],
    model: '',
    device: '',
  };
  const tty = make({ state: nothing });
  tty.display.start();
  tty.display.stop();
  assert.doesNotMatch(tty.text(), /NaN|undefined|Infinity/);
  assert.match(tty.text(), /lag +unknown/);
  const piped = make({ state: nothing, isTTY: false });
  piped.display.start();
  piped.display.stop();
  assert.doesNotMatch(piped.text(), /NaN|undefined|Infinity/);
});

test('the summary says what a run came to', () => {
  const text = summary(sampleState(), { columns: 80, color: false });
  assert.match(text, /records +1,234,567 in 83 s, 14,874 a second\n/);
  assert.match(text, /published +1,234,555\n/);
  assert.match(text, /dead letters +12 {3}decode-failed 9 · feature-missing 3\n/);
  assert.match(text, /model +flight-delay@1 on cpu\n$/);
  assert.doesNotMatch(text, /dropped/);
  assert.match(summary(sampleState({ dropped: 2 }), { columns: 80, color: false }), /dropped +2\n/);
});
