import type { Case } from '../../cases/types.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import type { Frame, Origin } from '../../kernel/frame.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import type { Source, SourceListener } from '../../ports/source.ts';

export interface CaseSourceOptions {
  readonly file: string;
  readonly cases: readonly Case[];
  /** Called before a case's record is handed over, alone. */
  readonly before: (one: Case) => void;
  /** Called when it is settled; `frame` holds only this record. */
  readonly after: (one: Case, frame: Frame) => void;
}

/** A source of cases, one per frame; each is handed over after the previous one has settled, so that cases cannot affect each other. */
export function createCaseSource(
  deps: { readonly clock: Clock; readonly credit: Credit },
  options: CaseSourceOptions,
): Source {
  const { clock, credit } = deps;
  const origin: Origin = { topic: options.file, partition: 0, epoch: 0 };
  const stopping = new AbortController();
  const { signal } = stopping;

  async function play(listener: SourceListener): Promise<void> {
    for (const [i, one] of options.cases.entries()) {
      const { key, value } = one;
      const size = (key?.length ?? 0) + (value?.length ?? 0);
      const fits = credit.fits(1, size);
      const bytes = fits ? size : 0;
      if (!(await credit.take(1, bytes, signal))) return;
      if (signal.aborted) return credit.give(1, bytes);
      options.before(one);
      const nowMs = clock.wallMs();
      const builder = new FrameBuilder(origin, 1, bytes);
      if (fits) builder.append(i, nowMs, key, value, null);
      else builder.appendReference(i, nowMs, size);
      const frame = builder.build(i + 1, nowMs, clock.monotonicMs());
      await listener.onAlone(frame);
      if (signal.aborted) return;
      options.after(one, frame);
    }
    listener.onEnd();
  }

  return {
    async start(listener) {
      listener.onAssigned(origin);
      play(listener).catch(listener.onFailed);
    },
    commit: () => Promise.resolve(),
    async halt() {
      stopping.abort();
    },
    close: () => Promise.resolve(),
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
}
