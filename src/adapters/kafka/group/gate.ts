/**
 * Whether frames may be handed over. Shut while the group re-joins, after `halt`, and for good at the end.
 * Shutting it ends every wait that was begun through it, so that nothing is handed over afterwards.
 */
export class Gate {
  private readonly shut = new Set<string>(['not joined']);
  private readonly waits = new Set<AbortController>();

  get open(): boolean {
    return this.shut.size === 0;
  }

  /** Why it is shut; several reasons may hold at once. */
  get reasons(): readonly string[] {
    return [...this.shut];
  }

  close(reason: string): void {
    this.shut.add(reason);
    for (const controller of this.waits) controller.abort();
  }

  reopen(reason: string): void {
    this.shut.delete(reason);
  }

  /** Runs one wait with a signal of its own: a shared, long-lived signal would accumulate one listener per wait. */
  async whileOpen(wait: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> {
    const controller = new AbortController();
    if (!this.open) controller.abort();
    this.waits.add(controller);
    try {
      return await wait(controller.signal);
    } finally {
      this.waits.delete(controller);
    }
  }
}
