/** Deliberate mistakes in our own way of producing, the scene that shows each, and what its judge must name. */
import type { Mistake } from './copy.ts';
import type { ProducingInvariant } from './producing-judge.ts';

export interface ProducingMutant extends Mistake {
  readonly scene: string;
  /** Each of them must be among the violations. */
  readonly caughtBy: readonly ProducingInvariant[];
  /** What the violations say, so that the mistake shows and no other one. */
  readonly says: RegExp;
}

const PRODUCER = 'src/adapters/kafka/produce/idempotent-producer.ts';
const SEQUENCES = 'src/adapters/kafka/produce/sequences.ts';
const GATHERING = 'src/adapters/kafka/produce/request-merging.ts';
const PRODUCERS = 'src/adapters/kafka/produce/producers.ts';
const ACCUMULATOR = 'src/stages/delivery/accumulator.ts';

const OUT_OF_ORDER = /left behind: .*out of order sequence/;
const TWICE = /rows came twice/;
const LOST = /is acknowledged, and not in partition/;
/** What each attempt sends, in the shipped code. */
const ATTEMPT = 'const answer = await send(through, part, onSending);';
const attempting = (part: string): string => `const answer = await send(through, ${part}, onSending);`;
const PASSED = 'sequences.passed(partition, sequence, to - from);';

