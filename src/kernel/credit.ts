/**
 * Credit: permission to have records, and their bytes, unsettled. One semaphore for a whole pipeline (law L4).
 *
 * Promise: at no instant are more than `maxRecords` records or `maxBytes` bytes granted and not returned.
 * Grants are first come, first served, so a large request is not starved by small ones.
 * Limit: one request must fit the whole credit; ask `fits` first.
 */
export class Credit {
  readonly maxRecords: number;
  readonly maxBytes: number;
  private takenRecords = 0;
  private takenBytes = 0;
  private readonly queue: Waiting[] = [];

  constructor(limits: { readonly maxRecords: number; readonly maxBytes: number }) {
    this.maxRecords = limits.maxRecords;
    this.maxBytes = limits.maxBytes;
  }

  get records(): number {
    return this.takenRecords;
  }

  get bytes(): number {
    return this.takenBytes;
  }

  get waiting(): number {
    return this.queue.length;
  }

  fits(records: number, bytes: number): boolean {
    return records <= this.maxRecords && bytes <= this.maxBytes;
  }

  /** True when granted at once. */
  tryTake(records: number, bytes: number): boolean {
    if (this.queue.length > 0 || !this.has(records, bytes)) return false;
    this.grant(records, bytes);
    return true;
  }

  /** Resolves true when granted, false when `signal` aborted first (nothing is taken then). */
  take(records: number, bytes: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.fits(records, bytes)) {
      throw new RangeError(
        `credit of ${this.maxRecords} records and ${this.maxBytes} bytes cannot grant ${records} and ${bytes}`,
      );
    }
    if (signal?.aborted) return Promise.resolve(false);
    if (this.tryTake(records, bytes)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const giveUp = (): void => {
        this.queue.splice(this.queue.indexOf(waiting), 1);
        resolve(false);
        this.serve();
      };
      // The signal lives as long as the source: listeners left on it would pile up, one for every wait.
      const waiting: Waiting = {
        records,
        bytes,
        resolve: (granted) => {
          signal?.removeEventListener('abort', giveUp);
          resolve(granted);
        },
      };
      this.queue.push(waiting);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  give(records: number, bytes: number): void {
    this.takenRecords -= records;
    this.takenBytes -= bytes;
    if (this.takenRecords < 0 || this.takenBytes < 0) {
      throw new RangeError('credit returned twice: more was given back than was taken');
    }
    this.serve();
  }

  private has(records: number, bytes: number): boolean {
    return this.takenRecords + records <= this.maxRecords && this.takenBytes + bytes <= this.maxBytes;
  }

  private grant(records: number, bytes: number): void {
    this.takenRecords += records;
    this.takenBytes += bytes;
  }

  private serve(): void {
    for (
      let first = this.queue[0];
      first !== undefined && this.has(first.records, first.bytes);
      first = this.queue[0]
    ) {
      this.queue.shift();
      this.grant(first.records, first.bytes);
      first.resolve(true);
    }
  }
}

interface Waiting {
  readonly records: number;
  readonly bytes: number;
  readonly resolve: (granted: boolean) => void;
}
