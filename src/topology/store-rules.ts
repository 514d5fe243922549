import type { CheckFinding } from '../documents/finding.ts';
import type { Path } from '../documents/yaml-document.ts';
import type { TopologyFile } from './schema.ts';

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/** What a look-up's layout, its views and the numbers in its cells may say together. */
export function checkStores({ enrich }: TopologyFile, report: Report): void {
  const encodings = new Map<string, string>();
  enrich.forEach((entry, i) => {
    for (const [name, view] of Object.entries(entry.views)) {
      const path = ['enrich', i, 'views', name];
      checkNumbers(entry, view, [...path, 'numbers'], report);
      for (const column of view.columns) {
        const cell = JSON.stringify([entry.from, entry.table, entry.layout, view.family, column.replace(/\[.*/, '')]);
        const numbers = view.numbers ?? 'float-le';
        const other = encodings.get(cell) ?? numbers;
        if (other !== numbers) {
          const message = `says ${numbers}, and another view reads the same cells of ${view.family} as ${other}`;
          report(path, message, 'say the same in both: a cell holds one thing');
        }
        encodings.set(cell, other);
      }
    }
  });
}

type Entry = TopologyFile['enrich'][number];

function checkNumbers({ layout }: Entry, view: Entry['views'][string], path: Path, report: Report): void {
  const { numbers, columns } = view;
  if (numbers === undefined) return;
  if (layout !== 'cells') {
    const message = `says what cells hold, and with layout: ${layout} they say so themselves`;
    report(path, message, 'leave numbers out, or write layout: cells');
  }
  const vector = columns.find((column) => column.includes('['));
  if (numbers === 'text' && vector !== undefined) {
    const message = `is text, one decimal number a cell, and ${vector} is a vector`;
    report(path, message, 'write numbers: float-le or float-be for a view of vectors');
  }
}
