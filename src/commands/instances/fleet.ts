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
  /** The main thread's own: figures of the process, and events about instances. */
  readonly telemetry: MetricStore;
  /** What a thread runs, by default instance.ts. */
  readonly entry: URL;
}

export interface FleetOptions {
  readonly instances: readonly InstanceData[];
  /** One budget for all, because they drain at the same time. */
  readonly drainMs: number;
}

/** Several pipelines in one process, operated as one. */
export interface Fleet {
  /** Resolves when all have ended; never rejects. */
  readonly ended: Promise<FleetOutcome>;
  /** Live and ready when all are; the reason names those that are not. */
  health(): Health;
  /** The sum over all instances and the process. */
  snapshot(): Promise<readonly Family[]>;
  /** The same, separately for each. */
  parts(): Promise<Parts>;
  stop(): void;
  abort(): void;
}

export interface FleetOutcome {
  /** The worst exit code. */
  readonly code: number;
  /** The first failure to start or run. */
  readonly thrown: Ending['thrown'];
}

/** Added to the drain budget, which instances keep themselves, for an instance with a blocked event loop. */
const GRACE_MS = 2_000;

/** From best to worst. */
const SEVERITY: readonly number[] = [EXIT.done, EXIT.drainBudget, EXIT.usage, EXIT.failed];

/**
 * Runs instances until all have ended. If one fails, the others drain and the process ends with the worst code, so that a restart
 * restarts all of them; a process that carried on with fewer would silently do less than configured.
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
