/**
 * Records the demo as a terminal shows it, for the README: `node tools/record-demo.ts > docs/assets/demo.svg`.
 *
 * One picture a second, shown in turn; who asks for less motion sees the last. What the demo says at its end goes to standard error.
 * Needs `script` and `stty` (util-linux, coreutils), which give it a terminal. Knows only what the demo writes: whole panels,
 * each between the two marks of a synchronized update, and colours.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const DEMO = 'npm run --silent demo -- --records 60000 --exit';
const [COLUMNS, ROWS] = [101, 40];
const CELL = { width: 7.8, height: 18, left: 16, top: 29.5 };
const ESC = '\u001b';
const BEGIN = `${ESC}[?2026h`;
const END = `${ESC}[?2026l`;
const TO_THE_TOP = new RegExp(`^${ESC}\\[\\d+A`);
const CLEARED = new RegExp(`\\r|${ESC}\\[[JK]`, 'g');
/** A run of text, and the colour that it is after. */
const RUN = new RegExp(`${ESC}\\[([\\d;]*)m([^${ESC}]*)`, 'g');

const COLOURS: Readonly<Record<string, string>> = {
  '': 'fill="#d8dee9"',
  '2': 'fill="#d8dee9" opacity="0.6"',
  '1': 'fill="#d8dee9" font-weight="bold"',
  '1;36': 'fill="#64d2e0" font-weight="bold"',
  '32': 'fill="#9ccc65"',
  '1;33': 'fill="#ffcb6b" font-weight="bold"',
  '1;31': 'fill="#f07178" font-weight="bold"',
  '36': 'fill="#64d2e0"',
};

interface Panel {
  readonly second: number;
  readonly lines: readonly string[];
}

async function record(): Promise<{ readonly panels: readonly Panel[]; readonly after: string }> {
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec ${DEMO}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, TERM: 'xterm-256color' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const panels: Panel[] = [];
  let text = '';
  let startedMs: number | undefined;
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    for (let end = text.indexOf(END); end >= 0; end = text.indexOf(END)) {
      const panel = text.slice(text.lastIndexOf(BEGIN, end) + BEGIN.length, end);
      text = text.slice(end + END.length);
      startedMs ??= performance.now();
      const second = Math.floor((performance.now() - startedMs) / 1_000);
      const lines = panel.replace(TO_THE_TOP, '').replaceAll(CLEARED, '').split('\n');
      if (panels.at(-1)?.second === second) panels.pop();
      panels.push({ second, lines });
    }
  }
  return { panels, after: text };
}

/** A line is runs of text, each after the code of its colour. */
function drawLine(line: string, row: number): string {
  const y = CELL.top + row * CELL.height;
  let column = 1;
  let drawn = '';
  for (const [, code = '', run] of `${ESC}[0m${line}`.matchAll(RUN)) {
    const style = COLOURS[code === '0' ? '' : code] ?? COLOURS[''];
    for (const { 0: piece, index } of run.matchAll(/\S+(?: \S+)*/g)) {
      const x = (CELL.left + (column + index) * CELL.width).toFixed(1);
      const width = (piece.length * CELL.width).toFixed(1);
      drawn += `<text x="${x}" y="${y}" textLength="${width}" ${style}>${escaped(piece)}</text>`;
    }
    column += run.length;
  }
  return drawn;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function draw(panels: readonly Panel[]): string {
  const rows = Math.max(...panels.map(({ lines }) => lines.length));
  const [width, height] = [COLUMNS * CELL.width + 2 * CELL.left, rows * CELL.height + 26].map(Math.ceil);
  const share = (100 / panels.length).toFixed(3);
  const frames = panels.map(({ lines }, n) => {
    const isLast = n === panels.length - 1;
    const delay = `animation-delay:${n - panels.length + 1}s`;
    return `<g class="f"${isLast ? '' : ' opacity="0"'} style="${delay}">${lines.map(drawLine).join('')}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Terminal: sluice demo, live figures">`,
    '<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}',
    `@media (prefers-reduced-motion:no-preference){.f{animation:f ${panels.length}s step-end infinite}}`,
    `@keyframes f{0%{opacity:1}${share}%{opacity:0}100%{opacity:0}}</style>`,
    `<rect width="${width}" height="${height}" rx="10" fill="#11151c"/>`,
    ...frames,
    '</svg>',
    '',
  ].join('\n');
}

const { panels, after } = await record();
if (panels.length === 0) throw new Error(`the demo drew nothing: ${after}`);
process.stdout.write(draw(panels));
process.stderr.write(after);
