import { connect, type Socket } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';
import { ProbeReader, ProbeWriter } from './probe-wire.ts';

/** A topic as one broker tells it. */
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

/** One connection to one broker, for looking at it. */
export interface BrokerProbe {
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
/** Longer than any answer that a look at a few topics can have. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const NOT_KAFKA = 'what answers there does not speak plain Kafka: a listener with TLS, or another service';

/**
 * Connects to one broker and asks what it can do. Rejects with the cause in words: refused, unknown name, no answer, no Kafka.
 *
 * Of its own, and not over the client: the client tries again, elsewhere, and says that all brokers are away, where the
 * question is what one address answers. Limit: connections without TLS and SASL, as are Sluice's.
 */
export async function probeBroker(
  clock: Clock,
  { address, clientId, timeoutMs }: { readonly address: string; readonly clientId: string; readonly timeoutMs: number },
): Promise<BrokerProbe> {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  const talk = await openTalk(clock, host.replace(/^\[|\]$/g, ''), Number(port), clientId, timeoutMs);
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
  } catch (thrown) {
    talk.close();
    throw thrown instanceof RangeError ? new Error(NOT_KAFKA) : thrown;
  }
  const atMost = (key: number, version: number): number => Math.min(version, versions.get(key) ?? version);

  return {
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

interface Talk {
  /** The body of the answer. One question at a time. */
  ask(key: number, version: number, question: ProbeWriter): Promise<ProbeReader>;
  close(): void;
}

async function openTalk(clock: Clock, host: string, port: number, clientId: string, timeoutMs: number): Promise<Talk> {
  const socket = connect({ host, port, noDelay: true });
  let received = Buffer.alloc(0);
  let wake: () => void = () => undefined;
  let ended: Error | undefined;
  const end = (why: Error): void => {
    ended ??= why;
    wake();
  };
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => end(new Error(inWords(error, host))));
  socket.on('close', () => end(new Error(`it hung up: ${NOT_KAFKA}`)));

  /** Waits until there is something to see, or it is certain that there never will be. */
  async function until<Seen>(look: () => Seen | undefined): Promise<Seen> {
    const timer = clock.after(timeoutMs, () => end(new Error(`no answer within ${timeoutMs} ms`)));
    try {
      for (;;) {
        const seen = look();
        if (seen !== undefined) return seen;
        if (ended !== undefined) throw ended;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      timer.cancel();
    }
  }

  let number = 0;
  const talk: Talk = {
    async ask(key, version, question) {
      number++;
      const body = new ProbeWriter().int16(key).int16(version).int32(number).text(clientId).bytes();
      const message = Buffer.concat([body, question.bytes()]);
      socket.write(Buffer.concat([new ProbeWriter().int32(message.length).bytes(), message]));
      const bytes = await until(() => {
        if (received.length < 8) return undefined;
        const size = received.readInt32BE(0);
        if (size < 4 || size > MAX_ANSWER_BYTES || received.readInt32BE(4) !== number) throw new RangeError(NOT_KAFKA);
        if (received.length < 4 + size) return undefined;
        const whole = received.subarray(8, 4 + size);
        received = received.subarray(4 + size);
        return whole;
      });
      return new ProbeReader(bytes);
    },
    close: () => void socket.destroy(),
  };
  try {
    await until(() => connected(socket));
  } catch (thrown) {
    talk.close();
    throw thrown;
  }
  return talk;

  function connected(opening: Socket): true | undefined {
    if (opening.readyState === 'open') return true;
    opening.once('connect', () => wake());
    return undefined;
  }
}

function inWords({ code = '', message }: NodeJS.ErrnoException, host: string): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: `there is no host ${host}`,
    EAI_AGAIN: `the name ${host} cannot be resolved`,
    ECONNRESET: `it hung up: ${NOT_KAFKA}`,
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    ETIMEDOUT: 'no answer',
  };
  return known[code] ?? message;
}
