/** Bars of CPU per record on a logarithmic scale, as an SVG that reads on light and dark pages. */
import { bestDrain, digits, type Result } from './report.ts';

const WIDTH = 760;
const BAR = 22;
const GAP = 8;
const LABELS = 130;
const FIGURES = 150;

export function chart({ workload, rows }: Result, command: string): string {
  const bars = rows
    .flatMap((row) => {
      const best = bestDrain(row);
      return best === undefined
        ? []
        : [{ name: row.contestant.name, us: best.cpuUsPerRecord, bare: row.contestant.bare === true }];
    })
    .sort((one, other) => one.us - other.us);
  const sluice = bars.find(({ name }) => name === 'sluice')?.us;
  const least = Math.min(...bars.map(({ us }) => us)) / 2;
  const span = Math.log(Math.max(...bars.map(({ us }) => us)) / least);
  const body = bars.map(({ name, us, bare }, i) => {
    const y = 44 + i * (BAR + GAP);
    const width = Math.max(2, ((WIDTH - LABELS - FIGURES) * Math.log(us / least)) / span);
    const ratio = sluice === undefined || name === 'sluice' ? '' : ` (× ${digits(us / sluice)})`;
    const fill = name === 'sluice' ? '#2f7d6b' : bare ? '#b9b9b0' : '#7d8aa0';
    return (
      `<text x="${LABELS - 10}" y="${y + 15}" text-anchor="end">${xml(name)}</text>` +
      `<rect x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3" fill="${fill}"/>` +
      `<text x="${(LABELS + width + 8).toFixed(1)}" y="${y + 15}">${digits(us)} µs${ratio}</text>`
    );
  });
  const height = 44 + bars.length * (BAR + GAP) + 24;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>CPU a record, ${xml(workload.what)}</title>`,
    '<style>text{font:13px system-ui,sans-serif;fill:#333}.note{font-size:11px;fill:#777}@media(prefers-color-scheme:dark){text{fill:#ddd}.note{fill:#999}}</style>',
    `<text x="${LABELS}" y="22" font-weight="600">CPU a record: ${xml(workload.what)}</text>`,
    `<text class="note" x="${LABELS}" y="37">logarithmic; pale: no model, the topic is only copied</text>`,
    ...body,
    `<text class="note" x="${LABELS}" y="${height - 8}">${xml(command)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
