import type { plainRecord } from '../look/show.ts';
import type { Described } from './describe.ts';
import type { Searched } from './published.ts';

/** Everything known about a record, from its bytes to what was published. */
export interface Explained extends Described {
  /** TOPIC:PARTITION:OFFSET, or FILE:LINE. */
  readonly place: string;
  readonly record: Omit<ReturnType<typeof plainRecord>, 'value' | 'undecoded' | 'valueBase64'>;
  readonly via: readonly string[];
  readonly event: unknown;
  readonly undecoded: string | undefined;
  readonly let: Readonly<Record<string, number | readonly number[]>>;
  /** Why it is not published, naming the field or column. */
  readonly why: string;
  readonly deadLetterTopic: string;
  readonly searched: readonly Searched[];
}
