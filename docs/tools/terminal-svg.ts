/**
 * A recorded terminal session → an SVG that plays it, for the README. Reads what `script` wrote of `npm run demo`:
 *
 *   script -qec "stty cols 100 rows 40; npm run --silent demo -- --records 60000 --exit" FILE
 *   node docs/tools/terminal-svg.ts FILE > docs/assets/demo.svg
 *
 * Limits: it knows the sequences that src/commands/display writes (colours, erase, cursor up, synchronized update), no others.
 */
import { readFileSync } from 'node:fs';

const FRAMES = 12;
const FRAME_SECONDS = 1;
const CELL_WIDTH = 7.8;
const LINE_HEIGHT = 18;
const PADDING = 16;
const COLUMNS = 100;

const BACKGROUND = '#11151c';
const FOREGROUND = '#d8dee9';
const COLORS: Readonly<Record<string, string>> = {
  '31': '#f07178',
  '32': '#9ccc65',
  '33': '#ffcb6b',
  '36': '#64d2e0',
};

interface Run {
  readonly text: string;
  readonly color: string;
  readonly bold: boolean;
  readonly dim: boolean;
}

/** One drawn state of the display a synchronized update; the text before the first and after the last is left out. */
function framesOf(recording: string): Run[][][] {
  const updates = recording.split('\u001b[?2026h').slice(1);
  return updates.map((update) => linesOf(update.split('\u001b[?2026l')[0])).filter((lines) => lines.length > 2);
}

function linesOf(update: string): Run[][] {
  const lines = update.split(/\r?\n/).map(runsOf);
  while (lines.length > 0 && lines[lines.length - 1].length === 0) lines.pop();
  return lines;
}

function runsOf(line: string): Run[] {
  const runs: Run[] = [];
  let color = FOREGROUND;
  let bold = false;
  let dim = false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  for (const [, codes, text] of line.replaceAll('\r', '').matchAll(/(?:\u001b\[([\d;?]*[A-Za-z]))?([^\u001b]*)/g)) {
    if (codes?.endsWith('m')) {
      for (const code of codes.slice(0, -1).split(';')) {
        if (code === '0' || code === '') {
          color = FOREGROUND;
          bold = false;
          dim = false;
        } else if (code === '1') bold = true;
        else if (code === '2') dim = true;
        else color = COLORS[code] ?? color;
      }
    }
    if (text !== '') runs.push({ text, color, bold, dim });
  }
  return runs;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Every run is placed by its column and stretched to its width, so that bars line up in any monospaced font. */
function drawLine(runs: readonly Run[], row: number): string {
  let column = 0;
  const y = PADDING + (row + 0.75) * LINE_HEIGHT;
  return runs
    .map(({ text, color, bold, dim }) => {
      const at = column;
      const width = [...text].length;
      column += width;
      const word = text.trim();
      if (word === '') return '';
      const x = (PADDING + (at + text.length - text.trimStart().length) * CELL_WIDTH).toFixed(1);
      const style = `${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}`;
      return `<text x="${x}" y="${y.toFixed(1)}" textLength="${([...word].length * CELL_WIDTH).toFixed(1)}" fill="${color}"${style}>${escaped(word)}</text>`;
    })
    .join('');
}

function render(frames: readonly Run[][][]): string {
  const every = Math.max(1, Math.floor(frames.length / FRAMES));
  const shown = frames.filter((_, i) => i % every === every - 1).slice(0, FRAMES);
  const rows = Math.max(...shown.map((lines) => lines.length));
  const width = Math.ceil(2 * PADDING + COLUMNS * CELL_WIDTH);
  const height = Math.ceil(2 * PADDING + rows * LINE_HEIGHT);
  const seconds = shown.length * FRAME_SECONDS;
  const share = 100 / shown.length;
  const drawn = shown.map((lines, i) => {
    const delay = ((i - shown.length + 1) * FRAME_SECONDS).toFixed(2);
    const still = i === shown.length - 1 ? '' : ' opacity="0"';
    return `<g class="f"${still} style="animation-delay:${delay}s">${lines.map(drawLine).join('')}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Terminal: sluice demo, live figures">`,
    // Frames follow each other in a circle; without animation the last one is seen.
    `<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}`,
    `@media (prefers-reduced-motion:no-preference){.f{animation:f ${seconds}s step-end infinite}}`,
    `@keyframes f{0%{opacity:1}${share.toFixed(3)}%{opacity:0}100%{opacity:0}}</style>`,
    `<rect width="${width}" height="${height}" rx="10" fill="${BACKGROUND}"/>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

process.stdout.write(render(framesOf(readFileSync(process.argv[2], 'utf8'))));
