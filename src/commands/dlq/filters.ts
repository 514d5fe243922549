import { SluiceError } from '../../kernel/errors.ts';
import { REASONS } from '../../kernel/fate.ts';
import type { Letter } from '../look/dead-letter.ts';
import { momentOf } from '../look/moment.ts';

/** Filters as given on the command line. */
export interface FilterOptions {
  readonly reason?: string | undefined;
  readonly stage?: string | undefined;
  readonly source?: string | undefined;
  readonly partition?: number | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly model?: string | undefined;
  readonly key?: string | undefined;
  readonly attempts?: number | undefined;
}

export type Filter = (letter: Letter) => boolean;

/**
 * All given filters must match. Times refer to when Sluice first saw the record, `first-seen`.
 * Throws `usage-invalid` for a filter that makes no sense.
 */
export function filterOf(options: FilterOptions, nowMs: number): Filter {
  const all: Filter[] = [];
  if (options.reason !== undefined) {
    const reasons = new Set(options.reason.split(',').map((each) => each.trim()));
    for (const reason of reasons) checkReason(reason);
    all.push((letter) => reasons.has(letter.reason));
  }
  if (options.source !== undefined) all.push(sourceFilter(options.source));
  const { stage, partition, model, key, attempts } = options;
  if (stage !== undefined) all.push((letter) => letter.stage === stage);
  if (partition !== undefined) all.push((letter) => letter.partition === partition);
  if (model !== undefined) all.push((letter) => letter.model.startsWith(model));
  if (key !== undefined) all.push((letter) => letter.record.key?.toString('utf8') === key);
  if (attempts !== undefined) all.push((letter) => letter.attempts >= attempts);
  if (options.since !== undefined) {
    const sinceMs = momentOf('--since', options.since, nowMs);
    all.push((letter) => Date.parse(letter.firstSeen) >= sinceMs);
  }
  if (options.until !== undefined) {
    const untilMs = momentOf('--until', options.until, nowMs);
    all.push((letter) => Date.parse(letter.firstSeen) < untilMs);
  }
  return (letter) => all.every((holds) => holds(letter));
}

/** True if there are no filters: all letters match. */
export function isEverything(options: FilterOptions): boolean {
  return Object.values(options).every((value) => value === undefined);
}

function checkReason(reason: string): void {
  if ((REASONS as readonly string[]).includes(reason) && reason !== 'none') return;
  throw new SluiceError('usage-invalid', `--reason: "${reason}" is no reason; one of ${REASONS.slice(1).join(', ')}`);
}

/** TOPIC, TOPIC/PARTITION, TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/FROM-TO, both inclusive. */
function sourceFilter(text: string): Filter {
  const [, topic, partition, from, to] = /^([^/]+)(?:\/(\d+)(?:\/(\d+)(?:-(\d+))?)?)?$/.exec(text) ?? [];
  if (topic === undefined) {
    throw new SluiceError(
      'usage-invalid',
      `--source: "${text}" is not TOPIC, TOPIC/PARTITION, TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/FROM-TO`,
    );
  }
  return ({ source }) =>
    source.topic === topic &&
    (partition === undefined || source.partition === Number(partition)) &&
    (from === undefined || (source.offset >= Number(from) && source.offset <= Number(to ?? from)));
}
