import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ledger } from '../fixtures/reader.ts';
import type { Sluice } from '../fixtures/sluice.ts';
import type { Upstream } from '../fixtures/upstream.ts';
import { type ExampleBench, flights } from './example-bench.ts';

export interface RoundsOptions {
  readonly rounds: number;
  /** In the group between rounds; within one there is one more. */
  readonly instances: number;
  readonly perSecond?: number;
}

const PARTITIONS = 6;
const TICK_MS = 50;

/** Instances come and go under load, and nobody downstream notices: nothing lost, nothing twice. */
export function groupRounds(name: string, bench: () => Promise<ExampleBench>, options: RoundsOptions): void {
  const { rounds, instances, perSecond = 2_000 } = options;
  describe(`${name}: an instance joins, another is told to stop`, () => {
    test(`${rounds} rounds, ${instances} instances, ${perSecond} flights a second: 0 lost, 0 duplicates, exit code 0`, async (t) => {
      const { variant, createTopics, upstream, run, answered, read, ends } = await bench();
      const topology = variant('rounds');
      await createTopics(topology, PARTITIONS);
      const load = startLoad(await upstream(topology.input), perSecond);
      t.after(() => load.stop());
      const group: Sluice[] = [];
      const join = async (): Promise<void> => {
        const child = run(topology.file);
        group.push(child);
        await child.ready();
      };
      for (let i = 0; i < instances; i++) await join();

      let misses = 0;
      for (let round = 1; round <= rounds; round++) {
        const sentBefore = load.sent();
        const oldest = group.shift() as Sluice;
        // In turns: the new one has joined when the old one is told to stop; or both at once, so that the group re-forms twice.
        const joined = join();
        if (round % 2 === 1) await joined;
        const code = await oldest.stop();
        await joined;
        assert.equal(code, 0, `round ${round}: exit code ${code}\n${oldest.stderr.slice(-3_000)}`);
        misses += deadlineMisses(oldest);
        await group[0].until('the load goes on', () => load.sent() - sentBefore > perSecond / 2);
      }

      const sent = await load.stop();
      await answered(group[0], topology, sent);
      for (const child of group) {
        assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
        misses += deadlineMisses(child);
      }
      const outputs = await read(topology.output);
      const deadLetters = await read(topology.deadLetter);
      const found = ledger({ topic: topology.input, ends: await ends(topology.input) }, outputs, deadLetters);
      t.diagnostic(
        `${rounds} rounds: ${sent} inputs, ${outputs.length} outputs, ${deadLetters.length} dead letters; ` +
          `${found.lost.length} lost, ${found.duplicates.length} duplicates; ${misses} drains missed their deadline`,
      );
      assert.deepEqual(
        {
          lost: found.lost.slice(0, 5),
          duplicates: found.duplicates.slice(0, 5),
          strangers: found.strangers.slice(0, 5),
        },
        { lost: [], duplicates: [], strangers: [] },
        `${found.lost.length} lost, ${found.duplicates.length} duplicates of ${sent}`,
      );
      assert.equal(outputs.length, sent);
      assert.equal(deadLetters.length, 0);
    });
  });
}

function deadlineMisses(child: Sluice): number {
  return child.logged('not drained before the re-join; records in flight may be published twice').length;
}

/** Sends at a steady rate until it is stopped. */
function startLoad(producer: Upstream, perSecond: number): { sent(): number; stop(): Promise<number> } {
  const events = flights('examples/flight-delay/flights.jsonl.gz');
  const stopping = new AbortController();
  let sent = 0;
  const running = (async () => {
    const startedMs = performance.now();
    while (!stopping.signal.aborted) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond) - sent;
      // Behind after a stall of this process, it catches up in portions.
      const chunk = Array.from({ length: Math.min(due, 500) }, (_, i) => {
        const flight = events[(sent + i) % events.length];
        return producer.message({ ...flight, id: sent + i });
      });
      if (chunk.length > 0) await producer.send(chunk);
      sent += chunk.length;
      if (due <= 500) await pause(TICK_MS);
    }
  })();
  return {
    sent: () => sent,
    async stop() {
      stopping.abort();
      await running;
      return sent;
    },
  };
}
