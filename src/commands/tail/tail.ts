import { pause } from '../../kernel/clock.ts';
import { classify, EXIT } from '../../kernel/errors.ts';
import type { Extent, LogRecord, Range } from '../../ports/topic-log.ts';
import type { Io } from '../io.ts';
import { type Bound, noPartition, offsetsOf, parseBound } from '../look/bounds.ts';
import { readByTime } from '../look/by-time.ts';
import { type Look, withLook } from '../look/connect.ts';
import { paintFor } from '../look/paint.ts';
import { plainRecord, recordLine } from '../look/show.ts';
import { readTopology } from '../prepare.ts';
import { createMisses, type Misses } from './misses.ts';
import { parseWhere, type Where } from './where.ts';

export interface TailOptions {
  readonly topic: string;
  readonly topology?: string | undefined;
  readonly brokers?: readonly string[] | undefined;
  readonly registry?: string | undefined;
  readonly from?: string | undefined;
  readonly partition?: number | undefined;
  readonly limit?: number | undefined;
  readonly where: readonly string[];
  readonly key?: string | undefined;
  readonly follow: boolean;
  readonly exit: boolean;
  readonly json: boolean;
}

const LOOK_AGAIN_MS = 250;
const SHOWN_AT_FIRST = 10;

/** `sluice tail`: prints records of a topic as lines. Joins no group and commits nothing. Resolves with the exit code. */
export async function tail(options: TailOptions, io: Io): Promise<number> {
  const where = options.where.map(parseWhere);
  const from = parseBound('--from', options.from ?? defaultFrom(options), io.clock.wallMs());
  const topology = options.topology === undefined ? undefined : readTopology(options.topology, io.env);
  const { brokers, registry } = options;
  const stopping = new AbortController();
  const forget = io.onSignal(() => stopping.abort());
  // The reader has seen enough: not a failure, and nothing to report.
  const gone = (): void => stopping.abort();
  io.stdout.on('error', gone);
  try {
    return await withLook({ topology, brokers, registry }, io, (look) =>
      show(options, { io, look, where, from, signal: stopping.signal }),
    );
  } finally {
    io.stdout.off('error', gone);
    forget();
  }
}

/** Like `tail -f`: the last few records, then new ones. With a filter those few would rarely match. */
function defaultFrom({ limit, where, key, follow, exit }: TailOptions): string {
  const filters = where.length > 0 || key !== undefined;
  const ends = !follow && (limit !== undefined || exit);
  if (filters && ends) return 'earliest';
  if (follow && limit !== undefined) return 'latest';
  return `-${limit === undefined ? SHOWN_AT_FIRST : limit}`;
}

interface Showing {
  readonly io: Io;
  readonly look: Look;
  readonly where: readonly Where[];
  readonly from: Bound;
  readonly signal: AbortSignal;
}

async function show(options: TailOptions, showing: Showing): Promise<number> {
  const { topic, limit, exit } = options;
  const { io, look, from, signal } = showing;
  const partitions = async (): Promise<Map<number, Extent>> => chosen(options, from, await look.extents(topic));
  const follow = options.follow || (limit === undefined && !exit);
  let ends = await partitions();
  const positions = await offsetsOf(from, '--from', topic, ends, look.log);
  const misses = createMisses(topic, showing.where);
  const lines = createLines(options, showing, misses);
  // The last records over several partitions are known only once all are read, so more are read than were asked for.
  const newest = limit !== undefined && !follow && from.kind === 'last' && ends.size > 1;
  const visit = async (record: LogRecord): Promise<boolean> => {
    positions.set(record.partition, record.offset + 1);
    const line = await lines.of(record);
    if (line !== undefined) await lines.add(line);
    return !signal.aborted && (newest || limit === undefined || lines.count < limit);
  };
  let isAway = false;
  for (let round = 0; ; round++) {
    try {
      if (round > 0) ends = await partitions();
      const ranges = rangesFrom(topic, positions, ends, io);
      for (const [partition, ended] of await readByTime(look.log, topic, ranges, visit)) {
        positions.set(partition, Math.max(ended, positions.get(partition) ?? ended));
      }
      if (isAway) io.stderr.write(`${topic} can be read again\n`);
      isAway = false;
    } catch (thrown) {
      const error = classify(thrown);
      if (!follow || error.disposition !== 'retry') throw thrown;
      if (!isAway) io.stderr.write(`${error.message}; waiting for it, Ctrl-C ends\n`);
      isAway = true;
    }
    if (!follow || signal.aborted || (limit !== undefined && lines.count >= limit)) break;
    await pause(io.clock, LOOK_AGAIN_MS, signal);
    if (signal.aborted) break;
  }
  await lines.end();
  const said = signal.aborted ? undefined : misses.say(lines.count, ends);
  if (said !== undefined) io.stderr.write(`${said}\n`);
  return EXIT.done;
}

