/** The share of entries that is on probation; of the measured shares (docs/adr), a tenth is best for nearly all traces. */
const TRIAL_SHARE = 0.1;
const MAX_USES = 3;

/**
 * Which entry is evicted next: S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023).
 * A new entry is on probation in a small queue: if it is requested again before it reaches the end, it moves to the main queue;
 * otherwise it is evicted, and its hash is remembered. A key that comes back while its hash is remembered goes directly to the main
 * queue. The main queue lets an entry pass as often as it was requested meanwhile, up to three times. A hit increments a byte and
 * moves nothing.
 *
 * Both queues are one list: each entry has one place in one of them. The hashes of evicted entries are in a table without chains, where
 * a new hash replaces the one in its place. Limit: in that case, and if two hashes are equal, a key is judged by another's past,
 * which costs at most a hit.
 */
export class FeatureQueues {
  private readonly trialEntries: number;
  private readonly mainEntries: number;
  private next: Int32Array;
  private uses: Uint8Array;
  private readonly trial: Queue = { head: -1, tail: -1, count: 0 };
  private readonly main: Queue = { head: -1, tail: -1, count: 0 };
  /** By hash: it, and the how manieth it was to go. */
  private ghosts = new Int32Array(0);
  private goneAt = new Int32Array(0);
  private gone = 0;

  constructor(entries: number, capacity: number) {
    this.trialEntries = Math.floor(entries * TRIAL_SHARE);
    this.mainEntries = entries - this.trialEntries;
    this.next = new Int32Array(capacity);
    this.uses = new Uint8Array(capacity);
  }

  grow(capacity: number): void {
    const { next, uses } = this;
    this.next = new Int32Array(capacity);
    this.next.set(next);
    this.uses = new Uint8Array(capacity);
    this.uses.set(uses);
  }

  /** The entry was requested. */
  used(entry: number): void {
    if (this.uses[entry] < MAX_USES) this.uses[entry]++;
  }

  /** A new key has taken the entry. */
  admit(entry: number, hash: number): void {
    this.uses[entry] = 0;
    this.push(this.isGhost(hash) ? this.main : this.trial, entry);
  }

  /** Removes the next entry to evict; `hashes` by entry. */
  evict(hashes: Int32Array): number {
    const { trial, main, uses } = this;
    for (;;) {
      if (trial.count > this.trialEntries || main.count === 0) {
        const entry = this.shift(trial);
        if (uses[entry] === 0) {
          this.remember(hashes[entry]);
          return entry;
        }
        uses[entry] = 0;
        this.push(main, entry);
      } else {
        const entry = this.shift(main);
        if (uses[entry] === 0) return entry;
        uses[entry]--;
        this.push(main, entry);
      }
    }
  }

  private push(queue: Queue, entry: number): void {
    if (queue.count++ === 0) queue.head = entry;
    else this.next[queue.tail] = entry;
    queue.tail = entry;
  }

  private shift(queue: Queue): number {
    const entry = queue.head;
    queue.head = this.next[entry];
    queue.count--;
    return entry;
  }

  private remember(hash: number): void {
    if (this.ghosts.length === 0) {
      const size = 2 ** Math.ceil(Math.log2(Math.max(16, this.mainEntries)));
      this.ghosts = new Int32Array(size);
      this.goneAt = new Int32Array(size);
    }
    const at = ghostAt(hash, this.ghosts.length);
    this.ghosts[at] = hash;
    this.gone = (this.gone + 1) | 0;
    this.goneAt[at] = this.gone;
  }

  /** Whether it went within the last ones, as many as the main queue has entries. */
  private isGhost(hash: number): boolean {
    if (this.ghosts.length === 0) return false;
    const at = ghostAt(hash, this.ghosts.length);
    return this.ghosts[at] === hash && this.goneAt[at] !== 0 && ((this.gone - this.goneAt[at]) | 0) < this.mainEntries;
  }
}

interface Queue {
  head: number;
  tail: number;
  count: number;
}

function ghostAt(hash: number, size: number): number {
  return hash & (size - 1);
}
