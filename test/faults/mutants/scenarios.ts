/**
 * Small scenes, each built to expose one mistake: a hook delays or refuses requests exactly as long as the
 * scene needs, and the ledger judges at the end. The shipped code passes all of them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { until } from '../../fixtures/until.ts';
import { TOPICS } from '../embedded/pipeline.ts';
import { openStage, type Stage } from '../embedded/stage.ts';
import type { Account } from '../judge.ts';
import { audit, observe, untilDrained } from '../ledger.ts';
import { AUDITOR } from '../read.ts';

const PRODUCE = 0;
const COMMIT = 8;
const REFUSED: Fault = { errorCode: 19 };
const SOON_MS = 45_000;

interface Scene {
  readonly stage: Stage;
  /** What strikes the members' requests from now on. */
  strike(fault: ((request: RequestInfo) => Fault | undefined) | undefined): void;
  /** Requests of a member so far, by the key of the call. */
  requests(clientId: string, apiKey: number): number;
  /** Cut off for good: to everybody else it is dead. */
  kill(clientId: string): void;
}

interface Scenario {
  readonly outputPartitions?: number;
  readonly act: (scene: Scene) => Promise<void>;
}

/** Nothing can be written; positions can. Then the member dies, and another one goes on. */
const deadSink: Scenario = {
  async act({ stage, strike, requests, kill }) {
    strike(({ apiKey }) => (apiKey === PRODUCE ? REFUSED : undefined));
    const { clientId } = await stage.join();
    for (const partition of [0, 1, 2, 3]) await stage.feed.send(20, { partition });
    await until('something was to be sent', () => requests(clientId, PRODUCE) > 3, SOON_MS);
    // As long as a commit takes to come, with time to spare.
    await pause(1_500);
    kill(clientId);
    strike(undefined);
    await stage.join();
  },
};

/** Writes to the node that leads the dead letters are refused for a while; all else goes well. */
const deadLetterTopicDown: Scenario = {
  async act({ stage, strike, requests }) {
    for (const partition of [0, 1]) stage.broker.moveLeader(TOPICS.deadLetter, partition, 3);
    for (const partition of [0, 1, 2]) stage.broker.moveLeader(TOPICS.output, partition, 1 + (partition % 2));
    strike(({ apiKey, nodeId }) => (apiKey === PRODUCE && nodeId === 3 ? REFUSED : undefined));
    const { clientId } = await stage.join();
    for (const partition of [0, 1, 2, 3]) await stage.feed.send(40, { partition });
    await until('something was to be sent', () => requests(clientId, PRODUCE) > 3, SOON_MS);
    await pause(2_500);
    strike(undefined);
  },
};

/** The acknowledgements of the first member come after its partitions went to the second, which has gone further. */
const lateCompletion: Scenario = {
  async act({ stage, strike, requests }) {
    let open: () => void = () => undefined;
    let isOpen = false;
    const first = await stage.join();
    await until('the first member is ready', () => first.telemetry.eventsNamed('ready').length > 0, SOON_MS);
    strike(({ apiKey, clientId }) =>
      apiKey === PRODUCE && clientId === first.clientId && !isOpen
        ? { delayMs: 400, closeConnection: true }
        : undefined,
    );
    open = () => {
      isOpen = true;
    };
    for (const partition of [0, 1, 2, 3]) await stage.feed.send(20, { partition });
    await until('something is under way', () => requests(first.clientId, PRODUCE) > 0, SOON_MS);
    const second = await stage.join();
    const joined = () => second.telemetry.eventsNamed('assigned').map((fields) => Number(fields?.partition));
    await until('the second member has partitions', () => joined().length > 0, SOON_MS);
    for (const partition of joined()) await stage.feed.send(20, { partition });
    const at = (partition: number): number => stage.broker.groupOffsets(TOPICS.group)[TOPICS.input]?.[partition] ?? 0;
    const taken = joined();
    await until('the second member has gone on', () => taken.every((partition) => at(partition) === 40), SOON_MS);
    const before = requests(first.clientId, COMMIT);
    open();
    await until('the first member has committed', () => requests(first.clientId, COMMIT) > before, SOON_MS);
  },
};

