import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BrokerProbe, ProbedGroup } from '../../../../src/adapters/kafka/probe/probe.ts';
import { checkKafka, type KafkaQuestions, kafkaWorld } from '../../../../src/commands/doctor/kafka.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

const READ = 1 << 3;
const WRITE = 1 << 4;
const EMPTY: ProbedGroup = { error: 0, state: 'Empty', protocolType: 'consumer', members: 0, may: READ };

interface FakeCluster {
  /** Address → what it names itself, by node id; those that are not here cannot be reached. */
  readonly brokers?: Readonly<Record<string, number>>;
  readonly advertised?: readonly { readonly nodeId: number; readonly address: string }[];
  readonly topics?: Readonly<
    Record<string, { readonly error?: number; readonly leader?: number; readonly may?: number }>
  >;
  readonly group?: Partial<ProbedGroup>;
  readonly coordinator?: { readonly error: number; readonly address: string };
  readonly ahead?: readonly number[];
}

function world({ brokers = { 'a:1': 1 }, advertised, topics = {}, group, coordinator, ahead = [] }: FakeCluster) {
  let open = 0;
  const probe = async (address: string): Promise<BrokerProbe> => {
    if (!(address in brokers)) throw new Error('nothing listens there');
    open++;
    return {
      certificateEndsMs: undefined,
      cluster: async (names) => ({
        brokers: advertised ?? [{ nodeId: 1, address: 'a:1' }],
        topics: names.map((name) => {
          const { error = 0, leader = 1, may = READ | WRITE } = topics[name] ?? {};
          return { name, error, partitions: error === 0 ? [{ partition: 0, leader }] : [], may };
        }),
      }),
      coordinator: async () => coordinator ?? { error: 0, address: 'a:1' },
      group: async () => ({ ...EMPTY, ...group }),
      datedFrom: async (_topic, partitions) => partitions.filter((each) => ahead.includes(each)),
      close: () => open--,
    };
  };
  const clock = new FakeClock();
  const at = (delayMs: number, fire: () => void) => {
    setImmediate(() => void clock.advance(delayMs));
    return clock.after(delayMs, fire);
  };
  return {
    clock: { wallMs: () => clock.wallMs(), monotonicMs: () => clock.monotonicMs(), after: at },
    probe,
    open: () => open,
  };
}

const ASKED: KafkaQuestions = { brokers: ['a:1'], clientId: 'c', reads: ['in'], writes: ['out', 'dead'], group: 'g' };

async function look(cluster: FakeCluster, asked: Partial<KafkaQuestions> = {}) {
  const made = world(cluster);
  const found = await checkKafka({ ...ASKED, ...asked }, made);
  assert.equal(made.open(), 0, 'every connection is closed');
  return found.filter(({ status }) => status !== 'ok');
}

test('a cluster with all that is needed has nothing to do', async () => {
  assert.deepEqual(await look({}), []);
});

test('no broker is a problem, one of several that is away a warning', async () => {
  const [none, ...rest] = await look({ brokers: {} });
  assert.deepEqual([none.status, none.what, rest], ['problem', 'a:1 cannot be reached: nothing listens there', []]);
  assert.match(none.remedy ?? '', /connections\.kafka\.brokers/);
  const [one, ...others] = await look({}, { brokers: ['b:2', 'a:1'] });
  assert.deepEqual([one.status, one.what, others], ['warning', 'b:2 cannot be reached: nothing listens there', []]);
});

test('an address that a broker names and that leads nowhere is a problem of its listeners', async () => {
  const advertised = [
    { nodeId: 1, address: 'a:1' },
    { nodeId: 2, address: 'inside:9092' },
  ];
  const [found] = await look({ advertised });
  assert.match(found.what, /^broker 2 names inside:9092 as its address, which cannot be reached from here/);
  assert.match(found.remedy ?? '', /advertised\.listeners/);
  assert.deepEqual(await look({ advertised, brokers: { 'a:1': 1, 'inside:9092': 2 } }), []);
});

for (const [title, topics, what, remedy] of [
  [
    'is not there',
    { out: { error: 3 } },
    /^out does not exist/,
    /kafka-topics\.sh --bootstrap-server a:1 --create --topic out/,
  ],
  ['may not be seen', { out: { error: 29 } }, /^out is not to be seen/, /--operation Describe --topic out/],
  ['has no leader', { dead: { leader: -1 } }, /^dead: 1 of 1 partitions have no leader/, /start the brokers/],
  ['may not be read', { in: { may: WRITE } }, /^in may not be read/, /--operation Read --topic in/],
  ['may not be written', { dead: { may: READ } }, /^dead may not be written/, /--operation Write --topic dead/],
] as const) {
  test(`a topic that ${title} is a problem with the command that helps`, async () => {
    const [found, ...rest] = await look({ topics });
    assert.deepEqual([found.status, found.check, rest], ['problem', 'topic', []]);
    assert.match(found.what, what);
    assert.match(found.remedy ?? '', remedy);
  });
}

