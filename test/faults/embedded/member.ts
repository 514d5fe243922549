/** One member of the group in this process: the real world of `sluice run`, with the client's patience cut to a test's. */

import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createKafkaSink } from '../../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../../src/adapters/kafka/source.ts';
import { createKafkaTransactions } from '../../../src/adapters/kafka/transactions.ts';
import { createOnnxRuntime } from '../../../src/adapters/onnx/runtime.ts';
import { assemble } from '../../../src/assemble.ts';
import { preparePlan } from '../../../src/commands/prepare.ts';
import { createWorld } from '../../../src/commands/world/world.ts';
import type { Clock } from '../../../src/kernel/clock.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import type { Runner, RunOutcome } from '../../../src/runner.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { type Settings, writePipeline } from './pipeline.ts';

/** Short, but longer than a busy machine delays an event loop: a member declared dead by mistake proves nothing. */
export const SESSION_MS = 1_500;

export interface Member {
  readonly clientId: string;
  readonly telemetry: RecordingTelemetry;
  readonly runner: Runner;
  /** Resolves when the run has ended, however. */
  readonly outcome: Promise<RunOutcome>;
}

export interface MemberSettings extends Settings {
  readonly bigtable: string;
  readonly random: () => number;
  /** Default: SESSION_MS. */
  readonly sessionMs?: number;
  /** How far the wall clock is off, as it is now, ms. */
  readonly skewMs?: () => number;
}

/** Rejects when it cannot even start, for example while services are away. */
export async function startMember(settings: MemberSettings): Promise<Member> {
  const { clientId, brokers, random, bigtable, skewMs = () => 0, sessionMs = SESSION_MS } = settings;
  const telemetry = new RecordingTelemetry();
  const system = createSystemClock();
  const clock: Clock = {
    wallMs: () => system.wallMs() + skewMs(),
    monotonicMs: () => system.monotonicMs(),
    after: (delayMs, fire) => system.after(delayMs, fire),
  };
  const io = {
    env: { BIGTABLE_EMULATOR_HOST: bigtable },
    clock,
    random,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    instance: clientId,
    processorLoad: () => 0,
    onSignal: () => () => undefined,
  };
  const runtime = createOnnxRuntime({ telemetry });
  const topology = writePipeline(settings);
  const plan = await preparePlan(topology, runtime, io);
  // Everything in the folder has been read once the world is made.
  const world = await createWorld(plan, runtime, telemetry, io).finally(() =>
    rmSync(dirname(topology), { recursive: true }),
  );
  await world.sink.close();
  const connection = { brokers: brokers.split(','), clientId, requestTimeoutMs: 500, dialTimeoutMs: 500 };
  const { source: from, output, deadLetter, flow } = plan.topology;
  const once = { ...connection, groupId: from.group, transactionTimeoutMs: 3_000, patienceMs: 1_000, closeMs: 500 };
  const ownership =
    flow.delivery === 'exactly-once' ? createKafkaTransactions({ clock, telemetry, random }, once) : undefined;
  const sink =
    ownership ?? createKafkaSink({ clock, telemetry, random }, { ...connection, sendWithinMs: 1_000, closeMs: 500 });
  await sink.open([...from.topics, output.topic, deadLetter.topic]);
  const source = createKafkaSource(
    { clock, telemetry, credit: world.credit, random, ownership },
    {
      ...connection,
      groupId: from.group,
      topics: from.topics,
      from: from.from,
      drainMs: flow.drainMs,
      sessionTimeoutMs: sessionMs,
      heartbeatMs: sessionMs / 5,
      rebalanceTimeoutMs: 2_000,
      maxWaitMs: 40,
      frameRecords: 25,
      closeMs: 1_000,
      endsEveryMs: 500,
    },
  );
  const runner = assemble(plan, { ...world, source, sink });
  return { clientId, telemetry, runner, outcome: runner.run() };
}
