import { misfitAt } from '../../adapters/kafka/probe/listener.ts';
import {
  type BrokerProbe,
  type ProbedCluster,
  type ProbedTopic,
  type ProbeOptions,
  probeBroker,
} from '../../adapters/kafka/probe/probe.ts';
import { type Clock, pause } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { checkEnd } from './certificates.ts';
import { type Diagnosis, note, ok, problem, warning } from './finding.ts';

export interface KafkaQuestions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Topics to read, and topics to write. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly group: string | undefined;
}

export interface KafkaWorld {
  readonly clock: Clock;
  readonly probe: (address: string) => Promise<BrokerProbe>;
}

/** Bits in the protocol's sets of authorized operations. */
const MAY_READ = 1 << 3;
const MAY_WRITE = 1 << 4;
const UNKNOWN_TOPIC = 3;
const TOPIC_REFUSED = 29;
const GROUP_REFUSED = 30;
const NO_COORDINATOR_YET = 15;
const COORDINATOR_TRIES = 6;
const COORDINATOR_PAUSE_MS = 500;
/** Records dated this far in the future mean that a clock is wrong, the producer's or ours. */
const FUTURE_MS = 60_000;
const TIMEOUT_MS = 5_000;

export function kafkaWorld(clock: Clock, connection: Pick<ProbeOptions, 'clientId' | 'ssl' | 'sasl'>): KafkaWorld {
  return {
    clock,
    async probe(address) {
      const options = { ...connection, address, timeoutMs: TIMEOUT_MS };
      const open = await probeBroker(clock, options).catch(async (thrown) => {
        throw (await misfitAt(clock, options)) ?? thrown;
      });
      // Brokers accept a client that has not logged in until its first real request.
      const misfit = connection.sasl === undefined ? await misfitAt(clock, options) : undefined;
      if (misfit === undefined) return open;
      open.close();
      throw misfit;
    },
  };
}

/** Checks brokers, topics, the group and permissions; writes nothing and joins no group. */
export async function checkKafka(asked: KafkaQuestions, { clock, probe }: KafkaWorld): Promise<Diagnosis[]> {
  const open = new Map<string, BrokerProbe>();
  const found: Diagnosis[] = [];
  try {
    found.push(...(await checkBrokers(asked.brokers, open, probe)));
    const first = open.values().next().value;
    if (first === undefined) return found;
    const topics = [...new Set([...asked.reads, ...asked.writes])];
    const cluster = await first.cluster(topics);
    found.push(...(await checkAdvertised(cluster, open, probe)));
    for (const [address, { certificateEndsMs }] of open) {
      if (certificateEndsMs !== undefined)
        found.push(checkEnd(`that of ${address}`, certificateEndsMs, clock.wallMs()));
    }
    for (const topic of cluster.topics) found.push(checkTopic(topic, asked));
    if (asked.group !== undefined) found.push(await checkGroup(asked.group, first, open, { clock, probe }));
    found.push(...(await checkDates(cluster, asked.reads, open, clock)));
    return found;
  } catch (thrown) {
    const remedy = 'look at the log of the broker; a proxy between may speak an older protocol';
    return [
      ...found,
      problem('broker', `a broker answered, and not as one does: ${(thrown as Error).message}`, remedy),
    ];
  } finally {
    for (const each of open.values()) each.close();
  }
}

/** One broker of several may be down: the others name the rest of the cluster. */
async function checkBrokers(
  brokers: readonly string[],
  open: Map<string, BrokerProbe>,
  probe: KafkaWorld['probe'],
): Promise<Diagnosis[]> {
  const answers = await Promise.all(brokers.map((address) => attempt(address, open, probe)));
  const say = answers.some((why) => why === undefined) ? warning : problem;
  return brokers.map((address, k) => {
    const why = answers[k];
    if (why === undefined) return ok('broker', `${address} answers`);
    const { what, remedy = 'start it, or correct connections.kafka.brokers' } = why;
    return say('broker', `${address} cannot be reached: ${what}`, remedy);
  });
}

/** Clients connect to the addresses that brokers advertise, so these must be reachable from here. */
async function checkAdvertised(
  { brokers }: ProbedCluster,
  open: Map<string, BrokerProbe>,
  probe: KafkaWorld['probe'],
): Promise<Diagnosis[]> {
  const others = brokers.filter(({ address }) => !open.has(address));
  const answers = await Promise.all(others.map(({ address }) => attempt(address, open, probe)));
  return others.map(({ nodeId, address }, k) => {
    const why = answers[k];
    if (why === undefined) return ok('broker', `broker ${nodeId} answers at ${address}, the address that it names`);
    const what = `broker ${nodeId} names ${address} as its address, which cannot be reached from here: ${why.what}`;
    return problem('broker', what, why.remedy ?? 'start it, or correct its advertised.listeners');
  });
}

/** Why the attempt failed, or undefined. */
async function attempt(
  address: string,
  open: Map<string, BrokerProbe>,
  probe: KafkaWorld['probe'],
): Promise<{ readonly what: string; readonly remedy: string | undefined } | undefined> {
  try {
    open.set(address, await probe(address));
    return undefined;
  } catch (thrown) {
    const message = (thrown as Error).message.replace(`${address} is `, 'it is ');
    const at = thrown instanceof SluiceError ? message.lastIndexOf('; ') : -1;
    if (at < 0) return { what: message, remedy: undefined };
    return { what: message.slice(0, at), remedy: message.slice(at + 2) };
  }
}