for (const [title, cluster, status, what] of [
  ['may not be joined', { group: { error: 30 } }, 'problem', /^g may not be joined/],
  ['may not be read', { group: { may: WRITE } }, 'problem', /^g may not be joined/],
  ['may not be found', { coordinator: { error: 30, address: '' } }, 'problem', /^g may not be joined/],
  ['has no coordinator', { coordinator: { error: 15, address: '' } }, 'problem', /^g has no coordinator \(code 15\)/],
  ['is kept where nobody answers', { coordinator: { error: 0, address: 'b:2' } }, 'problem', /^g is kept by b:2/],
  ['is one of connectors', { group: { protocolType: 'connect' } }, 'problem', /another kind \(connect\)/],
  ['has members', { group: { state: 'Stable', members: 2 } }, 'note', /Stable with 2 members/],
] as const) {
  test(`a group that ${title} is told`, async () => {
    const [found, ...rest] = await look(cluster);
    assert.deepEqual([found.status, found.check, rest], [status, 'group', []]);
    assert.match(found.what, what);
  });
}

test('records from the future tell of a clock that is wrong', async () => {
  const [found] = await look({ ahead: [0] });
  assert.deepEqual([found.status, found.check], ['problem', 'clock']);
  assert.match(found.what, /^in has records dated more than 60 s after this machine's clock \(partition 0\)/);
});

async function embedded(t: TestContext, options: Parameters<typeof createBroker>[0] = {}) {
  const broker = await createBroker({ log: () => undefined, ...options });
  t.after(() => broker.close());
  return broker;
}

test('over the wire: a broker with all that is needed, several of them, and no topic is made by looking', async (t) => {
  const broker = await embedded(t, { brokers: 3 });
  for (const topic of ['in', 'out']) broker.createTopic(topic, { partitions: 5 });
  const clock = createSystemClock();
  const found = await checkKafka(
    { ...ASKED, brokers: broker.brokers.slice(0, 1) },
    kafkaWorld(clock, { clientId: 'c' }),
  );
  const [missing, ...rest] = found.filter(({ status }) => status !== 'ok');
  assert.match(missing.what, /^dead does not exist/);
  assert.deepEqual(rest, []);
  assert.equal(found.filter(({ what }) => /the address that it names/.test(what)).length, 2);
  assert.ok(found.some(({ what }) => what.startsWith('in: 5 partitions')));
  assert.ok(found.some(({ what }) => /^g is (new|Empty)$/.test(what)));
  assert.deepEqual(broker.endOffsets('dead'), [], 'still not there');
});

test('over the wire: a broker that is dead', async () => {
  const broker = await createBroker({ log: () => undefined });
  await broker.close();
  const found = await checkKafka(
    { ...ASKED, brokers: broker.brokers },
    kafkaWorld(createSystemClock(), { clientId: 'c' }),
  );
  assert.deepEqual(
    found.map(({ status, what }) => [status, what]),
    [['problem', `${broker.brokers[0]} cannot be reached: nothing listens there`]],
  );
});

test('a broker that hangs up in the middle is told, and not more than that', async (t) => {
  const METADATA = 3;
  let questions = 0;
  let answered = 1;
  const hooks = {
    onRequest: ({ apiKey }: { apiKey: number }) =>
      apiKey === METADATA && ++questions > answered ? { closeConnection: true } : undefined,
  };
  const broker = await embedded(t, { hooks });
  const look = () =>
    checkKafka({ ...ASKED, brokers: broker.brokers }, kafkaWorld(createSystemClock(), { clientId: 'c' }));
  const found = await look();
  assert.deepEqual(
    found.map(({ status }) => status),
    ['ok', 'problem'],
  );
  assert.match(found[1].what, /a broker answered, and not as one does: it hung up/);
  // One that hangs up on every such question is a listener that wants a login.
  answered = 0;
  questions = 0;
  const [login] = await look();
  assert.match(login.what, /:\d+ cannot be reached: it is a listener with a login, and connections\.kafka has no sasl/);
  assert.match(login.remedy ?? '', /^write sasl:/);
});
