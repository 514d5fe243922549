import { SluiceError } from '../../kernel/errors.ts';

/** A place in the dead-letter topic. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** Parses PARTITION:OFFSET, as `dlq list` prints it; `what` names the option or argument. */
export function placeOf(what: string, text: string): Place {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,15})$/.exec(text) ?? [];
  if (offset !== undefined) return { partition: Number(partition), offset: Number(offset) };
  throw new SluiceError(
    'usage-invalid',
    `${what}: "${text}" is not PARTITION:OFFSET, such as 0:12; \`dlq list\` has them`,
  );
}

export function placeText({ partition, offset }: Place): string {
  return `${partition}:${offset}`;
}
