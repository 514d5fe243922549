import { type Clock, pause } from '../../kernel/clock.ts';
import type { Extent, LogRecord, TopicLog } from '../../ports/topic-log.ts';
import { letterOf } from '../look/dead-letter.ts';
import type { Ledger } from './ledger.ts';
import { BENCH_HEADER } from './load.ts';

export interface Watch {
  /** From here on, answers go to this ledger and poll times are collected anew. */
  begin(ledger: Ledger): void;
  /** One entry per poll of the output topic since `begin`, ms. */
  looksMs(): Float64Array;
  /** Resolves when the current poll is over; rejects if reading failed. */
  close(): Promise<void>;
}

/** Between polls, so that the reader does not occupy the event loop. */
const PAUSE_MS = 1;
const DEAD_LETTERS_EVERY_MS = 100;

/**
 * Reads a pipeline's output and dead-letter topics from their ends, without a group, and reports to the ledger. Each poll first asks
 * for the end offsets, which brokers answer at once, and fetches only what is there: a fetch that waits would block those of other
 * partitions on the same connection. An answer is timed when it is seen.
 */
export async function startWatch(
  { clock, log }: { readonly clock: Clock; readonly log: TopicLog },
  { output, deadLetters }: { readonly output: string; readonly deadLetters: string },
): Promise<Watch> {
  const positions = new Map<string, number[]>();
  for (const topic of [output, deadLetters])
    positions.set(
      topic,
      (await log.extents(topic)).map(({ end }) => end),
    );
  const closing = new AbortController();
  let ledger: Ledger | undefined;
  let looks: number[] = [];
  let deadLettersAtMs = Number.NEGATIVE_INFINITY;

  async function look(topic: string, visit: (record: LogRecord) => void): Promise<void> {
    const at = positions.get(topic) as number[];
    for (const [partition, { end }] of (await log.extents(topic)).entries()) {
      at[partition] ??= 0;
      if (at[partition] >= end) continue;
      at[partition] = await log.read(topic, partition, { from: at[partition], to: end }, (record) => {
        visit(record);
        return true;
      });
    }
  }

  function onOutput({ headers }: LogRecord): void {
    const source = headers.find(({ name }) => name === 'sluice-source')?.value;
    if (source) ledger?.answer(source.toString('latin1'), clock.monotonicMs());
  }

  function onDeadLetter(record: LogRecord): void {
    const letter = letterOf(record);
    if (letter === undefined) return;
    const { topic, partition, offset } = letter.source;
    ledger?.answer(`${topic}/${partition}/${offset}`, clock.monotonicMs(), letter.reason);
  }

  async function watch(): Promise<void> {
    while (!closing.signal.aborted) {
      const startedMs = clock.monotonicMs();
      await look(output, onOutput);
      if (startedMs - deadLettersAtMs >= DEAD_LETTERS_EVERY_MS) {
        deadLettersAtMs = startedMs;
        await look(deadLetters, onDeadLetter);
      }
      looks.push(clock.monotonicMs() - startedMs);
      await pause(clock, PAUSE_MS, closing.signal);
    }
  }

  const watching = watch();
  // `close` reports the failure; until then it must not be an unhandled rejection.
  watching.catch(() => closing.abort());
  return {
    begin(next) {
      ledger = next;
      looks = [];
    },
    looksMs: () => Float64Array.from(looks),
    close() {
      closing.abort();
      return watching;
    },
  };
}

/** Reads back what the bench wrote from `starts` on and records in the ledger where each record is; others' are skipped. */
export async function claimSent(
  log: TopicLog,
  starts: ReadonlyMap<string, readonly Extent[]>,
  run: string,
  ledger: Ledger,
): Promise<void> {
  const mark = `${run}/`;
  for (const [topic, extents] of starts) {
    for (const [partition, { end }] of (await log.extents(topic)).entries()) {
      const from = extents[partition]?.end ?? 0;
      if (from >= end) continue;
      await log.read(topic, partition, { from, to: end }, ({ offset, headers }) => {
        const value = headers.find(({ name }) => name === BENCH_HEADER)?.value?.toString('latin1');
        if (value?.startsWith(mark)) ledger.claim(topic, partition, offset, Number(value.slice(mark.length)));
        return true;
      });
    }
  }
}
