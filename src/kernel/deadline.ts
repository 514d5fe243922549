import type { Clock } from './clock.ts';

/** One point in time that is passed down through a chain of steps, so that their time-outs do not add up. */
export interface Deadline {
  readonly atMonotonicMs: number;
  remainingMs(): number;
  passed(): boolean;
}

export function deadlineIn(clock: Clock, budgetMs: number): Deadline {
  const atMonotonicMs = clock.monotonicMs() + budgetMs;
  return {
    atMonotonicMs,
    remainingMs: () => Math.max(0, atMonotonicMs - clock.monotonicMs()),
    passed: () => clock.monotonicMs() >= atMonotonicMs,
  };
}

/** True if `work` ended within the deadline, false if the deadline came first. A rejection of `work` is passed on. */
export function within(clock: Clock, deadline: Deadline, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(deadline.remainingMs(), () => resolve(false));
    work.then(
      () => {
        timer.cancel();
        resolve(true);
      },
      (error) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
