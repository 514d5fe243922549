/**
 * The auditor: reads inputs, outputs, dead letters and the group's positions from outside, and says which invariant does not hold.
 *
 * Promise: shares no code with src/ (a test holds it to that); works against anything that speaks Kafka; bounded in time.
 * `audit` looks at the end, `observe` during the run. Positions are read first and outputs after them, so that the observer
 * makes no false accusation: what was committed at the first read is answered at the second, or was committed too early.
 * A leader that hung does not know its successor when it wakes, and for a moment answers with an outdated end: where brokers
 * hang, outputs are `dated`, so that an answer found later counts from its append, and positions are `logged`.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { IHeaders } from 'kafkajs';
import {
  type Account,
  type Answer,
  type Input,
  judge,
  type PartitionFacts,
  type Sample,
  sourceOf,
  type Terms,
} from './judge.ts';
import { askedPositions, loggedPositions, type Position } from './positions.ts';
import type { Seen, TopicReader } from './read.ts';
import { openReader } from './read-apart.ts';

export interface Watched {
  /** host:port,host:port */
  readonly brokers: string;
  readonly group: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly deadLetter: string;
}

export interface AuditOptions extends Terms {
  /** contiguous: every offset between the bounds is a record, and none is read (bombs in the input). Default: read them. */
  readonly inputs?: 'read' | 'contiguous';
  /** committed: what a downstream reader sees under exactly-once. Default: all. */
  readonly isolation?: 'committed' | 'uncommitted';
  /** Says what is wrong with an output by itself, or with it as the answer to that input. */
  readonly flaw?: (output: Seen, input: Seen | undefined) => string | undefined;
  /** Must appear in no output and in no header that we wrote. */
  readonly secrets?: readonly string[];
  /** What `observe` saw. */
  readonly observed?: Observation;
  /** For each read. */
  readonly withinMs?: number;
}

export interface Observation {
  readonly samples: readonly Sample[];
  /** Looks that failed because the cluster was away: they show nothing and accuse nobody. */
  readonly missed: number;
}

export interface Observer {
  /** Resolves after one last look, with everything observed. */
  stop(): Promise<Observation>;
}

/** The whole account. Throws only when the topics cannot be read; violations are in the account. */
export async function audit(watched: Watched, options: AuditOptions = {}): Promise<Account> {
  const { withinMs, secrets, flaw } = options;
  const reader = openReader(watched.brokers, { isolation: options.isolation, withinMs });
  const strict = openReader(watched.brokers, { withinMs });
  try {
    const inputs = new Map<string, Seen>();
    const partitions: PartitionFacts[] = [];
    for (const topic of watched.inputs) {
      const committed = await strict.committed(watched.group, topic);
      const read = options.inputs === 'contiguous' ? undefined : await reader.readOn(topic);
      const bounds = await strict.bounds(topic);
      for (const record of read ?? []) if (flaw !== undefined) inputs.set(sourceOf(record), record);
      bounds.forEach(({ low, end }, partition) => {
        const offsets =
          read === undefined
            ? Array.from({ length: end - low }, (_, index) => low + index)
            : read.flatMap((record) => (record.partition === partition ? [record.offset] : []));
        partitions.push({ topic, partition, offsets, low, end, committed: committed[partition] ?? -1 });
      });
    }
    const outputs = await reader.readOn(watched.output);
    const letters = await reader.readOn(watched.deadLetter);
    const answers = [...outputs.map((seen) => published(seen, inputs, flaw)), ...letters.map(deadLettered)];
    return judge(
      {
        partitions,
        answers,
        samples: options.observed?.samples,
        hanging: [...reader.hanging],
        leaks: secrets?.flatMap((secret) => [...outputs, ...letters].flatMap((seen) => leakOf(seen, secret))),
      },
      options,
    );
  } finally {
    await Promise.all([reader.close(), strict.close()]);
  }
}

