import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyModel } from '../../src/batching/latency-model.ts';
import { nextBatch } from '../../src/batching/policy.ts';
import { seeded } from '../fixtures/random.ts';

/**
 * A machine under contention: in bursts, a share of the runs of a + c·b stalls for 10 to 100 ms. Whatever was learned
 * meanwhile, a late backlog must not stay with small batches because of it, or it is late for ever.
 */
const SHAPES = [
  { fixedMs: 0.05, perRowMs: 0.001, budgetMs: 15 },
  { fixedMs: 0.4, perRowMs: 0.004, budgetMs: 20 },
  { fixedMs: 0.2, perRowMs: 0.02, budgetMs: 50 },
  { fixedMs: 4, perRowMs: 0.05, budgetMs: 50 },
];
type Shape = (typeof SHAPES)[number];
const MAX_BATCH = 2_048;
const BACKLOG = 10_000;
const SEEDS = 40;

class Machine {
  readonly model = new LatencyModel({ initialFixedMs: 1 });
  readonly random: () => number;
  private readonly shape: Shape;

  constructor(shape: Shape, seed: number) {
    this.shape = shape;
    this.random = seeded(seed);
  }

  decide(): number {
    const asked = { nowMs: 0, rows: BACKLOG, oldestMs: Number.NEGATIVE_INFINITY, arrivalsPerMs: 100, flushing: false };
    const decision = nextBatch(asked, this.model, { maxBatch: MAX_BATCH, budgetMs: this.shape.budgetMs });
    assert.ok('go' in decision);
    return decision.go;
  }

  run(rows: number, stallMs = 0): number {
    const tookMs = (this.shape.fixedMs + this.shape.perRowMs * rows) * (0.9 + 0.2 * this.random()) + stallMs;
    this.model.observe(rows, tookMs);
    return tookMs;
  }

  /** A stall of 10 to 100 ms, in a share of the runs of a burst. */
  stalled(runs: number, share: number, rows: () => number): number {
    let inBurst = true;
    let sum = 0;
    for (let n = 0; n < runs; n++) {
      if (this.random() < 0.05) inBurst = !inBurst;
      const size = rows();
      sum += size;
      this.run(size, inBurst && this.random() < share ? 10 + 90 * this.random() : 0);
    }
    return sum / runs;
  }

  /** Rows a ms of a late backlog, of the best that there is. */
  share(runs: number): number {
    let rows = 0;
    let tookMs = 0;
    for (let n = 0; n < runs; n++) {
      const size = this.decide();
      rows += size;
      tookMs += this.run(size);
    }
    return ((rows / tookMs) * (this.shape.fixedMs + this.shape.perRowMs * MAX_BATCH)) / MAX_BATCH;
  }
}

function calm(machine: Machine): void {
  for (let n = 0; n < 100; n++) machine.run(1 + Math.floor(machine.random() * 300));
}

for (const shape of SHAPES) {
  const name = `${shape.fixedMs} ms and ${shape.perRowMs} ms a row`;

  test(`while runs are interrupted, a late backlog goes in batches that carry it: ${name}`, () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const machine = new Machine(shape, seed);
      calm(machine);
      const mean = machine.stalled(300, 0.1 + 0.8 * machine.random(), () => machine.decide());
      assert.ok(mean > 100, `seed ${seed}: ${mean} rows a batch`);
    }
  });

  test(`two hundred batches after it a late backlog goes at nearly the best rate, whatever was learned: ${name}`, () => {
    const shares: number[] = [];
    for (let seed = 0; seed < 2 * SEEDS; seed++) {
      const machine = new Machine(shape, seed);
      if (seed % 2 === 0) calm(machine);
      const small = seed % 4 < 2;
      const rows = (): number => (small ? 1 + Math.floor(machine.random() * 16) : machine.decide());
      machine.stalled(20 + Math.floor(600 * machine.random()), machine.random(), rows);
      machine.share(200);
      shares.push(machine.share(100));
    }
    shares.sort((a, b) => a - b);
    assert.ok(shares[0] > 0.5, `${shares.slice(0, 4)} of the best rate`);
    assert.ok(shares[SEEDS] > 0.95, `${shares[SEEDS]} at the median`);
  });
}
