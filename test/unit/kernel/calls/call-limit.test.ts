import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcurrencyLimit } from '../../../../src/kernel/calls/call-limit.ts';
import { seeded } from '../../../fixtures/random.ts';

interface Server {
  /** Keys a call: from, to. */
  keys: readonly [number, number];
  /** Calls that are worked on at a time; others wait there. */
  places: number;
  /** What a call of 128 keys takes; a small one takes less. */
  ms: number;
}

/** A store in simulated time, and a client that has as many calls under way as it may, or as it needs. */
class Bench {
  readonly limit = new ConcurrencyLimit({ initial: 4, max: 64 });
  private readonly server: Server;
  private readonly noise: number;
  private readonly random: () => number;
  private nowMs = 0;
  private free: number[] = [];
  private readonly underWay: { startedMs: number; endsMs: number; keys: number; inFlight: number }[] = [];

  constructor(server: Server, noise: number, seed: number) {
    this.server = server;
    this.noise = noise;
    this.random = seeded(seed);
  }

  /** So many answers later: the share of what the server can do, and the limits seen on the way. */
  run(answers: number, demand = Number.POSITIVE_INFINITY) {
    const beganMs = this.nowMs;
    const limits: number[] = [];
    let workMs = 0;
    for (let n = 0; n < answers; n++) {
      while (this.underWay.length < Math.min(this.limit.allowed, demand)) workMs += this.send();
      let first = 0;
      this.underWay.forEach(({ endsMs }, k) => {
        if (endsMs < this.underWay[first].endsMs) first = k;
      });
      const [{ startedMs, endsMs, keys, inFlight }] = this.underWay.splice(first, 1);
      this.nowMs = endsMs;
      this.limit.answered(keys, endsMs - startedMs, inFlight);
      limits.push(this.limit.allowed);
    }
    const median = limits.sort((a, b) => a - b)[limits.length >> 1];
    return { used: workMs / (this.nowMs - beganMs) / this.server.places, median, most: limits.at(-1) as number };
  }

  private send(): number {
    const {
      places,
      ms,
      keys: [fewest, most],
    } = this.server;
    while (this.free.length < places) this.free.push(this.nowMs);
    this.free = this.free.sort((a, b) => a - b).slice(0, places);
    const keys = fewest + Math.floor(this.random() * (most + 1 - fewest));
    const takesMs = ms * (0.3 + (0.7 * keys) / 128) * (1 + this.noise * (2 * this.random() - 1));
    const endsMs = Math.max(this.nowMs, this.free[0]) + takesMs;
    this.free[0] = endsMs;
    this.underWay.push({ startedMs: this.nowMs, endsMs, keys, inFlight: this.underWay.length + 1 });
    return takesMs;
  }
}

/** Two calls for every one that is worked on keep a server busy; what is beyond that only waits. */
const isNear = (median: number, places: number): boolean => median >= places && median <= 2.5 * places + 3;

for (const places of [1, 2, 4, 8, 16, 24]) {
  for (const noise of [0, 0.3, 0.6]) {
    const settings = `a store of ${places} at a time, whose answers vary by ${noise}`;
    test(`${settings}: the limit comes near that, and stays; slower, or with less room, fewer; and back`, () => {
      const server: Server = { places, ms: 10, keys: [1, 128] };
      const bench = new Bench(server, noise, 100 * places + 10 * noise);
      bench.run(1_000);
      const steady = bench.run(5_000);
      assert.ok(isNear(steady.median, places), JSON.stringify(steady));
      assert.ok(steady.used > 0.93, JSON.stringify(steady));

      server.ms = 20;
      bench.run(4 * places);
      const slower = bench.run(8 * places);
      if (places >= 4) assert.ok(slower.median < steady.median, `${slower.median} after ${steady.median}`);
      bench.run(3_000);
      const usual = bench.run(3_000);
      assert.ok(isNear(usual.median, places), `what is slow for good is usual: ${JSON.stringify(usual)}`);

      server.ms = 10;
      bench.run(3_000);
      const again = bench.run(3_000);
      assert.ok(isNear(again.median, places) && again.used > 0.93, JSON.stringify(again));

      server.places = Math.ceil(places / 4);
      bench.run(1_000);
      const narrow = bench.run(3_000);
      assert.ok(isNear(narrow.median, server.places), JSON.stringify(narrow));
    });
  }
}

test('larger calls take longer, and are not taken for slow ones', () => {
  const server: Server = { places: 8, ms: 10, keys: [1, 3] };
  const bench = new Bench(server, 0.3, 5);
  const small = bench.run(5_000);
  server.keys = [100, 128];
  bench.run(20);
  const large = bench.run(200);
  assert.ok(large.median > 0.8 * small.median, `${large.median} after ${small.median}`);
});

test('a limit that is not used does not grow, and learns what a call takes all the same', () => {
  const bench = new Bench({ places: 50, ms: 10, keys: [1, 128] }, 0.3, 7);
  const idle = bench.run(5_000, 1);
  assert.deepEqual([idle.median, idle.most], [4, 4]);
  const busy = bench.run(5_000);
  assert.ok(busy.median > 40, JSON.stringify(busy));
});

test('no limit is above the most, or below one, whatever is answered', () => {
  const random = seeded(9);
  const limit = new ConcurrencyLimit({ initial: 4, max: 6 });
  for (let n = 0; n < 20_000; n++) {
    if (random() < 0.01) limit.overloaded();
    limit.answered(
      1 + Math.floor(random() * 4_000),
      random() < 0.1 ? 0 : random() ** 4 * 5_000,
      1 + Math.floor(random() * 8),
    );
    assert.ok(limit.allowed >= 1 && limit.allowed <= 6 && Number.isInteger(limit.allowed), String(limit.allowed));
  }
});

test('row 15: a store that says it is overloaded gets half as many calls, and by and by more again', () => {
  const bench = new Bench({ places: 16, ms: 10, keys: [1, 128] }, 0.3, 3);
  const { median } = bench.run(4_000);
  const seen: number[] = [];
  for (let n = 0; n < 6; n++) {
    bench.limit.overloaded();
    seen.push(bench.limit.allowed);
  }
  assert.ok(seen[0] <= median / 2 + 3 && seen[1] <= seen[0] / 2 + 1, `${median}, then ${seen}`);
  assert.equal(seen.at(-1), 1);
  bench.run(200);
  assert.ok(isNear(bench.run(500).median, 16));
});
