import { SluiceError } from '../../kernel/errors.ts';

/** A record of a topic. */
export interface Address {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** TOPIC:PARTITION:OFFSET, or with slashes as in `sluice-source`; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const [, topic, , partition, offset] = /^([\w.-]{1,249})([:/])(\d{1,9})\2(\d{1,16})$/.exec(text) ?? [];
  return offset === undefined ? undefined : { topic, partition: Number(partition), offset: Number(offset) };
}

export function addressText({ topic, partition, offset }: Address): string {
  return `${topic}:${partition}:${offset}`;
}

/** Splits the arguments into a topology, which comes first or by `--topology`, and an address. */
export function splitWords(
  words: readonly string[],
  option: string | undefined,
  needsAddress: boolean,
): { readonly topology: string; readonly at: Address | undefined } {
  const addresses = words.flatMap((word) => parseAddress(word) ?? []);
  const files = words.filter((word) => parseAddress(word) === undefined);
  const topology = option ?? files[0];
  if (files.length > (option === undefined ? 1 : 0)) {
    const wrong = files[option === undefined ? 1 : 0];
    throw new SluiceError(
      'usage-invalid',
      `"${wrong}" is not TOPIC:PARTITION:OFFSET, such as flights.departed:0:12; \`sluice tail\` shows them`,
    );
  }
  if (topology === undefined) {
    throw new SluiceError('usage-invalid', 'which pipeline? give its topology file first, or by --topology FILE');
  }
  if (addresses.length > 1) throw new SluiceError('usage-invalid', 'one record at a time: give one address');
  if (needsAddress && addresses.length === 0) {
    throw new SluiceError(
      'usage-invalid',
      'which record? give TOPIC:PARTITION:OFFSET of an input, an output or a dead letter, or --input FILE --line N',
    );
  }
  return { topology, at: addresses[0] };
}
