import type { Extent } from '../../ports/topic-log.ts';

/**
 * What was sent, and what became of it. A record is identified only by where the broker put it, `topic/partition/offset`, not by its
 * content: an output names its input by that (`sluice-source`), and so does a dead letter.
 * Answers are stored by place as they arrive, including answers to other people's records; which places are ours is known once the
 * source topic has been read back (`claim`). Typed arrays, no object per record. Times are monotonic ms.
 */
export interface Ledger {
  /** Makes room for record `seq`, whose intended send time is `intendedMs`. */
  intend(seq: number, intendedMs: number): void;
  /** Record `seq` is at this place. */
  claim(topic: string, partition: number, offset: number, seq: number): void;
  /** A prediction for the record at `place` was seen, or its dead letter, with the reason. */
  answer(place: string, atMs: number, deadLetter?: string): void;
  /** Answers seen so far to places after the start, including other people's records. */
  readonly answers: number;
  /** Claimed records without an answer. */
  waiting(): number;
  /** `endMs`: when sending ended. */
  outcome(endMs: number): Outcome;
}

/** Kinds of answers; from DEAD_LETTER on, one per reason. */
const PREDICTION = 1;
const DEAD_LETTER = 2;

export interface Outcome {
  readonly sent: number;
  readonly predictions: number;
  readonly deadLetters: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** Late, lost, or a declared drop. */
  readonly unanswered: number;
  /** Further answers to records already answered, as at-least-once delivery allows after a crash. */
  readonly duplicates: number;
  /** Of predictions, from the intended send time, sorted, ms. */
  readonly latencies: Float64Array;
  /** Records without an answer when sending ended. */
  readonly underWay: number;
}

interface Places {
  readonly start: number;
  /** Sequence number by offset; -1 for other people's records. */
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
      /** 0: no answer. A record that a retry sent twice is at two places and counts once, by its first answer. */
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

/** A place this far after the start must be an error in a header, so no memory is allocated for it. */
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
