/**
 * What one partition remembers of idempotent producers: the epoch and the last five batches of each, enough to
 * recognise every retry a client with five requests in flight can make. A producer it has never seen may start anywhere.
 */
import { baseSequence, maxTimestamp, producerEpoch, producerId, recordSpan } from './batch.ts';
import { ERROR } from './protocol.ts';

const REMEMBERED_BATCHES = 5;
const SEQUENCES = 0x8000_0000; // sequence numbers wrap to 0 after 2^31 - 1

type Written = { readonly first: number; readonly last: number; readonly offset: number; readonly timestampMs: number };
type Producer = { epoch: number; batches: Written[] };
export type Verdict = { readonly errorCode: number; readonly duplicate?: Written };

export class Producers {
  readonly #byId = new Map<number, Producer>();

  /** Whether `batch` may be appended; `duplicate` says where it already lies. */
  check(batch: Buffer): Verdict {
    const known = this.#byId.get(producerId(batch));
    if (!known) return { errorCode: ERROR.none };
    const epoch = producerEpoch(batch);
    const first = baseSequence(batch);
    if (epoch < known.epoch) return { errorCode: ERROR.invalidProducerEpoch };
    if (epoch > known.epoch) return { errorCode: first === 0 ? ERROR.none : ERROR.outOfOrderSequence };
    const last = lastSequence(batch);
    const duplicate = known.batches.find((written) => written.first === first && written.last === last);
    if (duplicate) return { errorCode: ERROR.none, duplicate };
    const expected = (known.batches[known.batches.length - 1].last + 1) % SEQUENCES;
    return { errorCode: first === expected ? ERROR.none : ERROR.outOfOrderSequence };
  }

  appended(batch: Buffer, offset: number): void {
    const epoch = producerEpoch(batch);
    const known = this.#byId.get(producerId(batch));
    const batches = known?.epoch === epoch ? known.batches : [];
    batches.push({ first: baseSequence(batch), last: lastSequence(batch), offset, timestampMs: maxTimestamp(batch) });
    if (batches.length > REMEMBERED_BATCHES) batches.shift();
    this.#byId.set(producerId(batch), { epoch, batches });
  }
}

const lastSequence = (batch: Buffer): number => (baseSequence(batch) + recordSpan(batch) - 1) % SEQUENCES;
