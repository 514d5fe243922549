import type { Clock } from '../../../kernel/clock.ts';
import type { KafkaLogin } from '../../../kernel/connections/login.ts';
import type { TlsSettings } from '../../../kernel/connections/tls.ts';
import { logIn } from './login.ts';
import { notKafka, openTalk } from './talk.ts';
import { type ProbeReader, ProbeWriter } from './wire.ts';

/** A topic as described by one broker. */
export interface ProbedTopic {
  readonly name: string;
  /** A code of the protocol; 0: it is there. */
  readonly error: number;
  readonly partitions: readonly { readonly partition: number; readonly leader: number }[];
  /** What this user may do with it, a bit an operation; undefined where the broker does not say. */
  readonly may: number | undefined;
}

export interface ProbedCluster {
  readonly brokers: readonly { readonly nodeId: number; readonly address: string }[];
  readonly topics: readonly ProbedTopic[];
}

export interface ProbedGroup {
  readonly error: number;
  /** Such as Empty, Stable, PreparingRebalance; Dead: there is none yet. */
  readonly state: string;
  readonly protocolType: string;
  readonly members: number;
  readonly may: number | undefined;
}

/** One connection to one broker, for inspecting it. */
export interface BrokerProbe {
  /** When its certificate ends; undefined without TLS. */
  readonly certificateEndsMs: number | undefined;
  /** Never makes a topic. */
  cluster(topics: readonly string[]): Promise<ProbedCluster>;
  /** The address of the group's coordinator, or the code of why there is none. */
  coordinator(group: string): Promise<{ readonly error: number; readonly address: string }>;
  /** Asked of its coordinator. */
  group(group: string): Promise<ProbedGroup>;
  /** Of partitions that this broker leads: those with a record dated at this time or later. */
  datedFrom(topic: string, partitions: readonly number[], timestampMs: number): Promise<readonly number[]>;
  close(): void;
}

const METADATA = 3;
const LIST_OFFSETS = 2;
const FIND_COORDINATOR = 10;
const DESCRIBE_GROUPS = 15;
const API_VERSIONS = 18;
const NOT_TOLD = -(2 ** 31);

export interface ProbeOptions {
  readonly address: string;
  readonly clientId: string;
  readonly timeoutMs: number;
  readonly ssl?: TlsSettings | undefined;
  readonly sasl?: KafkaLogin | undefined;
}

/**
 * Connects to one broker and asks what it supports. Rejects with the cause in words: refused, unknown name, no answer, not Kafka.
 *
 * It does not use the client, because the client retries with other brokers and reports that all are down, whereas the question
 * here is what one address answers. TLS and login are those of the pipeline; a failure of either is a `SluiceError`.
 */
export async function probeBroker(clock: Clock, options: ProbeOptions): Promise<BrokerProbe> {
  const { address, ssl, sasl } = options;
  const talk = await openTalk(clock, options);
  let versions: ReadonlyMap<number, number>;
  try {
    const answer = await talk.ask(API_VERSIONS, 0, new ProbeWriter());
    if (answer.int16() !== 0) throw new RangeError('refused');
    versions = new Map(
      answer.list(() => {
        const key = answer.int16();
        answer.int16();
        return [key, answer.int16()] as const;
      }),
    );
    if (!versions.has(METADATA)) throw new RangeError('no metadata');
    if (sasl !== undefined) await logIn(talk, sasl, address);
  } catch (thrown) {
    talk.close();
    throw thrown instanceof RangeError ? new Error(notKafka(ssl)) : thrown;
  }
  const atMost = (key: number, version: number): number => Math.min(version, versions.get(key) ?? version);

  return {
    certificateEndsMs: talk.certificateEndsMs,
    async cluster(topics) {
      const version = atMost(METADATA, 8) >= 8 ? 8 : 4;
      const question = new ProbeWriter().list(topics, (topic, into) => into.text(topic));
      question.int8(0);
      if (version === 8) question.int8(0).int8(1);
      return readCluster(await talk.ask(METADATA, version, question), version);
    },
    async coordinator(group) {
      const answer = await talk.ask(FIND_COORDINATOR, 2, new ProbeWriter().text(group).int8(0));
      answer.int32();
      const error = answer.int16();
      answer.text();
      answer.int32();
      const found = answer.text();
      return { error, address: `${found}:${answer.int32()}` };
    },
    async group(group) {
      const version = atMost(DESCRIBE_GROUPS, 3) >= 3 ? 3 : 2;
      const question = new ProbeWriter().list([group], (each, into) => into.text(each));
      if (version === 3) question.int8(1);
      return readGroup(await talk.ask(DESCRIBE_GROUPS, version, question), version);
    },
    async datedFrom(topic, partitions, timestampMs) {
      const question = new ProbeWriter().int32(-1).int8(0).int32(1).text(topic);
      question.list(partitions, (partition, into) => into.int32(partition).int64(timestampMs));
      const answer = await talk.ask(LIST_OFFSETS, 2, question);
      answer.int32();
      return answer
        .list(() => {
          answer.text();
          return answer.list(() => {
            const partition = answer.int32();
            const error = answer.int16();
            answer.int64();
            const offset = answer.int64();
            return { partition, found: error === 0 && offset >= 0 };
          });
        })
        .flat()
        .flatMap(({ partition, found }) => (found ? [partition] : []));
    },
    close: talk.close,
  };
}

function readCluster(answer: ProbeReader, version: number): ProbedCluster {
  answer.int32();
  const brokers = answer.list(() => {
    const nodeId = answer.int32();
    const address = `${answer.text()}:${answer.int32()}`;
    answer.text();
    return { nodeId, address };
  });
  answer.text();
  answer.int32();
  const topics = answer.list((): ProbedTopic => {
    const error = answer.int16();
    const name = answer.text();
    answer.int8();
    const partitions = answer.list(() => {
      answer.int16();
      const partition = answer.int32();
      const leader = answer.int32();
      if (version >= 7) answer.int32();
      for (let lists = version >= 5 ? 3 : 2; lists > 0; lists--) answer.list(() => answer.int32());
      return { partition, leader };
    });
    return { name, error, partitions, may: version >= 8 ? told(answer.int32()) : undefined };
  });
  return { brokers, topics };
}

function readGroup(answer: ProbeReader, version: number): ProbedGroup {
  answer.int32();
  const [group] = answer.list((): ProbedGroup => {
    const error = answer.int16();
    answer.text();
    const state = answer.text();
    const protocolType = answer.text();
    answer.text();
    const members = answer.list(() => {
      for (let texts = 0; texts < 3; texts++) answer.text();
      answer.skipBytes();
      answer.skipBytes();
    });
    const may = version >= 3 ? told(answer.int32()) : undefined;
    return { error, state, protocolType, members: members.length, may };
  });
  if (group === undefined) throw new RangeError('an answer without the group that was asked for');
  return group;
}

function told(operations: number): number | undefined {
  return operations === NOT_TOLD ? undefined : operations;
}
