import { EXIT } from '../../kernel/errors.ts';
import { inLine } from '../display/safe-text.ts';
import type { Io } from '../io.ts';
import { type Letter, sourceText } from '../look/dead-letter.ts';
import { type FilterOptions, filterOf } from './filters.ts';
import { type DeadLetterTopic, withDeadLetters } from './topic.ts';

export interface DlqListOptions extends FilterOptions {
  readonly topology: string;
  /** Letters to show: the most recently seen ones. All are counted. */
  readonly limit: number;
  readonly json: boolean;
}

const MAX_KEY_TEXT = 40;

/** `sluice dlq list`: counts by reason, and the newest letters that match. */
export function dlqList(options: DlqListOptions, io: Io): Promise<number> {
  const matches = filterOf(filters(options), io.clock.wallMs());
  return withDeadLetters(options.topology, io, async (topic) => {
    const counts = new Map<string, number>();
    // Not the letters themselves: each refers to its whole fetch, so a million of them would keep the whole topic.
    const newest: Listed[] = [];
    let matching = 0;
    for (const [partition, { start, end }] of (await topic.extents()).entries()) {
      const ended = await topic.letters(partition, { from: start, to: end }, (letter) => {
        if (!matches(letter)) return true;
        matching++;
        counts.set(letter.reason, (counts.get(letter.reason) ?? 0) + 1);
        newest.push(plain(letter));
        // Trimmed only at twice the limit, so that trimming is rare.
        if (newest.length > 2 * options.limit) keepNewest(newest, options.limit);
        return true;
      });
      tellHeldBack(io, topic, partition, ended, end);
    }
    keepNewest(newest, options.limit);
    if (options.json) for (const letter of newest) io.stdout.write(`${JSON.stringify(letter)}\n`);
    else print(newest, io);
    summarize(topic, io, { matching, shown: newest.length, counts });
    return EXIT.done;
  });
}

/** The filters among a command's options. */
export function filters(options: FilterOptions): FilterOptions {
  const { reason, stage, source, partition, since, until, model, key, attempts } = options;
  return { reason, stage, source, partition, since, until, model, key, attempts };
}

/** A letter in `--json`; `show` prints its body. */
export type Listed = ReturnType<typeof plain>;

export function plain(letter: Letter) {
  const { partition, offset, reason, stage, attempts, firstSeen, firstAttempt, schemaId, model, instance } = letter;
  const { timestampMs, record, detail } = letter;
  const { key, value } = record;
  return {
    at: `${partition}:${offset}`,
    source: sourceText(letter.source),
    reason,
    stage,
    attempts,
    firstSeen,
    firstAttempt,
    timestampMs,
    schemaId,
    detail,
    model,
    instance,
    key: key?.toString('utf8') ?? null,
    valueBytes: letter.withoutBody ? Number(letter.bytes) : (value?.length ?? null),
    withoutBody: letter.withoutBody,
  };
}

export function tellHeldBack(io: Io, topic: DeadLetterTopic, partition: number, ended: number, end: number): void {
  if (ended >= end) return;
  io.stderr.write(
    `${topic.name}/${partition}: read up to offset ${ended} of ${end}; an open transaction holds back the rest\n`,
  );
}

/** Stable, so that equal letters stay in order of partition and offset. */
function keepNewest(letters: Listed[], limit: number): void {
  letters.sort((a, b) => (a.firstSeen < b.firstSeen ? -1 : a.firstSeen > b.firstSeen ? 1 : 0));
  letters.splice(0, Math.max(0, letters.length - limit));
}

function print(letters: readonly Listed[], io: Io): void {
  if (letters.length === 0) return;
  const rows = letters.map(({ at, firstSeen, reason, stage, source, attempts, key }) =>
    [at, firstSeen, reason, stage, source, String(attempts), keyText(key)].map(inLine),
  );
  const head = ['AT', 'FIRST SEEN', 'REASON', 'STAGE', 'SOURCE', 'ATTEMPT', 'KEY'];
  const widths = head.map((title, k) => rows.reduce((most, row) => Math.max(most, row[k].length), title.length));
  for (const row of [head, ...rows]) {
    const cells = row.map((text, k) => text.padEnd(widths[k]));
    io.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

function keyText(key: string | null): string {
  if (key === null) return '-';
  return key.length > MAX_KEY_TEXT ? `${key.slice(0, MAX_KEY_TEXT - 1)}…` : key;
}

function summarize(
  topic: DeadLetterTopic,
  io: Io,
  found: { readonly matching: number; readonly shown: number; readonly counts: ReadonlyMap<string, number> },
): void {
  const { matching, shown, counts } = found;
  const by = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${inLine(reason)}`)
    .join(', ');
  const more = matching > shown ? `; the newest ${shown} are shown (--limit)` : '';
  const others = topic.strangers > 0 ? `; ${topic.strangers} records there are no dead letters of Sluice` : '';
  io.stderr.write(`${topic.name}: ${matching} dead letters${by === '' ? '' : `: ${by}`}${more}${others}\n`);
}
