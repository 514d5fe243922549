import type { Clock } from '../../kernel/clock.ts';
import { EXIT } from '../../kernel/errors.ts';
import type { Health } from '../../runner.ts';
import { merge, shareOf } from '../../telemetry/merge.ts';
import type { Family, MetricStore } from '../../telemetry/metrics.ts';
import type { Parts } from '../../telemetry/state/sampler.ts';
import { healthState } from '../console.ts';
import { type Ending, startMember } from './member.ts';
import type { InstanceData } from './messages.ts';

export interface FleetDeps {
  readonly clock: Clock;
  /** Main's own: the figures of the process, and what is told about instances. */
  readonly telemetry: MetricStore;
  /** What a thread runs, if not instance.ts. */
  readonly entry: URL;
}

export interface FleetOptions {
  readonly instances: readonly InstanceData[];
  /** One budget for all: they drain at the same time. */
  readonly drainMs: number;
}

/** Several pipelines in one process, as one. */
export interface Fleet {
  /** Resolves when all have ended; never rejects. */
  readonly ended: Promise<FleetOutcome>;
  /** Live and ready when all are; the reason names those that are not. */
  health(): Health;
  /** What all of them and the process have counted. */
  snapshot(): Promise<readonly Family[]>;
  /** The same, each by itself. */
  parts(): Promise<Parts>;
  stop(): void;
  abort(): void;
}

export interface FleetOutcome {
  /** The worst of all. */
  readonly code: number;
  /** The first that never began, or broke. */
  readonly thrown: Ending['thrown'];
}

/** Beyond the drain budget, which each instance keeps itself: for one whose loop stands still. */
const GRACE_MS = 2_000;

/** From good to bad. */
const SEVERITY: readonly number[] = [EXIT.done, EXIT.drainBudget, EXIT.usage, EXIT.failed];

/**
 * Runs instances until all have ended. One that fails ends the others: they drain, and the process ends with the worst code, so
 * that whoever restarts it restarts all; a process that goes on with fewer would do less than it says, quietly.
 */
export function startFleet(deps: FleetDeps, options: FleetOptions): Fleet {
  const { clock, telemetry } = deps;
  const members = options.instances.map((data) => startMember(data, deps));
  let stopping = false;

  for (const { index, health } of members) {
    telemetry.gauge('sluice_instance_ready', { instance: String(index) }, () => (health().ready ? 1 : 0));
  }

  function stop(): void {
    if (stopping) return;
    stopping = true;
    for (const member of members) member.order('stop');
    const timer = clock.after(options.drainMs + GRACE_MS, () => {
      for (const member of members) member.giveUp();
    });
    void ended.then(() => timer.cancel());
  }

  const ended = Promise.all(
    members.map(async ({ index, ended }) => {
      const ending = await ended;
      const { code, thrown, told } = ending;
      if (!told && thrown !== undefined) {
        telemetry.event('failed', { instance: index, code: thrown.code, reason: thrown.message });
      } else if (!told) telemetry.event('instance-stuck', { instance: index, budgetMs: options.drainMs });
      if (code !== EXIT.done && !stopping) {
        telemetry.event('instance-failed', { instance: index, exitCode: code });
        stop();
      }
      return { index, ...ending };
    }),
  ).then((endings): FleetOutcome => {
    const code = SEVERITY[Math.max(...endings.map((ending) => SEVERITY.indexOf(ending.code)))] ?? EXIT.failed;
    const first = endings.find(({ thrown }) => thrown !== undefined);
    const thrown = first?.thrown && {
      code: first.thrown.code,
      message: `instance ${first.index}: ${first.thrown.message}`,
    };
    return { code, thrown };
  });

  function waits(): string[] {
    return members
      .map(({ index, health }) => ({ index, ...health() }))
      .filter(({ reason }) => reason !== '')
      .map(({ index, reason }) => `instance ${index}: ${reason}`);
  }

  function health(): Health {
    const each = members.map((member) => member.health());
    return {
      live: each.every(({ live }) => live),
      ready: each.every(({ ready }) => ready),
      reason: waits().join('; '),
    };
  }

  return {
    ended,
    health,
    async parts() {
      const parts = members.map(async (member) => {
        const share = await member.share();
        return {
          instance: String(member.index),
          share,
          health: healthState(member.health()),
          letters: member.letters(),
        };
      });
      return {
        process: shareOf(telemetry),
        parts: await Promise.all(parts),
        health: healthState({ ...health(), waits: waits() }),
      };
    },
    async snapshot() {
      const shares = await Promise.all(members.map((member) => member.share()));
      return merge([shareOf(telemetry), ...shares]);
    },
    stop,
    abort() {
      stop();
      for (const member of members) member.order('abort');
    },
  };
}
