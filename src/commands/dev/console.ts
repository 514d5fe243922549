import { createProcessMetrics } from '../../adapters/prometheus/process.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Health } from '../../runner.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { keepLetters } from '../../telemetry/state/dead-letters.ts';
import { type Listen, onePart, serve } from '../console.ts';
import type { DevPipeline } from './pipeline.ts';

export type ShownPipeline = Pick<DevPipeline, 'telemetry'> & {
  readonly plan: { readonly topology: { readonly name: string } };
  readonly runner: { health(): Health };
};

export interface DevConsole {
  /** Undefined without --listen. */
  readonly url: string | undefined;
  /** From here on this pipeline is shown, at the same address. */
  show(pipeline: ShownPipeline): void;
  close(): Promise<void>;
}

/**
 * Console, metrics and health of whichever pipeline is running, at one address for as long as `sluice dev` lasts. Each pipeline counts
 * from zero; the ten minutes of history continue across edits.
 */
export async function openDevConsole(
  { clock }: { readonly clock: Clock },
  { topology, listen }: { readonly topology: string; readonly listen: Listen | undefined },
): Promise<DevConsole> {
  const nothing = createTelemetry({ clock, log: { log: () => undefined } });
  let shown = look({
    telemetry: nothing,
    plan: { topology: { name: topology } },
    runner: { health: () => ({ live: true, ready: false, reason: 'nothing runs yet' }) },
  });

  function look({ telemetry, plan, runner }: ShownPipeline) {
    const figures = createProcessMetrics({ clock, telemetry });
    const parts = onePart(telemetry, keepLetters({ clock, telemetry }), runner.health);
    return { telemetry, parts, health: runner.health, name: plan.topology.name, close: () => figures.close() };
  }

  const watched = {
    clock,
    metrics: { snapshot: () => shown.telemetry.snapshot() },
    parts: () => shown.parts(),
    health: () => shown.health(),
    get topology() {
      return shown.name;
    },
  };
  const admin = listen && (await serve(watched, listen));
  return {
    url: admin && `${admin.url}/`,
    show(pipeline) {
      shown.close();
      shown = look(pipeline);
    },
    async close() {
      shown.close();
      await admin?.close();
    },
  };
}
