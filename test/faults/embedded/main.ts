/**
 * Plays seeds one after the other, several at a time, in a process of their own: a JSON line each on standard output.
 * node test/faults/embedded/main.ts --from 1 --count 20 --at-once 4 [--once] [--minutes 5]
 * --once: members deliver exactly once, and readers of committed records are the judge.
 */
import { parseArgs } from 'node:util';
import { schedule } from './faults.ts';
import { play } from './play.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '4' },
    once: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
  },
});
const untilMs = performance.now() + Number(values.minutes) * 60_000;
const last = Number(values.from) + Number(values.count);
let next = Number(values.from);

async function player(): Promise<void> {
  while (next < last && performance.now() < untilMs) {
    const plan = schedule(next++, { once: values.once });
    try {
      process.stdout.write(`${JSON.stringify(await play(plan))}\n`);
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ schedule: plan, broken: String((error as Error).stack) })}\n`);
    }
  }
}

await Promise.all(Array.from({ length: Number(values['at-once']) }, player));
// What a dead member left behind in the client goes on trying: it has nothing to say any more.
process.exit(0);
