/**
 * Why no progress is possible, for as long as that is so: what `/ready` answers.
 * A condition is named by what waits (`store airport`, `broker flights/3`) and says why.
 */
export class Conditions {
  private readonly current = new Map<string, string>();

  set(what: string, why: string): void {
    this.current.set(what, why);
  }

  clear(what: string): boolean {
    return this.current.delete(what);
  }

  has(what: string): boolean {
    return this.current.has(what);
  }

  /** Empty when there is none. */
  describe(): string {
    return [...this.current].map(([what, why]) => `${what}: ${why}`).join('; ');
  }
}