function checkTopic(topic: ProbedTopic, { brokers, reads, writes }: KafkaQuestions): Diagnosis {
  const { name, error, partitions, may } = topic;
  const acl = (operation: string): string =>
    `kafka-acls.sh --bootstrap-server ${brokers[0]} --add --allow-principal User:… --operation ${operation} --topic ${name}`;
  if (error === UNKNOWN_TOPIC) {
    const create = `kafka-topics.sh --bootstrap-server ${brokers[0]} --create --topic ${name} --partitions N`;
    return problem('topic', `${name} does not exist, and a pipeline never creates topics`, create);
  }
  if (error === TOPIC_REFUSED) return problem('topic', `${name} is not to be seen by this user`, acl('Describe'));
  const orphans = partitions.filter(({ leader }) => leader < 0).length;
  if (orphans > 0 || (error !== 0 && partitions.length === 0)) {
    const what = `${name}: ${orphans} of ${partitions.length} partitions have no leader (code ${error})`;
    return problem('topic', what, 'start the brokers that hold their replicas');
  }
  const count = `${name}: ${partitions.length} ${partitions.length === 1 ? 'partition' : 'partitions'}`;
  if (may === undefined) return ok('topic', `${count}; its broker does not tell what may be done with it`);
  for (const [topics, bit, operation] of [
    [reads, MAY_READ, 'Read'],
    [writes, MAY_WRITE, 'Write'],
  ] as const) {
    if (topics.includes(name) && (may & bit) === 0)
      return problem(
        'topic',
        `${name} may not be ${operation === 'Read' ? 'read' : 'written'} by this user`,
        acl(operation),
      );
  }
  return ok('topic', `${count}, may be ${writes.includes(name) ? 'written' : 'read'}`);
}

async function checkGroup(
  group: string,
  first: BrokerProbe,
  open: Map<string, BrokerProbe>,
  { clock, probe }: KafkaWorld,
): Promise<Diagnosis> {
  const remedy = `kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:… --operation Read --group ${group}`;
  const refused = problem('group', `${group} may not be joined by this user`, remedy);
  const { error, address } = await coordinatorOf(group, first, clock);
  if (error === GROUP_REFUSED) return refused;
  if (error !== 0) {
    const what = `${group} has no coordinator (code ${error})`;
    return problem('group', what, 'start the brokers that hold __consumer_offsets');
  }
  if (!open.has(address)) {
    const why = await attempt(address, open, probe);
    if (why !== undefined) {
      const what = `${group} is kept by ${address}, which cannot be reached: ${why.what}`;
      return problem('group', what, why.remedy ?? 'start that broker, or correct its advertised.listeners');
    }
  }
  const { error: code, state, protocolType, members, may } = await (open.get(address) ?? first).group(group);
  if (code === GROUP_REFUSED || (may !== undefined && (may & MAY_READ) === 0)) return refused;
  if (protocolType !== '' && protocolType !== 'consumer') {
    return problem('group', `${group} is a group of another kind (${protocolType})`, 'choose another source.group');
  }
  if (state === 'Dead' || state === '') return ok('group', `${group} is new`);
  if (members === 0) return ok('group', `${group} is ${state}`);
  const others = `${members} ${members === 1 ? 'member' : 'members'}`;
  return note('group', `${group} is ${state} with ${others}: an instance shares its partitions`);
}

/** A new cluster creates its offsets topic at the first request for a coordinator. */
async function coordinatorOf(group: string, first: BrokerProbe, clock: Clock) {
  for (let tries = 1; ; tries++) {
    const found = await first.coordinator(group);
    if (found.error !== NO_COORDINATOR_YET || tries === COORDINATOR_TRIES) return found;
    await pause(clock, COORDINATOR_PAUSE_MS);
  }
}

/** Producers' clocks are the only ones that Kafka shows: a record from the future reveals a wrong one. */
async function checkDates(
  { brokers, topics }: ProbedCluster,
  reads: readonly string[],
  open: Map<string, BrokerProbe>,
  clock: Clock,
): Promise<Diagnosis[]> {
  const found: Diagnosis[] = [];
  for (const { name, partitions } of topics.filter(({ name, error }) => error === 0 && reads.includes(name))) {
    const ahead: number[] = [];
    for (const { nodeId, address } of brokers) {
      const led = partitions.filter(({ leader }) => leader === nodeId).map(({ partition }) => partition);
      const asked = led.length > 0 ? open.get(address) : undefined;
      if (asked !== undefined) ahead.push(...(await asked.datedFrom(name, led, clock.wallMs() + FUTURE_MS)));
    }
    if (ahead.length === 0) continue;
    const what = `${name} has records dated more than ${FUTURE_MS / 1000} s after this machine's clock (partition ${ahead.join(', ')})`;
    found.push(
      problem(
        'clock',
        what,
        "synchronise this machine's clock and the producers' (NTP): deadlines and lag are reckoned from these dates",
      ),
    );
  }
  return found;
}