/** Looks repeatedly until it is stopped. `everyMs` is the pause between looks. */
export function observe(
  watched: Watched,
  options: {
    readonly everyMs?: number;
    readonly dropped?: (input: Input) => boolean;
    /** The output topic has LogAppendTime. */
    readonly dated?: boolean;
    readonly isolation?: AuditOptions['isolation'];
    /** Positions come from the coordinators' log, which the embedded broker does not have; default: they are asked for. */
    readonly logged?: boolean;
  } = {},
): Observer {
  const { everyMs = 100, dropped, isolation, dated = false, logged = false } = options;
  const reader = openReader(watched.brokers, { withinMs: 5_000, isolation });
  const log = openReader(watched.brokers, { withinMs: 5_000, isolation: 'committed' });
  const positionsOf = logged
    ? loggedPositions(log, watched.group, watched.inputs)
    : askedPositions(reader, watched.group, watched.inputs);
  const samples: (Sample & { readonly atMs: number })[] = [];
  /** By source, the time of the first append where outputs are dated, and 0 where any time will do. */
  const answered = new Map<string, number>();
  const open = new Map<string, Input[]>();
  /** Positions that wait for a complete look. */
  const seen: Position[] = [];
  let missed = 0;
  let stopped = false;

  async function look(): Promise<void> {
    seen.push(...(await positionsOf()));
    // Only now, after the positions.
    const atMs = Date.now();
    for (const { headers, timestampMs } of await reader.readOn(watched.output)) {
      const source = headerText(headers, 'sluice-source');
      answered.set(source, Math.min(answered.get(source) ?? Number.POSITIVE_INFINITY, dated ? timestampMs : 0));
    }
    for (const letter of await reader.readOn(watched.deadLetter)) answered.set(letterSource(letter), 0);
    for (const topic of watched.inputs) {
      for (const { partition, offset } of await reader.readOn(topic)) {
        const name = `${topic}/${partition}`;
        const waiting = open.get(name) ?? [];
        open.set(name, waiting);
        waiting.push({ topic, partition, offset });
      }
    }
    for (const { topic, partition, committed } of seen.splice(0)) {
      const waiting = open.get(`${topic}/${partition}`) ?? [];
      const until = waiting.findIndex(({ offset }) => offset >= committed);
      const passed = waiting.splice(0, until < 0 ? waiting.length : until);
      const unanswered = passed.filter((input) => !answered.has(sourceOf(input)) && dropped?.(input) !== true);
      samples.push({ topic, partition, committed, atMs, unanswered: unanswered.map(sourceOf) });
    }
  }

  const looking = (async (): Promise<void> => {
    for (let last = false; !last; ) {
      last = stopped;
      try {
        await look();
      } catch {
        missed++;
      }
      if (!last) await pause(everyMs);
    }
  })();

  return {
    async stop() {
      stopped = true;
      await looking;
      await Promise.all([reader.close(), log.close()]);
      if (!dated) return { samples, missed };
      const isLate = (source: string, atMs: number) => (answered.get(source) ?? Number.POSITIVE_INFINITY) > atMs;
      const judged = samples.map((sample) => ({
        ...sample,
        unanswered: sample.unanswered.filter((source) => isLate(source, sample.atMs)),
      }));
      return { samples: judged, missed };
    },
  };
}

/** Resolves when the group has committed everything that its topics hold; with the milliseconds that it took. */
export async function untilDrained(watched: Watched, withinMs: number): Promise<number> {
  const reader = openReader(watched.brokers, { withinMs });
  const startedMs = performance.now();
  try {
    for (;;) {
      const behind = await lagOf(reader, watched);
      if (behind === 0) return performance.now() - startedMs;
      if (performance.now() - startedMs > withinMs)
        throw new Error(`the lag of group ${watched.group} is still ${behind} after ${withinMs / 1000} s`);
      await pause(50);
    }
  } finally {
    await reader.close();
  }
}

/** Violations as text for an assertion; empty when the ledger is exact. */
export function describeViolations({ violations }: Account): string {
  return violations
    .map(({ invariant, what, count, examples }) => `${invariant} ${what}: ${count}, as ${examples.join('; ')}`)
    .join('\n');
}

async function lagOf(reader: TopicReader, { group, inputs }: Watched): Promise<number> {
  let lag = 0;
  for (const topic of inputs) {
    const bounds = await reader.bounds(topic);
    const committed = await reader.committed(group, topic);
    bounds.forEach(({ low, end }, partition) => {
      lag += Math.max(0, end - Math.max(low, committed[partition] ?? -1));
    });
  }
  return lag;
}

function published(seen: Seen, inputs: ReadonlyMap<string, Seen>, flaw: AuditOptions['flaw']): Answer {
  const source = headerText(seen.headers, 'sluice-source');
  return {
    kind: 'published',
    ...placeOf(seen),
    source,
    model: headerText(seen.headers, 'sluice-model'),
    reason: '',
    flaw: flaw?.(seen, inputs.get(source)),
  };
}

function deadLettered(seen: Seen): Answer {
  return {
    kind: 'dead-lettered',
    ...placeOf(seen),
    source: letterSource(seen),
    model: headerText(seen.headers, '__dlq.errors.model'),
    reason: headerText(seen.headers, '__dlq.errors.reason'),
  };
}

function placeOf({ topic, partition, offset, key, value }: Seen) {
  return {
    topic,
    partition,
    offset,
    key: key === null ? null : key.toString('latin1'),
    value,
    content: value === null ? '' : createHash('sha1').update(value).digest('base64'),
  };
}

function letterSource({ headers }: Seen): string {
  return ['topic', 'partition', 'offset'].map((part) => headerText(headers, `__dlq.errors.${part}`)).join('/');
}

/** A header as text; several of one name with commas between; empty where it is not there. */
export function headerText(headers: IHeaders, name: string): string {
  return String(headers[name] ?? '');
}

/** In a dead letter, key, value and foreign headers are the sender's own: only what we added is checked. */
function leakOf(seen: Seen, secret: string): string[] {
  const ours = Object.entries(seen.headers).filter(([name]) => /^(__dlq\.errors|sluice)/.test(name));
  const isLetter = letterSource(seen) !== '//';
  const texts = [
    ...ours.map(([, value]) => String(value)),
    ...(isLetter ? [] : [String(seen.key), String(seen.value)]),
  ];
  return texts.some((text) => text.includes(secret)) ? [`${seen.topic}/${seen.partition}@${seen.offset}`] : [];
}
