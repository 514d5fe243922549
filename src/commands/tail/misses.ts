import { didYouMean } from '../../documents/did-you-mean.ts';
import type { Extent, LogRecord } from '../../ports/topic-log.ts';
import { extentText } from '../look/bounds.ts';
import type { Where } from './where.ts';

/** Explains why nothing is shown: an empty topic looks like a filter without matches. */
export interface Misses {
  seen(record: LogRecord, value: unknown): void;
  say(shown: number, extents: ReadonlyMap<number, Extent>): string | undefined;
}

const MAX_NAMES = 30;

export function createMisses(topic: string, where: readonly Where[]): Misses {
  let records = 0;
  const absent = new Set(where);
  const fields = new Set<string>();
  const headers = new Set<string>();

  function named({ path, isHeader, text }: Where): string {
    const known = [...(isHeader ? headers : fields)];
    const what = isHeader ? 'header' : 'field';
    const there = known.length === 0 ? `they have no ${what}s` : `there are ${known.join(', ')}`;
    return `--where ${text}: no record has a ${what} "${path.join('.')}"${didYouMean(path[0], known) || ';'} ${there}`;
  }

  return {
    seen(record, value) {
      records++;
      for (const each of absent) if (each.isIn(record, value)) absent.delete(each);
      if (absent.size === 0) return;
      if (typeof value === 'object' && value !== null && fields.size < MAX_NAMES) {
        for (const name of Object.keys(value).slice(0, MAX_NAMES)) fields.add(name);
      }
      if (headers.size < MAX_NAMES) for (const { name } of record.headers.slice(0, MAX_NAMES)) headers.add(name);
    },
    say(shown, extents) {
      if (shown > 0) return undefined;
      if (records === 0) {
        const there = [...extents].map(([partition, extent]) => `${topic}/${partition} ${extentText(extent)}`);
        return `nothing to show from that place on: ${there.join(', ')}; --from earliest shows everything`;
      }
      if (absent.size > 0) return [...absent].map(named).join('\n');
      return `none of ${records} records matches; --from earliest searches everything`;
    },
  };
}