/** A backlog of several times the credit, and a sink that takes its time. */
const backlog: Scenario = {
  async act({ stage, strike }) {
    strike(({ apiKey }) => (apiKey === PRODUCE ? { delayMs: 60 } : undefined));
    for (const partition of [0, 1, 2, 3, 0, 1, 2, 3]) await stage.feed.send(100, { partition });
    await stage.join();
  },
};

/** Good records and bad ones, nothing else. */
const plain: Scenario = {
  async act({ stage }) {
    await stage.join();
    for (const partition of [0, 1, 2, 3]) await stage.feed.send(60, { partition });
  },
};

/** Leaders of the output move to a node that leads another partition, between what the client knows and what it sends. */
const movingLeaders: Scenario = {
  async act({ stage }) {
    await stage.join();
    const ends = (): number => stage.broker.endOffsets(TOPICS.output).reduce((a, b) => a + b, 0);
    for (let round = 0; round < 6; round++) {
      const before = ends();
      await stage.feed.send(40, { partition: round % 4, good: true });
      await until('outputs come', () => ends() > before, SOON_MS);
      const partition = round % 3;
      stage.broker.moveLeader(TOPICS.output, partition, 1 + ((partition + 1 + (round % 2)) % 3));
    }
    await stage.feed.send(40, { partition: 0, good: true });
  },
};

/** The answer of one send never comes until the client gives up; what comes next is as long. */
const lostAnswer: Scenario = {
  outputPartitions: 1,
  async act({ stage, strike, requests }) {
    const { clientId, telemetry } = await stage.join();
    await stage.feed.send(1, { partition: 0, good: true });
    await until('the first output is there', () => stage.broker.endOffsets(TOPICS.output)[0] === 1, SOON_MS);
    strike(({ apiKey }) => (apiKey === PRODUCE ? { dropResponse: true } : undefined));
    const before = requests(clientId, PRODUCE);
    await stage.feed.send(1, { partition: 0, good: true });
    await until('the second one is under way', () => requests(clientId, PRODUCE) > before, SOON_MS);
    await stage.feed.send(1, { partition: 0, good: true });
    await until('the client gave up', () => telemetry.eventsNamed('producer-replaced').length > 0, SOON_MS);
    strike(undefined);
  },
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  deadSink,
  deadLetterTopicDown,
  lateCompletion,
  backlog,
  plain,
  movingLeaders,
  lostAnswer,
};

/** Plays a scene to its end, and gives the ledger's account of it. */
export async function playScenario(name: string, drainedWithinMs: number): Promise<Account> {
  const { act, outputPartitions } = SCENARIOS[name];
  const dead = new Set<string>();
  const counts = new Map<string, number>();
  let struck: ((request: RequestInfo) => Fault | undefined) | undefined;
  const onKafka = (request: RequestInfo): Fault | undefined => {
    const { clientId, apiKey } = request;
    if (clientId === AUDITOR || !clientId.startsWith('m')) return undefined;
    if (dead.has(clientId)) return { closeConnection: true };
    const of = `${clientId} ${apiKey}`;
    counts.set(of, (counts.get(of) ?? 0) + 1);
    return struck?.(request);
  };
  const stage = await openStage(1, { onKafka }, { outputPartitions });
  const observer = observe(stage.watched, { everyMs: 20, dropped: stage.feed.dropped });
  const scene: Scene = {
    stage,
    strike(fault) {
      struck = fault;
    },
    requests: (clientId, apiKey) => counts.get(`${clientId} ${apiKey}`) ?? 0,
    kill: (clientId) => void dead.add(clientId),
  };
  try {
    await act(scene);
    struck = undefined;
    // A mutant may never finish; the ledger says so.
    await untilDrained(stage.watched, drainedWithinMs).then(undefined, () => undefined);
    const observed = await observer.stop();
    const { acknowledged, dropped, expected, flaw, alike } = stage.feed;
    return await audit(stage.watched, { observed, acknowledged, dropped, expected, flaw, alike });
  } finally {
    for (const { runner } of stage.members) runner.stop();
    await stage.close();
  }
}
