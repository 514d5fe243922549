/**
 * When records were really sent, beside when they were meant to be. The generator shares the machine with what it measures: what it
 * sends late counts as late in every latency, as it must, but a miss that is its own doing can be told from the others.
 */
export class Sendings {
  /** Intended time of the last record of each request, wall ms, ascending. */
  private readonly untilMs: number[] = [];
  /** When the request was sent. */
  private readonly sentMs: number[] = [];

  add(untilMs: number, sentMs: number): void {
    this.untilMs.push(untilMs);
    this.sentMs.push(sentMs);
  }

  /** How late a record was sent that was meant for then, ms. */
  lateMs(intendedMs: number): number {
    let low = 0;
    for (let high = this.untilMs.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.untilMs[middle] < intendedMs) low = middle + 1;
      else high = middle;
    }
    return low === this.sentMs.length ? 0 : Math.max(0, this.sentMs[low] - intendedMs);
  }
}
