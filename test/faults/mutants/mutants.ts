/** Deliberate mistakes in shipped code, and the invariants that the ledger must name for each. */
import type { Mistake } from './copy.ts';

export interface FaultMutant extends Mistake {
  readonly scenario: string;
  /** Each of them must be among the violations. */
  readonly caughtBy: readonly string[];
}

const SINK = 'src/adapters/kafka/sink.ts';
const STOCK = 'src/adapters/kafka/produce/stock-producer.ts';
const ACCUMULATOR = 'src/stages/delivery/accumulator.ts';
const WATERMARK = 'src/offsets/watermark.ts';
const COMMITTER = 'src/adapters/kafka/group/committer.ts';
const AVRO_ENCODER = 'src/codecs/avro/encoder.ts';
const HANDOVER = 'src/adapters/kafka/group/handover.ts';

export const MUTANTS: readonly FaultMutant[] = [
  {
    what: 'commit the highest offset seen',
    scenario: 'deadSink',
    caughtBy: ['I1', 'I4'],
    edits: [
      {
        file: WATERMARK,
        find: '    queue.frames.push(frame);\n',
        replace: '    queue.frames.push(frame);\n    queue.watermark = frame.nextOffset;\n',
      },
    ],
  },
  {
    what: 'commit before the ack',
    scenario: 'deadSink',
    caughtBy: ['I1', 'I4'],
    edits: [
      {
        file: ACCUMULATOR,
        find: '    try {\n      await persist(',
        replace: '    this.options.onAcknowledged(chunk);\n    try {\n      await persist(',
      },
      { file: ACCUMULATOR, find: '    this.options.onAcknowledged(chunk);\n    // A call', replace: '    // A call' },
    ],
  },
  {
    what: 'ignore the epoch',
    scenario: 'lateCompletion',
    caughtBy: ['I4', 'I6'],
    edits: [
      { file: WATERMARK, find: 'this.queues.delete(origin);', replace: 'void origin;' },
      {
        file: COMMITTER,
        find: '          const lane = lanes.ofOrigin(origin);\n          if (lane',
        replace:
          '          const [any] = lanes.all();\n          const lane = lanes.ofOrigin(origin) ?? (any && { ...any, origin, stored: Number.NaN });\n          if (lane',
      },
    ],
  },
  {
    what: 'drop when the queue is full',
    scenario: 'backlog',
    caughtBy: ['I1'],
    edits: [
      {
        file: HANDOVER,
        find: 'if (!(await takeCredit(group, next.count, next.bytes))) return;',
        replace:
          'void takeCredit; if (!credit.tryTake(next.count, next.bytes)) { from = next.to; await nextTurn(); continue; }',
      },
    ],
  },
  {
    what: 'let NaN through',
    scenario: 'plain',
    caughtBy: ['I2'],
    edits: [
      {
        file: 'src/features/predictions.ts',
        find: 'x !== 0) {`,',
        replace: 'x === Infinity) {`,',
      },
      // The encoder would refuse it, too.
      {
        file: AVRO_ENCODER,
        find: '[i]) !== v`, numberCode(type)),',
        replace: '[i]) === Infinity`, numberCode(type)),',
      },
      {
        file: AVRO_ENCODER,
        find: 'v = Math.fround(v);\\nif (v - v !== 0) ',
        replace: 'v = Math.fround(v);\\nif (v === Infinity) ',
      },
    ],
  },
  {
    what: 'treat a failed dead-letter send as done',
    scenario: 'deadLetterTopicDown',
    caughtBy: ['I1', 'I4'],
    edits: [
      {
        file: ACCUMULATOR,
        find: 'return sink.send(topic, partition, chunk.rows);',
        replace: `return sink.send(topic, partition, chunk.rows).catch((e) => { if (topic !== 'dead') throw e; });`,
      },
    ],
  },
  {
    what: 'send several partitions in one kafkajs call while a leader moves',
    scenario: 'movingLeaders',
    caughtBy: ['I1'],
    edits: [
      { file: SINK, find: "path === 'stock'", replace: 'true' },
      {
        file: STOCK,
        find: '(await producer.send({ topic, messages, acks: -1, timeout: replicasMs })).map(acknowledged)',
        replace: 'together(producer, topic, messages)',
      },
      {
        file: SINK,
        find: "if (answer !== 'already') await judge(topic, partition, answer, wasSent);",
        replace: 'void judge;',
      },
      {
        file: STOCK,
        find: 'function acknowledged(',
        replace: `const gathering = new Map();
function together(producer, topic, messages) {
  let call = gathering.get(topic);
  if (call === undefined) {
    call = { messages: [] };
    call.done = new Promise((resolve) => {
      call.go = resolve;
      setTimeout(resolve, 1_000);
    }).then(() => {
      gathering.delete(topic);
      return producer.send({ topic, messages: call.messages, acks: -1 });
    });
    gathering.set(topic, call);
  }
  call.messages.push(...messages);
  if (new Set(call.messages.map(({ partition }) => partition)).size === 3) call.go();
  return call.done;
}

function acknowledged(`,
      },
      { file: STOCK, find: 'retry: { retries: isKnown ? Number.NaN : 1 },', replace: 'retry: { retries: 5 },' },
    ],
  },
  {
    what: 'let something else go through the producer of an abandoned idempotent send',
    scenario: 'lostAnswer',
    caughtBy: ['I1'],
    edits: [
      { file: SINK, find: '        lease.poison();\n', replace: '' },
      {
        file: 'src/adapters/kafka/produce/acknowledgement.ts',
        find: `  if (!sent.logAppendTime && !sent.repeated && logAppendTime !== '-1') return 'taken for a duplicate and not written';\n`,
        replace: '',
      },
      {
        // What failed goes behind what waits.
        file: ACCUMULATOR,
        find: `() => {
        calls++;
        return sink.send(topic, partition, chunk.rows);
      });`,
        replace: `async () => undefined);
      try {
        await sink.send(topic, partition, chunk.rows);
      } catch {
        if (this.open !== undefined) this.close();
        this.full.push(chunk);
        return;
      }`,
      },
    ],
  },
];
