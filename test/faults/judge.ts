/**
 * The invariants of the ledger, over facts that were read from outside; pure. FAULTS names them:
 * I1 no loss · I2 one fate for each, at rest · I3 duplicates bounded, equal · I4 commits monotone, never past what is answered ·
 * I5 order of first occurrences · I6 no commit for what is not owned · I8 the lag drains · I11 no secret gets out.
 */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I8' | 'I11';

/** One record of the input, by its coordinates. */
export interface Input {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One output or dead letter. */
export interface Answer {
  readonly kind: 'published' | 'dead-lettered';
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** `topic/partition/offset` of the input, as the answer says. */
  readonly source: string;
  readonly key: string | null;
  /** Equal for equal content. */
  readonly content: string;
  readonly value?: Buffer | null;
  /** `NAME@VERSION#digest`. */
  readonly model: string;
  /** Of a dead letter. */
  readonly reason: string;
  /** What is wrong with the answer by itself, if anything, such as a NaN. */
  readonly flaw?: string;
}

/** The group's position at one look, and the inputs below it that had no answer in the outputs read afterwards. */
export interface Sample {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
  readonly unanswered: readonly string[];
}

export interface PartitionFacts {
  readonly topic: string;
  readonly partition: number;
  /** Records that are in the topic, or were seen there. */
  readonly offsets: readonly number[];
  /** Below it records may have been deleted. */
  readonly low: number;
  readonly end: number;
  /** -1: nothing. */
  readonly committed: number;
}

export interface Facts {
  readonly partitions: readonly PartitionFacts[];
  readonly answers: readonly Answer[];
  /** In the order of time. */
  readonly samples?: readonly Sample[];
  /** Partitions of outputs whose end cannot be read for an open transaction. */
  readonly hanging?: readonly string[];
  /** Secrets, and where they were found. */
  readonly leaks?: readonly string[];
}

/** What the scenario declares; by default everything must be published or dead-lettered once its faults are over. */
export interface Terms {
  /** Nothing is in flight any more: everything must be answered and committed. Default true. */
  readonly atRest?: boolean;
  /** `topic/partition/offset` of records whose producer was told that they are written. */
  readonly acknowledged?: ReadonlySet<string>;
  /** Declared drops: tombstones, an overload ladder that skips. They may still have an earlier answer. */
  readonly dropped?: (input: Input) => boolean;
  /** Which fate an input must have; undefined: either. */
  readonly expected?: (input: Input) => Answer['kind'] | undefined;
  /** The most duplicates allowed. */
  readonly maxDuplicates?: number;
  /**
   * Whether two answers of one model to one input are equivalent although their bytes differ. A runtime may round the last bit of a
   * row otherwise when it runs among other rows. Default: they do not.
   */
  readonly alike?: (first: Answer, again: Answer) => boolean;
  /** A record may be published by one life and dead-lettered by the next (quarantine, a schema that was away). */
  readonly mayChangeFate?: boolean;
  /**
   * Members die of something else than records: one that was under way each time may be quarantined for it, in place of the fate it
   * must have, or beside it.
   */
  readonly mayQuarantine?: boolean;
  /** Whether order is checked: off if a zombie's late outputs are part of the scenario, and for `order: none`. Default true. */
  readonly order?: boolean;
  /** A reset of the group's positions is part of the scenario. */
  readonly mayRewind?: boolean;
}

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
  readonly count: number;
  readonly examples: readonly string[];
}

export interface Account {
  readonly inputs: number;
  /** Distinct inputs with such an answer. */
  readonly published: number;
  readonly deadLettered: number;
  /** Declared drops without an answer. */
  readonly dropped: number;
  /** Answers beyond the first, and what they answer. */
  readonly duplicates: { readonly count: number; readonly sources: readonly string[] };
  /** Inputs that were deleted before anybody answered them. */
  readonly truncated: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly models: Readonly<Record<string, number>>;
  /** Input partition → output partition pairs whose order was looked at. */
  readonly lanes: number;
  readonly committed: readonly { topic: string; partition: number; committed: number; end: number }[];
  /** Records behind the positions of the group. */
  readonly lag: number;
  /** Looks of the live observer. */
  readonly samples: number;
  readonly checked: readonly Invariant[];
  readonly violations: readonly Violation[];
}

