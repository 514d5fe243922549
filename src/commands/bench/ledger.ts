import type { Extent } from '../../ports/topic-log.ts';

/**
 * What was sent and what became of it. A record is known by the place that the broker gave it, `topic/partition/offset`, and by
 * nothing in it: that place is what an output says of its input (`sluice-source`) and a dead letter of its record.
 *
 * Answers are kept by place as they come, also those to records of others; which places are ours is known once the source
 * topic has been read back (`claim`). Typed arrays, no object per record. Times are monotonic ms.
 */
export interface Ledger {
  /** Makes room for record `seq`, which is meant to be sent at `intendedMs`. */
  intend(seq: number, intendedMs: number): void;
  /** Record `seq` lies there. */
  claim(topic: string, partition: number, offset: number, seq: number): void;
  /** Something that says it is made of what lies there was seen: a prediction, or a dead letter with its reason. */
  answer(place: string, atMs: number, deadLetter?: string): void;
  /** Answers so far to places behind the start, others' records among them. */
  readonly answers: number;
  /** Records that have none, among those claimed. */
  waiting(): number;
  /** `endMs`: when the sending ended. */
  outcome(endMs: number): Outcome;
}

/** Kinds of answers; from DEAD_LETTER on there is one a reason. */
const PREDICTION = 1;
const DEAD_LETTER = 2;

export interface Outcome {
  readonly sent: number;
  readonly predictions: number;
  readonly deadLetters: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** Neither: late, lost, or a declared drop. */
  readonly unanswered: number;
  /** Further answers to what was answered already: at-least-once after a crash. */
  readonly duplicates: number;
  /** Of predictions, from the intended time of sending, sorted, ms. */
  readonly latencies: Float64Array;
  /** Without an answer when the sending ended. */
  readonly underWay: number;
}

interface Places {
  readonly start: number;
  /** One entry an offset: record there, -1 for somebody else's. */
  seqs: Int32Array;
  answeredMs: Float64Array;
  kinds: Uint8Array;
  again: Uint16Array;
}

export function createLedger(starts: ReadonlyMap<string, readonly Extent[]>): Ledger {
  const partitions = new Map<string, Places>();
  for (const [topic, extents] of starts)
    extents.forEach(({ end }, partition) => void partitions.set(`${topic}/${partition}`, placesFrom(end)));
  let intended = new Float64Array(1024);
  let sent = 0;
  let answers = 0;
  const reasons: string[] = [];

  return {
    intend(seq, intendedMs) {
      if (seq >= intended.length) {
        const wider = new Float64Array(intended.length * 2);
        wider.set(intended);
        intended = wider;
      }
      intended[seq] = intendedMs;
      sent = Math.max(sent, seq + 1);
    },
    claim(topic, partition, offset, seq) {
      const places = partitions.get(`${topic}/${partition}`);
      if (places === undefined || offset < places.start) return;
      roomFor(places, offset - places.start).seqs[offset - places.start] = seq;
    },
    answer(place, atMs, deadLetter) {
      const slash = place.lastIndexOf('/');
      const places = partitions.get(place.slice(0, slash));
      const at = places === undefined ? -1 : Number(place.slice(slash + 1)) - places.start;
      if (places === undefined || !(at >= 0) || at > MOST_PLACES) return;
      roomFor(places, at);
      if (places.kinds[at] !== 0) {
        places.again[at]++;
        return;
      }
      if (deadLetter !== undefined && !reasons.includes(deadLetter)) reasons.push(deadLetter);
      places.kinds[at] = deadLetter === undefined ? PREDICTION : DEAD_LETTER + reasons.indexOf(deadLetter);
      places.answeredMs[at] = atMs;
      answers++;
    },
    get answers() {
      return answers;
    },
    waiting() {
      let count = 0;
      for (const { seqs, kinds } of partitions.values())
        for (let at = 0; at < seqs.length; at++) if (seqs[at] >= 0 && kinds[at] === 0) count++;
      return count;
    },
    outcome(endMs) {
      const latencies: number[] = [];
      /** 0: no answer. A record that a retry sent twice lies in two places, and counts once: by the first answer. */
      const kinds = new Uint8Array(sent);
      const answered = new Float64Array(sent).fill(Number.POSITIVE_INFINITY);
      let duplicates = 0;
      for (const { seqs, answeredMs, kinds: found, again } of partitions.values()) {
        for (let at = 0; at < seqs.length; at++) {
          const seq = seqs[at];
          if (seq < 0 || seq >= sent || found[at] === 0) continue;
          duplicates += again[at];
          if (answeredMs[at] >= answered[seq]) continue;
          answered[seq] = answeredMs[at];
          kinds[seq] = found[at];
        }
      }
      const byReason: Record<string, number> = {};
      let underWay = 0;
      for (let seq = 0; seq < sent; seq++) {
        if (answered[seq] > endMs) underWay++;
        if (kinds[seq] === PREDICTION) latencies.push(answered[seq] - intended[seq]);
        if (kinds[seq] < DEAD_LETTER) continue;
        const reason = reasons[kinds[seq] - DEAD_LETTER];
        byReason[reason] = (byReason[reason] ?? 0) + 1;
      }
      const predictions = latencies.length;
      const deadLetters = Object.values(byReason).reduce((sum, count) => sum + count, 0);
      return {
        sent,
        predictions,
        deadLetters,
        reasons: byReason,
        unanswered: sent - predictions - deadLetters,
        duplicates,
        latencies: Float64Array.from(latencies).sort(),
        underWay,
      };
    },
  };
}

/** A place so far behind the start is a mistake in a header, and no reason to take gigabytes. */
const MOST_PLACES = 1 << 28;

function placesFrom(start: number): Places {
  return {
    start,
    seqs: new Int32Array(0),
    answeredMs: new Float64Array(0),
    kinds: new Uint8Array(0),
    again: new Uint16Array(0),
  };
}

function roomFor(places: Places, at: number): Places {
  if (at < places.seqs.length) return places;
  const length = Math.max(1024, 2 ** Math.ceil(Math.log2(at + 1)));
  const { seqs, answeredMs, kinds, again } = places;
  places.seqs = new Int32Array(length).fill(-1);
  places.seqs.set(seqs);
  places.answeredMs = new Float64Array(length);
  places.answeredMs.set(answeredMs);
  places.kinds = new Uint8Array(length);
  places.kinds.set(kinds);
  places.again = new Uint16Array(length);
  places.again.set(again);
  return places;
}
