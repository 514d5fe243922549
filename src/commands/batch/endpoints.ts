import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';

/** Where a batch reads from or writes to; `-` is a standard stream. */
export type End = { readonly kind: 'file'; readonly file: string } | { readonly kind: 'topic'; readonly topic: string };

export interface Ends {
  readonly input: End;
  readonly output: End;
}

/** The command-line options that name input and output. */
export interface EndOptions {
  readonly input: string;
  readonly output: string;
  readonly inputFormat?: string | undefined;
  readonly outputFormat?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly deadLetters?: string | undefined;
}

const PREFIX = 'kafka:';

/** Each end is a file or `kafka:TOPIC`; throws `usage-invalid` for options that contradict each other. */
export function parseEnds(options: EndOptions): Ends {
  const ends = { input: endOf('--input', options.input), output: endOf('--output', options.output) };
  const { input, output } = ends;
  for (const option of ['from', 'to'] as const) {
    if (options[option] === undefined || input.kind === 'topic') continue;
    throw wrong(
      `--${option} is a place in a topic, and --input is the file ${options.input}; leave it out, or give --input kafka:TOPIC`,
    );
  }
  for (const [option, end, format] of [
    ['--input-format', input, options.inputFormat],
    ['--output-format', output, options.outputFormat],
  ] as const) {
    if (format === undefined || end.kind === 'file') continue;
    throw wrong(`${option} ${format} is about a file; the values of topic ${end.topic} are as the topology says`);
  }
  if (input.kind === 'topic' && output.kind === 'topic' && input.topic === output.topic) {
    throw wrong(`--input and --output are the same topic, ${input.topic}; give each its own`);
  }
  if (options.deadLetters?.startsWith(PREFIX)) {
    throw wrong(
      `--dead-letters ${options.deadLetters}: dead letters of a batch go to a file; give --dead-letters FILE`,
    );
  }
  return ends;
}

function endOf(option: string, text: string): End {
  if (!text.startsWith(PREFIX)) return { kind: 'file', file: text };
  const topic = text.slice(PREFIX.length);
  if (/^[\w.-]{1,249}$/.test(topic)) return { kind: 'topic', topic };
  throw wrong(
    `${option} ${text}: "${topic}" is no name of a topic; give kafka:TOPIC, or ./${text} where a file is meant`,
  );
}

/** Checks that the topology can be used with topics as input or output. */
export function checkTopics({ input, output }: Ends, { file, connections, source, deadLetter }: Topology): void {
  const [first] = [input, output].flatMap((end) => (end.kind === 'topic' ? [end.topic] : []));
  if (first === undefined) return;
  if (connections.kafka === undefined) {
    throw new SluiceError('topology-invalid', `${file} names no connections.kafka, which kafka:${first} needs; add it`);
  }
  if (output.kind !== 'topic') return;
  const taken = [deadLetter.topic, ...source.topics].find((topic) => topic === output.topic);
  if (taken === undefined) return;
  const what = taken === deadLetter.topic ? 'topic of dead letters' : 'input';
  throw wrong(`--output kafka:${taken} is the ${what} of ${file}; give another topic, such as that of its output`);
}

function wrong(message: string): SluiceError {
  return new SluiceError('usage-invalid', message);
}

/** The end's name in messages. */
export function endText(end: End): string {
  return end.kind === 'file' ? end.file : `topic ${end.topic}`;
}
