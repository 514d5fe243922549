/** One holder at a time; waiters are served in the order in which they asked. */
export class Mutex {
  private taken = false;
  private readonly waiters: (() => void)[] = [];

  /** True when it is ours, false when the signal came first. */
  take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (!this.taken) {
      this.taken = true;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const granted = (): void => {
        signal.removeEventListener('abort', gone);
        resolve(true);
      };
      const gone = (): void => {
        this.waiters.splice(this.waiters.indexOf(granted), 1);
        resolve(false);
      };
      this.waiters.push(granted);
      signal.addEventListener('abort', gone, { once: true });
    });
  }

  give(): void {
    const next = this.waiters.shift();
    if (next === undefined) this.taken = false;
    else next();
  }
}
