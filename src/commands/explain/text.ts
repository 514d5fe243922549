import { shortest } from '../../codecs/avro/value.ts';
import { inLine } from '../display/safe-text.ts';
import { answeredText } from '../look/levels.ts';
import type { Paint } from '../look/paint.ts';
import { rowLines } from '../look/rows.ts';
import { jsonText, timeText } from '../look/show.ts';
import type { Described } from './describe.ts';
import type { Searched } from './published.ts';
import type { Explained } from './story.ts';

const WIDTH = 9;
const MOST_NUMBERS = 8;

/** The whole story, one line per step of the path. */
export function explainedText(explained: Explained, paint: Paint): string {
  const { record, via, event, undecoded, lookUps, let: lets, row, outputs, prediction } = explained;
  const lines: string[] = [];
  const say = (step: string, text: string): void => {
    lines.push(`${paint('bold', step.padEnd(WIDTH))}  ${text}`);
  };
  for (const each of via) say('found by', each);
  const schema = record.schemaId === null ? '' : `  schema ${record.schemaId}`;
  const key =
    record.key === null
      ? 'no key'
      : `key ${typeof record.key === 'string' ? inLine(record.key) : jsonText(record.key)}`;
  say('record', `${paint('blue', explained.place)}  ${timeText(record.timestamp)}  ${key}${schema}`);
  say('event', undecoded === undefined ? jsonText(event) : paint('yellow', `not decoded: ${inLine(undecoded)}`));
  for (const { table, template, key: made, answeredBy: level, views } of lookUps) {
    const by = paint('grey', `by ${template}`);
    if (made === null)
      say('features', `${table}  ${paint('yellow', 'no key')}  ${by}: a field that it names is missing`);
    else {
      const from = level === undefined ? '' : `  ${paint('grey', answeredText(level))}`;
      say('features', `${table}  ${paint('cyan', inLine(made))}  ${by}${from}`);
    }
    if (made !== null) lines.push(...rowLines({ views }, paint).map((line) => `${' '.repeat(WIDTH)}${line}`));
  }
  for (const [name, value] of Object.entries(lets)) say('let', `${name} = ${paint('cyan', numbersText(value))}`);
  for (const [input, columns] of Object.entries(row ?? {})) say('row', `${input}: ${columnsText(columns, paint)}`);
  for (const [name, value] of Object.entries(outputs ?? {}))
    say('model', `${name} = ${numbersText(value)}  ${paint('grey', explained.model)}`);
  if (prediction !== undefined) {
    const all = Object.entries(prediction).map(
      ([name, value]) => `${name} ${typeof value === 'string' ? inLine(value) : numbersText(value)}`,
    );
    say('predicts', all.join('  '));
  }
  say('outcome', outcomeText(explained, paint));
  for (const searched of explained.searched)
    for (const text of searchedText(searched, explained, paint)) say('topic', text);
  return `${lines.join('\n')}\n`;
}

function outcomeText({ fate, reason, stage, why, output, deadLetterTopic }: Explained, paint: Paint): string {
  if (fate === 'published' && output !== undefined) {
    const key = output.key === null ? 'without a key' : `key ${inLine(output.key)}`;
    return `${paint('green', 'publishes')} to ${output.topic}, ${key}: ${jsonText(output.value)}`;
  }
  const said = why === '' ? '' : `: ${inLine(why)}`;
  if (fate === 'dropped') return `${paint('yellow', 'is dropped')}, ${reason}${said}`;
  return `${paint('red', 'dead-letters')} to ${deadLetterTopic}, ${reason} in ${stage}${said}`;
}

function searchedText(
  { topic, records, from, complete, found }: Searched,
  { output }: Explained,
  paint: Paint,
): string[] {
  const looked = `${records.toLocaleString('en')} records from ${from} on`;
  const rest = complete ? '' : '; the search ended there, --search N looks further';
  if (found.length === 0) return [`${topic}: nothing of it among ${looked}${rest}`];
  return found.map(({ partition, offset, timestamp, value, headers, undecoded }) => {
    const body = undecoded === undefined ? jsonText(value) : '(bytes)';
    const said = headers
      .filter(({ name }) => SAID.has(name))
      .map(({ name, value: each }) => `${name.replace(/^.*[.-]/, '')}=${inLine(each ?? 'null')}`);
    const at = paint('blue', `${topic}:${partition}:${offset}`);
    // The published value came from features and a model that may have changed since.
    const isOther = topic === output?.topic && jsonText(value) !== jsonText(output.value);
    const other = isOther ? `  ${paint('yellow', 'differs from what would be published now')}` : '';
    return `${at}  ${timeText(timestamp)}  ${body}${other}  ${paint('grey', said.join(' '))}`.trimEnd();
  });
}

/** Headers that explain differences between what was published and what would be published today. */
const SAID: ReadonlySet<string> = new Set([
  ...[
    'sluice-model',
    'sluice-inputs',
    'sluice-degraded',
    '__dlq.errors.reason',
    '__dlq.errors.stage',
    '__dlq.errors.attempts',
  ],
]);

function numbersText(value: number | readonly number[]): string {
  if (typeof value === 'number') return String(shortest(value));
  const more = value.length > MOST_NUMBERS ? ` … ${value.length} numbers` : '';
  return `[${value
    .slice(0, MOST_NUMBERS)
    .map((each) => String(shortest(each)))
    .join(' ')}${more}]`;
}

/** Columns by name; those from one line (`tod[0]`, `tod[1]`) are grouped. */
function columnsText(columns: NonNullable<Described['row']>[string], paint: Paint): string {
  const lines = new Map<string, number[]>();
  for (const [name, value] of Object.entries(columns)) {
    const line = name.replace(/\[\d+\]$/, '');
    lines.set(line, [...(lines.get(line) ?? []), value]);
  }
  return [...lines]
    .map(([name, values]) => `${name} ${paint('cyan', numbersText(Object.hasOwn(columns, name) ? values[0] : values))}`)
    .join('  ');
}