export const PRODUCING_MUTANTS: readonly ProducingMutant[] = [
  {
    what: 'pass a sequence although its send failed',
    scene: 'refusedForGood',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [
      {
        file: PRODUCER,
        find: '          } catch (thrown) {\n            if (!isRepeated',
        replace: `          } catch (thrown) {\n            ${PASSED}\n            if (!isRepeated`,
      },
    ],
  },
  {
    what: 'pass a sequence when its request is made',
    scene: 'refusedForGood',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [
      {
        file: PRODUCER,
        find: 'const sequence = sequences.next(partition);',
        replace: `const sequence = sequences.next(partition);\n      ${PASSED}`,
      },
      {
        file: PRODUCER,
        find: `            ${PASSED}\n            return answer;`,
        replace: '            return answer;',
      },
      {
        file: PRODUCER,
        find: `            ${PASSED}\n            return 'already';`,
        replace: `            return 'already';`,
      },
    ],
  },
  {
    what: 'never pass a sequence',
    scene: 'refusedForGood',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [
      {
        file: SEQUENCES,
        find: 'this.byPartition.set(partition, (sequence + records) % SEQUENCES);',
        replace: 'void records;',
      },
    ],
  },
  {
    what: 'repeat an attempt under a new sequence',
    scene: 'answersLost',
    caughtBy: ['I3'],
    says: TWICE,
    edits: [
      { file: PRODUCER, find: 'let isSent = false;', replace: 'let isSent = false;\n      let tried = 0;' },
      {
        file: PRODUCER,
        find: `            ${ATTEMPT}\n            ${PASSED}`,
        replace: `            const again = { ...part, sequence: sequence + tried++ * (to - from) };
            ${attempting('again')}
            sequences.passed(partition, sequence, again.sequence - sequence + to - from);`,
      },
    ],
  },
  {
    what: 'repeat an attempt under a new producer id',
    scene: 'answersLost',
    caughtBy: ['I3'],
    says: TWICE,
    edits: [
      {
        file: PRODUCER,
        find: ATTEMPT,
        replace: `if (isRepeated) await this.renewed();
            const answer = await send(isRepeated ? (gathering as RequestMerger) : through, part, onSending);`,
      },
      {
        file: PRODUCER,
        find: '        async attempt() {',
        replace: `        async renewed() {
          const broker = await cluster.brokerPool.findConnectedBroker();
          const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: TRANSACTION_TIMEOUT_MS });
          const producer = batchProducer(producerId, producerEpoch, false);
          gathering = new RequestMerger({ clientId, transactionalId: null, timeoutMs: options.replicasMs, producer }, deps.buffers);
        },
        async attempt() {`,
      },
    ],
  },
  {
    what: 'leave out the last row when an attempt is repeated',
    scene: 'leaderMoves',
    caughtBy: ['I1'],
    says: LOST,
    edits: [{ file: PRODUCER, find: ATTEMPT, replace: attempting('isRepeated ? { ...part, to: to - 1 } : part') }],
  },
  {
    what: 'begin a row later when an attempt is repeated',
    scene: 'leaderMoves',
    caughtBy: ['I1'],
    says: LOST,
    edits: [{ file: PRODUCER, find: ATTEMPT, replace: attempting('isRepeated ? { ...part, from: from + 1 } : part') }],
  },
  {
    what: 'stamp rows anew when an attempt is repeated',
    scene: 'leaderMoves',
    caughtBy: ['S3'],
    says: /nobody gave/,
    edits: [
      {
        file: PRODUCER,
        find: ATTEMPT,
        replace: `if (isRepeated) for (let i = from; i < to; i++) rows.timestamps[i] += 1;\n            ${ATTEMPT}`,
      },
    ],
  },
  {
    what: 'repeat an attempt with rows of the one before',
    scene: 'leaderMoves',
    caughtBy: ['I1', 'S3'],
    says: /nobody gave/,
    edits: [
      {
        file: PRODUCER,
        find: ATTEMPT,
        replace: `if (isRepeated) {
              for (let i = from + 1; i < to; i++) {
                rows.valueStart[i] = rows.valueStart[from];
                rows.valueEnd[i] = rows.valueEnd[from];
              }
            }
            ${ATTEMPT}`,
      },
    ],
  },
  {
    what: 'share sequences between partitions',
    scene: 'partitionsTogether',
    caughtBy: ['I8'],
    says: /is not at sequence/,
    edits: [
      { file: SEQUENCES, find: 'this.byPartition.get(partition) ?? 0', replace: 'this.byPartition.get(0) ?? 0' },
      { file: SEQUENCES, find: 'this.byPartition.set(partition, ', replace: 'this.byPartition.set(0, ' },
    ],
  },
  {
    what: 'share sequences between partitions, and not look at what is passed',
    scene: 'partitionsTogether',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [
      { file: SEQUENCES, find: 'this.byPartition.get(partition) ?? 0', replace: 'this.byPartition.get(0) ?? 0' },
      { file: SEQUENCES, find: 'this.byPartition.set(partition, ', replace: 'this.byPartition.set(0, ' },
      { file: SEQUENCES, find: 'if (sequence !== this.next(partition))', replace: 'if (sequence < 0)' },
    ],
  },
  {
    what: 'make a producer for every call',
    scene: 'partitionsTogether',
    caughtBy: ['S2'],
    says: / producers wrote/,
    edits: [
      {
        file: PRODUCERS,
        find: 'if (current === undefined || current.poisoned) current = open();',
        replace: 'current = open();',
      },
    ],
  },
  {
    what: 'take the answer of another partition for its own',
    scene: 'oneRefusedBeside',
    caughtBy: ['I1'],
    says: LOST,
    edits: [
      {
        file: GATHERING,
        find: `acknowledged.filter(
          ({ topicName, partition }) => topicName === part.topic && partition === part.partition,
        );`,
        replace: 'acknowledged.slice(0, 1).map((each) => ({ ...each, partition: part.partition }));',
      },
    ],
  },
  {
    what: 'send what comes next before what went before has its answer',
    scene: 'oneAfterTheOther',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [{ file: ACCUMULATOR, find: '    if (this.sending) return;\n', replace: '' }],
  },
  {
    what: 'count sequences on behind the last one',
    scene: 'lastSequence',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [{ file: SEQUENCES, find: '(sequence + records) % SEQUENCES', replace: 'sequence + records' }],
  },
  {
    what: 'begin again one sequence too early',
    scene: 'lastSequence',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [{ file: SEQUENCES, find: 'const SEQUENCES = 2 ** 31;', replace: 'const SEQUENCES = 2 ** 31 - 1;' }],
  },
  {
    what: 'begin again at 0 in the middle of a batch',
    scene: 'lastSequence',
    caughtBy: ['S2'],
    says: OUT_OF_ORDER,
    edits: [
      {
        file: SEQUENCES,
        find: '(sequence + records) % SEQUENCES',
        replace: 'sequence + records < SEQUENCES ? sequence + records : 0',
      },
    ],
  },
];