const EXAMPLES = 10;
/** A record that a broker refuses is dead-lettered after the ones behind it: the declared exception to order. */
const OUT_OF_ORDER = new Set(['unpublishable']);

export const sourceOf = ({ topic, partition, offset }: Input): string => `${topic}/${partition}/${offset}`;

export function judge(facts: Facts, terms: Terms = {}): Account {
  const { atRest = true } = terms;
  const found = new Map<string, { invariant: Invariant; what: string; all: string[] }>();
  const accuse = (invariant: Invariant, what: string, example: string): void => {
    const entry = found.get(invariant + what) ?? { invariant, what, all: [] };
    entry.all.push(example);
    found.set(invariant + what, entry);
  };

  const same = (first: Answer, again: Answer): boolean =>
    first.content === again.content || terms.alike?.(first, again) === true;
  const excused = ({ reason }: Answer): boolean => terms.mayQuarantine === true && reason === 'quarantined';
  const inputs = new Map<string, { readonly input: Input; readonly below: boolean }>();
  let truncated = 0;
  for (const { topic, partition, offsets, committed } of facts.partitions) {
    for (const offset of offsets) {
      const input = { topic, partition, offset };
      inputs.set(sourceOf(input), { input, below: offset < committed });
    }
  }
  const byPartition = new Map(facts.partitions.map((each) => [`${each.topic}/${each.partition}`, each]));
  for (const source of terms.acknowledged ?? []) {
    if (inputs.has(source)) continue;
    const { topic, partition, offset } = parse(source);
    const known = byPartition.get(`${topic}/${partition}`);
    const below = known !== undefined && offset < known.committed;
    inputs.set(source, { input: { topic, partition, offset }, below });
  }

  const firsts = new Map<string, Answer>();
  const both = new Map<string, Set<Answer['kind']>>();
  const again: string[] = [];
  const lanes = new Map<string, { readonly offset: number; readonly at: string }>();
  const reasons: Record<string, number> = {};
  const models: Record<string, number> = {};
  // By their own offsets: readers hand partitions over in any order.
  const answers = [...facts.answers].sort((a, b) =>
    a.topic !== b.topic
      ? Number(a.topic > b.topic) - 0.5
      : a.partition !== b.partition
        ? a.partition - b.partition
        : a.offset - b.offset,
  );
  for (const answer of answers) {
    const { source, kind, topic, partition, model, reason } = answer;
    const at = `${source} in ${topic}/${partition}@${answer.offset}`;
    const from = inputs.get(source);
    if (from === undefined) {
      const { topic: of, partition: p, offset } = parse(source);
      const known = byPartition.get(`${of}/${p}`);
      if (known === undefined || offset >= known.low || offset < 0)
        accuse('I2', 'an answer to what was never asked', at);
    }
    if (answer.flaw !== undefined) accuse('I2', `published although ${answer.flaw}`, at);
    const first = firsts.get(source);
    const kinds = both.get(source) ?? new Set();
    both.set(source, kinds.add(kind));
    if (first !== undefined) {
      again.push(source);
      if (first.kind === kind) {
        if (first.key !== answer.key) accuse('I3', 'a duplicate has another key', at);
        else if (kind === 'published' && first.model === model && !same(first, answer))
          accuse('I3', 'a duplicate of the same model has other content', at);
      } else if (terms.mayChangeFate !== true && !excused(first) && !excused(answer))
        accuse('I2', 'published and dead-lettered', at);
      continue;
    }
    firsts.set(source, answer);
    if (kind === 'dead-lettered') reasons[reason] = (reasons[reason] ?? 0) + 1;
    else models[model] = (models[model] ?? 0) + 1;
    const expected = from && terms.expected?.(from.input);
    if (expected !== undefined && expected !== kind && !excused(answer))
      accuse('I2', `to be ${expected}, was ${kind}`, at);
    if (OUT_OF_ORDER.has(reason)) continue;
    const { topic: of, partition: p, offset } = parse(source);
    const lane = `${of}/${p} → ${topic}/${partition}`;
    const before = lanes.get(lane);
    if (before !== undefined && before.offset > offset && terms.order !== false)
      accuse('I5', 'first occurrences out of order', `${at} after ${before.at}`);
    else lanes.set(lane, { offset, at });
  }

  let dropped = 0;
  for (const [source, { input, below }] of inputs) {
    if (firsts.has(source)) continue;
    if (terms.dropped?.(input)) {
      dropped++;
      continue;
    }
    const { low = 0 } = byPartition.get(`${input.topic}/${input.partition}`) ?? {};
    if (input.offset < low) truncated++;
    else if (below) accuse('I1', 'committed without an answer: lost', source);
    else if (atRest) accuse('I2', 'no answer at rest', source);
  }
  if (terms.maxDuplicates !== undefined && again.length > terms.maxDuplicates)
    for (const source of again) accuse('I3', `more duplicates than ${terms.maxDuplicates}`, source);

  let lag = 0;
  for (const { topic, partition, committed, end, low } of facts.partitions) {
    const behind = end - Math.max(committed, low);
    lag += Math.max(0, behind);
    if (committed > end && terms.mayRewind !== true)
      accuse('I4', 'committed past the end', `${topic}/${partition} at ${committed} of ${end}`);
    if (atRest && behind > 0)
      accuse('I8', 'lag at rest', `${topic}/${partition}: ${behind} behind, ${committed} of ${end}`);
  }
  const last = new Map<string, number>();
  for (const { topic, partition, committed, unanswered } of facts.samples ?? []) {
    const name = `${topic}/${partition}`;
    const before = last.get(name) ?? -1;
    if (committed < before && terms.mayRewind !== true) {
      accuse('I4', 'the position went back', `${name} from ${before} to ${committed}`);
      // An owner begins at the committed position and goes up: only a former owner can move it back.
      accuse('I6', 'a commit of somebody whose ownership was over', `${name} from ${before} to ${committed}`);
    }
    last.set(name, committed);
    const { low = 0 } = byPartition.get(name) ?? {};
    for (const source of unanswered) {
      // Inputs deleted meanwhile may have been passed over.
      if (parse(source).offset >= low) accuse('I4', 'committed before it was answered', source);
    }
  }
  for (const name of facts.hanging ?? []) accuse('I8', 'a transaction stays open in front of the end', name);
  for (const leak of facts.leaks ?? []) accuse('I11', 'a secret got out', leak);

  const checked: Invariant[] = ['I1', 'I2', 'I3'];
  if ((facts.samples ?? []).length > 0) checked.push('I4', 'I6');
  if (terms.order !== false) checked.push('I5');
  if (atRest) checked.push('I8');
  if (facts.leaks !== undefined) checked.push('I11');
  const kinds = [...firsts.values()].map(({ kind }) => kind);
  return {
    inputs: inputs.size,
    published: kinds.filter((kind) => kind === 'published').length,
    deadLettered: kinds.filter((kind) => kind === 'dead-lettered').length,
    dropped,
    duplicates: { count: again.length, sources: again },
    truncated,
    reasons,
    models,
    lanes: lanes.size,
    committed: facts.partitions.map(({ topic, partition, committed, end }) => ({ topic, partition, committed, end })),
    lag,
    samples: facts.samples?.length ?? 0,
    checked,
    violations: [...found.values()].map(({ invariant, what, all }) => ({
      invariant,
      what,
      count: all.length,
      examples: all.slice(0, EXAMPLES),
    })),
  };
}

export function parse(source: string): Input {
  const second = source.lastIndexOf('/');
  const first = source.lastIndexOf('/', second - 1);
  return {
    topic: source.slice(0, first),
    partition: Number(source.slice(first + 1, second)),
    offset: Number(source.slice(second + 1)),
  };
}
