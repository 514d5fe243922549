import { arrivalsOf, capacityPerMs, EXECUTORS, MAX_BATCH, PATTERNS, type Pattern } from './batching/scenarios.ts';
import { type Arrivals, type Executor, type Outcome, play, type Rule } from './batching/simulation.ts';
import { readOptions, refuse } from './harness/options.ts';

/**
 * The batcher as shipped, with nothing set but the budget, against fixed sizes and delays: `node bench/batching.ts`.
 *
 * An event simulation without a clock: the same figures on every machine. For each load it plays the policy, "greedy"
 * (takes whatever waits, at once) and a grid of fixed rules, and prints the two best of the grid: for latency, the rule
 * with the lowest p99; for the machine, the least busy rule that misses at most one row in a thousand (or, if none
 * does, the one that misses least). `--all` plays more loads; a name, only the executors that begin with it.
 */
const USAGE = `node bench/batching.ts [--all] [EXECUTOR]

The batcher, simulated, beside fixed sizes and delays. No clock: the same figures on every machine.

  --all       seven loads in place of four
  EXECUTOR    only those whose name begins so:
${EXECUTORS.map(({ name }) => `              ${name}`).join('\n')}`;
const {
  options: { all },
  words: [only],
} = readOptions(USAGE, { all: { type: 'boolean', default: false } }, 1);
if (only !== undefined && !EXECUTORS.some(({ name }) => name.startsWith(only))) {
  refuse(`no executor begins with ${only}; --help has them`);
}
const LOADS = all ? [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95] : [0.3, 0.6, 0.8, 0.95];
const SIZES = [1, 8, 32, 64, 128, 256, 512, 1024];
const DELAYS_MS = [0, 1, 2, 5, 10, 20];
const DURATION_MS = 12_000;
/** Learning counts, except at the start. */
const COUNT_FROM_MS = 3_000;
const MISSES_ALLOWED = 0.001;
/** Watts of a busy core and of an idle one, for the energy of a million rows. */
const BUSY_WATTS = 10;
const IDLE_WATTS = 3;

interface Best {
  readonly rule: Exclude<Rule, string>;
  readonly outcome: Outcome;
}

function grid(executor: Executor, arrivals: Arrivals, perMs: number): Best[] {
  const found: Best[] = [];
  for (const size of SIZES) {
    // A rule that cannot keep up has no p99; a size that is full at once has no delay.
    if ((executor.runMs(size) / size) * perMs > 1) continue;
    for (const delayMs of DELAYS_MS) {
      if (delayMs > executor.budgetMs || (size === 1 && delayMs > 0)) continue;
      const rule = { size, delayMs };
      found.push({ rule, outcome: simulate(executor, arrivals, rule) });
    }
  }
  return found;
}

function simulate(executor: Executor, arrivals: Arrivals, rule: Rule): Outcome {
  return play({ executor, arrivals, rule, seed: 3, maxBatch: MAX_BATCH, countFromMs: COUNT_FROM_MS });
}

const keeps = ({ outcome }: Best): boolean => outcome.misses <= MISSES_ALLOWED;
const least = (of: readonly Best[], by: (outcome: Outcome) => number): Best =>
  of.reduce((best, each) => (by(each.outcome) < by(best.outcome) ? each : best));

function ruleText({ rule }: Best): string {
  return `${rule.size}, ${rule.delayMs} ms`;
}

function figures({ p99Ms, misses, busy }: Outcome, perMs: number): string {
  const joules = ((busy * BUSY_WATTS + (1 - busy) * IDLE_WATTS) / perMs) * 1_000;
  const digits = p99Ms < 10 ? 1 : 0;
  return `${p99Ms.toFixed(digits)} / ${percent(misses)} / ${Math.round(100 * busy)} / ${joules < 10 ? joules.toFixed(1) : Math.round(joules)}`;
}

function percent(share: number): string {
  return share === 0 ? '0' : (100 * share).toFixed(share < 0.1 ? 2 : 0);
}

function row(executor: Executor, pattern: Pattern, load: number): string {
  const perMs = load * capacityPerMs(executor);
  const arrivals = arrivalsOf(pattern, perMs, Math.max(DURATION_MS, 8_000 / perMs), 7);
  const ours = simulate(executor, arrivals, 'sluice');
  const greedy = simulate(executor, arrivals, 'greedy');
  const fixed = grid(executor, arrivals, perMs);
  const quick = least(fixed, ({ p99Ms }) => p99Ms);
  const kept = fixed.filter(keeps);
  const thrifty = kept.length > 0 ? least(kept, ({ busy }) => busy) : least(fixed, ({ misses }) => misses);
  const cells = [
    `${pattern} ${Math.round(100 * load)} %`,
    figures(ours, perMs),
    figures(greedy, perMs),
    figures(quick.outcome, perMs),
    ruleText(quick),
    figures(thrifty.outcome, perMs),
    ruleText(thrifty),
  ];
  return `| ${cells.join(' | ')} |`;
}

for (const executor of EXECUTORS) {
  if (only !== undefined && !executor.name.startsWith(only)) continue;
  console.log(`\n${executor.name}\n`);
  console.log(
    '| arrivals, load | Sluice | greedy | fixed, lowest p99 | its size, delay | fixed, least busy | its size, delay |',
  );
  console.log('|---|---|---|---|---|---|---|');
  for (const pattern of PATTERNS) for (const load of LOADS) console.log(row(executor, pattern, load));
}
