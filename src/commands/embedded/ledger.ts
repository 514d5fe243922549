import type { EmbeddedBroker } from '../../devstack/kafka/broker.ts';
import { offsetsOf, readRecords } from './records.ts';

/** What became of the inputs, according to the topics. */
export interface Ledger {
  readonly inputs: number;
  readonly outputs: number;
  readonly deadLetters: number;
  /** Inputs below the committed offsets that no output or dead letter names. */
  readonly lost: number;
  /** Inputs beyond the committed offsets without an answer: not processed yet. */
  readonly waiting: number;
  /** Outputs and dead letters after the first for the same input. */
  readonly duplicates: number;
}

/**
 * Reads the logs of the embedded broker with a reader that shares no code with the path, and matches every input offset with the
 * `sluice-source` headers of outputs and the `__dlq.errors.*` headers of dead letters. Records of open and aborted transactions
 * are ignored.
 */
export function readLedger(
  broker: EmbeddedBroker,
  topics: {
    readonly inputs: readonly string[];
    readonly output: string;
    readonly deadLetter: string;
    readonly group: string;
  },
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
  let lost = 0;
  let waiting = 0;
  const committed = broker.groupOffsets(topics.group);
  for (const topic of topics.inputs) {
    broker.endOffsets(topic).forEach((_, partition) => {
      const read = committed[topic]?.[partition] ?? 0;
      for (const offset of broker.committed(topic, partition).flatMap(offsetsOf)) {
        inputs++;
        if (answers.has(`${topic}/${partition}/${offset}`)) continue;
        if (offset < read) lost++;
        else waiting++;
      }
    });
  }
  let duplicates = 0;
  for (const times of answers.values()) duplicates += times - 1;
  return { inputs, outputs, deadLetters, lost, waiting, duplicates };
}

function count(answers: Map<string, number>, source: string): void {
  answers.set(source, (answers.get(source) ?? 0) + 1);
}

function* headersOf(broker: EmbeddedBroker, topic: string): Generator<ReadonlyMap<string, string>> {
  const partitions = broker.endOffsets(topic).length;
  for (let partition = 0; partition < partitions; partition++) {
    for (const batch of broker.committed(topic, partition)) {
      for (const { headers } of readRecords(batch)) {
        yield new Map(headers.map(({ name, value }) => [name, value?.toString('utf8') ?? '']));
      }
    }
  }
}

/** True if nothing was lost or answered twice and, if the stream was followed to its end, nothing is waiting. */
export function sound({ lost, waiting, duplicates }: Ledger, whole: boolean): boolean {
  return lost === 0 && duplicates === 0 && (!whole || waiting === 0);
}

export function describeLedger({ inputs, outputs, deadLetters, lost, waiting, duplicates }: Ledger): string {
  const n = (value: number): string => value.toLocaleString('en');
  const rest = waiting === 0 ? '' : ` + ${n(waiting)} that still wait in the topic, uncommitted`;
  const faults = [
    ...(lost === 0 ? [] : [`${n(lost)} LOST`]),
    ...(duplicates === 0 ? [] : [`${n(duplicates)} DUPLICATES`]),
  ];
  const verdict = faults.length > 0 ? faults.join(', ') : `every ${waiting === 0 ? 'input' : 'other'} exactly once`;
  return `ledger, read from the topics: ${n(inputs)} inputs = ${n(outputs)} outputs + ${n(deadLetters)} dead letters${rest}; ${verdict}`;
}
