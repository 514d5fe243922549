/**
 * Why no progress is possible, for as long as that is so: what `/ready` answers.
 * A condition is named by what waits (`store airport`, `broker flights/3`) and says why.
 */
export class Conditions {
  private readonly current = new Map<string, string>();
  private readonly onNone: () => void;

  /** `onNone` is called when the last condition is over. */
  constructor(onNone: () => void = () => undefined) {
    this.onNone = onNone;
  }

  get none(): boolean {
    return this.current.size === 0;
  }

  set(what: string, why: string): void {
    this.current.set(what, why);
  }

  clear(what: string): boolean {
    const cleared = this.current.delete(what);
    if (cleared && this.none) this.onNone();
    return cleared;
  }

  has(what: string): boolean {
    return this.current.has(what);
  }

  /** Empty when there is none. */
  describe(): string {
    return [...this.current].map(([what, why]) => `${what}: ${why}`).join('; ');
  }
}
