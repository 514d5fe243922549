/** Arrival rate in rows per ms over about the last `windowMs`, by an exponentially decaying count. Pure; times are monotonic ms. */
export class ArrivalRate {
  private readonly windowMs: number;
  private count = 0;
  private atMs = Number.NaN;

  constructor(options: { readonly windowMs: number }) {
    this.windowMs = options.windowMs;
  }

  add(nowMs: number, rows: number): void {
    this.fade(nowMs);
    this.count += rows;
  }

  perMs(nowMs: number): number {
    this.fade(nowMs);
    return this.count / this.windowMs;
  }

  private fade(nowMs: number): void {
    if (!Number.isNaN(this.atMs)) this.count *= Math.exp((this.atMs - nowMs) / this.windowMs);
    this.atMs = nowMs;
  }
}
