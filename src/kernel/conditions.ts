/**
 * The reasons why no progress is possible, for as long as they hold: the answer of `/ready`.
 * A condition is named by what waits (`store airport`, `broker flights/3`) and says why.
 */
export class Conditions {
  /** What waits → who waits for it, and why. */
  private readonly current = new Map<string, Map<unknown, string>>();
  private readonly onNone: () => void;

  /** `onNone` is called when the last condition is over. */
  constructor(onNone: () => void = () => undefined) {
    this.onNone = onNone;
  }

  get none(): boolean {
    return this.current.size === 0;
  }

  /** `who` tells waiters for the same thing apart: what one of them got says nothing about the others. */
  set(what: string, why: string, who?: unknown): void {
    const waiting = this.current.get(what);
    if (waiting === undefined) this.current.set(what, new Map([[who, why]]));
    else waiting.set(who, why);
  }

  /** True when nobody waits for it any longer. */
  clear(what: string, who?: unknown): boolean {
    const waiting = this.current.get(what);
    if (waiting === undefined || !waiting.delete(who) || waiting.size > 0) return false;
    this.current.delete(what);
    if (this.none) this.onNone();
    return true;
  }

  has(what: string): boolean {
    return this.current.has(what);
  }

  /** Empty when there is none; for several waiters for the same thing, what the last one heard. */
  describe(): string {
    return this.list().join('; ');
  }

  /** What is waited for. */
  names(): string[] {
    return [...this.current.keys()];
  }

  /** Each one separately. */
  list(): string[] {
    return [...this.current].map(([what, waiting]) => `${what}: ${[...waiting.values()].at(-1)}`);
  }
}
