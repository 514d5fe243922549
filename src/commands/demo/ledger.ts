import type { EmbeddedBroker } from '../../devstack/kafka/broker.ts';
import { readRecords } from './records.ts';

/** What became of the inputs, read from the topics themselves. */
export interface Ledger {
  readonly inputs: number;
  readonly outputs: number;
  readonly deadLetters: number;
  /** Inputs that no output or dead letter names. */
  readonly missing: number;
  /** Outputs and dead letters beyond the first of their input. */
  readonly duplicates: number;
}

/**
 * Reads the logs of the embedded broker with a reader that shares no code with the path, and holds every input offset
 * against the `sluice-source` headers of the outputs and the `__dlq.errors.*` headers of the dead letters.
 */
export function readLedger(
  broker: EmbeddedBroker,
  topics: { readonly inputs: readonly string[]; readonly output: string; readonly deadLetter: string },
): Ledger {
  const answers = new Map<string, number>();
  let outputs = 0;
  let deadLetters = 0;
  for (const headers of headersOf(broker, topics.output)) {
    outputs++;
    count(answers, headers.get('sluice-source') ?? 'nowhere');
  }
  for (const headers of headersOf(broker, topics.deadLetter)) {
    deadLetters++;
    const part = (name: string): string => headers.get(`__dlq.errors.${name}`) ?? '';
    count(answers, `${part('topic')}/${part('partition')}/${part('offset')}`);
  }
  let inputs = 0;
  let missing = 0;
  for (const topic of topics.inputs) {
    broker.endOffsets(topic).forEach((end, partition) => {
      inputs += end;
      for (let offset = 0; offset < end; offset++) if (!answers.has(`${topic}/${partition}/${offset}`)) missing++;
    });
  }
  let duplicates = 0;
  for (const times of answers.values()) duplicates += times - 1;
  return { inputs, outputs, deadLetters, missing, duplicates };
}

function count(answers: Map<string, number>, source: string): void {
  answers.set(source, (answers.get(source) ?? 0) + 1);
}

function* headersOf(broker: EmbeddedBroker, topic: string): Generator<ReadonlyMap<string, string>> {
  const partitions = broker.endOffsets(topic).length;
  for (let partition = 0; partition < partitions; partition++) {
    for (const batch of broker.read(topic, partition)) {
      for (const { headers } of readRecords(batch)) {
        yield new Map(headers.map(({ name, value }) => [name, value?.toString('utf8') ?? '']));
      }
    }
  }
}

/** True when nothing was answered twice and, where the stream was followed to its end, nothing is missing. */
export function sound(ledger: Ledger, whole: boolean): boolean {
  return ledger.duplicates === 0 && (!whole || ledger.missing === 0);
}

export function describeLedger({ inputs, outputs, deadLetters, missing, duplicates }: Ledger): string {
  const n = (value: number): string => value.toLocaleString('en');
  const unread = missing === 0 ? 'every input exactly once' : `${n(missing)} inputs not read yet or lost`;
  const twice = duplicates === 0 ? '' : `, ${n(duplicates)} DUPLICATES`;
  return `ledger, read from the topics: ${n(inputs)} inputs = ${n(outputs)} outputs + ${n(deadLetters)} dead letters; ${unread}${twice}`;
}
