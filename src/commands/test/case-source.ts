import type { Case } from '../../cases/types.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import type { Frame, Origin } from '../../kernel/frame.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import type { Source, SourceListener } from '../../ports/source.ts';

export interface CaseSourceOptions {
  readonly file: string;
  readonly cases: readonly Case[];
  /** The record of a case is about to be handed over, alone. */
  readonly before: (one: Case) => void;
  /** It is settled; `frame` has it and nothing else. */
  readonly after: (one: Case, frame: Frame) => void;
}

/** Cases as a source: a frame of one record each, the next one when the one before is settled, so that no case sees another. */
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
