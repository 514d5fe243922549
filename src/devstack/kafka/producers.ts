/**
 * What one partition remembers of idempotent producers: the epoch and last five batches of each, which suffice to recognise
 * any retry by a client with five requests in flight. An unknown producer may start with any sequence number.
 */
import { baseSequence, type Found, maxTimestamp, producerEpoch, producerId, recordSpan } from './batch.ts';
import { ERROR } from './protocol.ts';

const REMEMBERED_BATCHES = 5;
const SEQUENCES = 0x8000_0000; // sequence numbers wrap to 0 after 2^31 - 1

type Written = Found & { readonly first: number; readonly last: number };

export class Producers {
  readonly #byId = new Map<number, { readonly epoch: number; readonly batches: Written[] }>();

  /** Where `batch` already is, if it is a repetition; otherwise an error code, 0 if it may be appended. */
  check(batch: Buffer): Found | number {
    const known = this.#byId.get(producerId(batch));
    if (!known) return ERROR.none;
    const epoch = producerEpoch(batch);
    const first = baseSequence(batch);
    if (epoch < known.epoch) return ERROR.invalidProducerEpoch;
    if (epoch > known.epoch) return first === 0 ? ERROR.none : ERROR.outOfOrderSequence;
    const last = lastSequence(batch);
    const repeated = known.batches.find((written) => written.first === first && written.last === last);
    const expected = ((known.batches.at(-1)?.last ?? -1) + 1) % SEQUENCES;
    return repeated ?? (first === expected ? ERROR.none : ERROR.outOfOrderSequence);
  }

  appended(batch: Buffer, offset: number): void {
    const epoch = producerEpoch(batch);
    const known = this.#byId.get(producerId(batch));
    const batches = known?.epoch === epoch ? known.batches : [];
    batches.push({ first: baseSequence(batch), last: lastSequence(batch), offset, timestampMs: maxTimestamp(batch) });
    if (batches.length > REMEMBERED_BATCHES) batches.shift();
    this.#byId.set(producerId(batch), { epoch, batches });
  }

  /** A transaction of this producer ended with this epoch: older epochs are refused from here on. */
  ended(id: number, epoch: number): void {
    const known = this.#byId.get(id);
    if (known === undefined || epoch > known.epoch) this.#byId.set(id, { epoch, batches: [] });
  }
}

const lastSequence = (batch: Buffer): number => (baseSequence(batch) + recordSpan(batch) - 1) % SEQUENCES;
