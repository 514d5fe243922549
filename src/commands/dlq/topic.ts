import { createTopicLog } from '../../adapters/kafka/topic-log.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Extent, Range, TopicLog, Visit } from '../../ports/topic-log.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';
import { type Letter, letterOf } from '../look/dead-letter.ts';
import { readTopology } from '../prepare.ts';
import { kafkaConnection } from '../world/kafka-connection.ts';

/** The dead-letter topic of a topology, opened for reading. */
export interface DeadLetterTopic {
  readonly topology: Topology;
  readonly name: string;
  readonly log: TopicLog;
  readonly telemetry: Telemetry;
  /** How to reach the brokers, for sending. */
  readonly connection: {
    readonly brokers: readonly string[];
    readonly clientId: string;
    readonly debugProtocolBuffers: boolean;
  };
  extents(): Promise<readonly Extent[]>;
  /** Letters in [from, to) of a partition, in order; returns the end offset. Other systems' records are counted in `strangers`. */
  letters(partition: number, range: Range, visit: Visit<Letter>): Promise<number>;
  readonly strangers: number;
}

/** Opens the topic, runs `work`, closes it. */
export async function withDeadLetters<T>(
  file: string,
  io: Io,
  work: (topic: DeadLetterTopic) => Promise<T>,
): Promise<T> {
  const { clock, random, env } = io;
  const topology = readTopology(file, env);
  const { kafka } = topology.connections;
  if (kafka === undefined) {
    throw new SluiceError('topology-invalid', `${file} names no connections.kafka: its dead letters are in no topic`);
  }
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'warn', pretty: true }) });
  const connection = kafkaConnection(kafka, telemetry, io);
  const log = createTopicLog({ clock, random, telemetry }, connection);
  const name = topology.deadLetter.topic;
  let strangers = 0;
  try {
    return await work({
      topology,
      name,
      log,
      telemetry,
      connection,
      extents: () => log.extents(name),
      letters: (partition, range, visit) =>
        log.read(name, partition, range, (record) => {
          const letter = letterOf(record);
          if (letter !== undefined) return visit(letter);
          strangers++;
          return true;
        }),
      get strangers() {
        return strangers;
      },
    });
  } finally {
    await log.close();
  }
}