/**
 * What to read next. A new partition is read from its start. One that ends below what was read has been replaced (recreated, or
 * truncated by an unclean election): it continues from its start if nothing in it has expired, otherwise from its end.
 */
export function rangesFrom(
  topic: string,
  positions: Map<number, number>,
  ends: ReadonlyMap<number, Extent>,
  { stderr }: Pick<Io, 'stderr'>,
): ReadonlyMap<number, Range> {
  const ranges = new Map<number, Range>();
  for (const [partition, { start, end }] of ends) {
    let from = positions.get(partition) ?? start;
    if (from > end) {
      const next = start === 0 ? 0 : end;
      stderr.write(
        `${topic}/${partition} ends at offset ${end}, and was read up to ${from}: recreated or truncated; continuing from ${next}\n`,
      );
      from = next;
    }
    positions.set(partition, from);
    ranges.set(partition, { from, to: end });
  }
  return ranges;
}

function chosen({ topic, partition }: TailOptions, from: Bound, extents: readonly Extent[]): Map<number, Extent> {
  const named = partition === undefined ? [] : [partition];
  const meant = from.kind === 'offsets' ? [...from.offsets.keys()] : [...extents.keys()];
  const option = partition === undefined ? '--from' : '--partition';
  const missing = [...named, ...meant].find((each) => extents[each] === undefined);
  if (missing !== undefined) throw noPartition(option, topic, missing, extents.length);
  return new Map([...extents.entries()].filter(([each]) => meant.includes(each) && (named[0] ?? each) === each));
}

interface Lines {
  readonly count: number;
  /** Undefined if a filter does not match. */
  of(record: LogRecord): Promise<{ readonly text: string } | undefined>;
  add(line: { readonly text: string }): Promise<void>;
  end(): Promise<void>;
}

function createLines(options: TailOptions, { io, look, where, from, signal }: Showing, misses: Misses): Lines {
  const { topic, json, limit, key: wantedKey } = options;
  const paint = paintFor(io);
  const last = limit !== undefined && from.kind === 'last' && !options.follow ? limit : undefined;
  let kept: string[] = [];
  let count = 0;

  async function write(text: string): Promise<void> {
    if (io.stdout.write(`${text}\n`) || signal.aborted) return;
    // What a slow reader has not read must not pile up in memory.
    await new Promise<void>((resolve) => {
      const done = (): void => {
        io.stdout.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      io.stdout.on('drain', done);
      signal.addEventListener('abort', done);
    });
  }

  return {
    get count() {
      return count;
    },
    async of(record) {
      const key = await look.values.key(record.key);
      const value = await look.values.value(topic, record.value);
      misses.seen(record, value.value);
      if (wantedKey !== undefined && textOfKey(key.value) !== wantedKey) return undefined;
      if (!where.every((each) => each.holds(record, value.value))) return undefined;
      const text = json
        ? JSON.stringify(plainRecord(topic, record, key, value))
        : recordLine(record, key, value, paint);
      return { text };
    },
    async add({ text }) {
      count++;
      if (last === undefined) return write(text);
      kept.push(text);
      if (kept.length >= 2 * last) kept = kept.slice(-last);
    },
    async end() {
      if (last !== undefined) for (const text of kept.slice(-last)) await write(text);
    },
  };
}

function textOfKey(key: unknown): string | undefined {
  return typeof key === 'string' || key === undefined ? key : JSON.stringify(key);
}
