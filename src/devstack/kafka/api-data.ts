/** The calls that carry records: Produce, Fetch, ListOffsets, DeleteRecords. */
import { producerEpoch, producerId } from './batch.ts';
import type { Cluster } from './cluster.ts';
import type { PartitionLog } from './partition-log.ts';
import { ERROR, mirrorPartitions } from './protocol.ts';
import type { Call } from './server.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const READ_COMMITTED = 1;
const NOWHERE = { offset: -1, timestampMs: -1, startOffset: -1 };

export function produce(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const id = r.str(); // transactional, or none
  const acks = r.i16();
  r.i32(); // timeout: there are no replicas to wait for
  let failure = 0;
  mirrorPartitions(call, (topic, partition) => {
    const batch = r.blob();
    const log = acks < -1 || acks > 1 ? ERROR.invalidRequiredAcks : cluster.led(call, topic, partition);
    const maxBytes = cluster.topics.get(topic)?.configs.get('max.message.bytes') ?? cluster.options.maxMessageBytes;
    const transaction = (to: PartitionLog) => (found: Buffer) =>
      cluster.transactions.check({ id, producerId: producerId(found), producerEpoch: producerEpoch(found) }, to);
    const result = typeof log === 'number' ? log : log.append(batch, Number(maxBytes), transaction(log));
    const errorCode = typeof result === 'number' ? result : ERROR.none;
    const { offset, timestampMs, startOffset } = typeof result === 'number' ? NOWHERE : result;
    failure ||= errorCode;
    w.i16(errorCode).i64(offset).i64(timestampMs).i64(startOffset);
  });
  w.i32(0); // throttle time
  call.silent = acks === 0;
  // Without a response, hanging up is the only way to report a failure; Kafka does the same.
  if (call.silent && failure) throw new Error(`a Produce call that asked for no answer failed with error ${failure}`);
}

type Wanted = { readonly partition: number; readonly offset: number; readonly maxBytes: number };

/** Answers at once, or when the requested number of bytes is there, something else must be reported, or the time is up. */
export async function fetch(call: Call, cluster: Cluster): Promise<void> {
  const { r, w } = call;
  r.i32(); // replica id
  const [maxWaitMs, minBytes, maxBytes] = [r.i32(), r.i32(), r.i32()];
  const committed = r.i8() === READ_COMMITTED;
  r.i64(); // session id and epoch: every fetch is a full one
  const topics = r.array(() => ({ name: r.str(), wanted: r.array(() => readWanted(call)) }));
  const hasEnough = (): boolean => {
    let missing = topics.length > 0 ? minBytes : 0;
    for (const { name, wanted } of topics) {
      for (const { partition, offset } of wanted) {
        const log = cluster.led(call, name, partition);
        if (typeof log === 'number' || !holds(log, offset)) return true;
        missing -= log.bytesFrom(offset, endFor(log, committed), missing);
      }
    }
    return missing <= 0;
  };
  if (maxWaitMs > 0 && !hasEnough()) {
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        timer.cancel();
        cluster.watchers.delete(look);
        resolve();
      };
      const look = (): void => void (hasEnough() && finish());
      const timer = cluster.options.after(maxWaitMs, finish);
      cluster.watchers.add(look);
      call.onGone = finish;
    });
  }
  let left = maxBytes;
  w.i16(ERROR.none).i32(0); // session id
  w.array(topics, ({ name, wanted }) =>
    w.str(name).array(wanted, (each) => {
      // The first batch is sent whatever its size; otherwise a reader could be stuck before it for ever.
      left -= answerFetch(call, cluster.led(call, name, each.partition), each, committed, left, left === maxBytes);
    }),
  );
}

function readWanted({ r }: Call): Wanted {
  const partition = r.i32();
  r.i32(); // leader epoch
  const offset = r.i64();
  r.i64(); // log start offset, of followers
  return { partition, offset, maxBytes: r.i32() };
}

/** Returns how many bytes of records it wrote. */
function answerFetch(
  { w }: Call,
  log: PartitionLog | number,
  wanted: Wanted,
  committed: boolean,
  left: number,
  always: boolean,
): number {
  const { partition, offset, maxBytes } = wanted;
  const readable = typeof log !== 'number' && holds(log, offset);
  const [start, stable, end] = readable ? [log.startOffset, log.stableOffset, log.endOffset] : [-1, -1, -1];
  w.i32(partition).i16(readable ? ERROR.none : typeof log === 'number' ? log : ERROR.offsetOutOfRange);
  w.i64(end).i64(stable).i64(start);
  const below = readable ? endFor(log, committed) : end;
  const aborted = readable && committed ? log.aborted(offset, below) : [];
  w.array(aborted, ({ producerId, first }) => w.i64(producerId).i64(first)).i32(-1); // no preferred replica
  const batches = readable ? log.read(offset, below, Math.min(maxBytes, left), always) : NOTHING;
  w.blob(batches);
  return batches.length;
}

const endFor = (log: PartitionLog, committed: boolean): number => (committed ? log.stableOffset : log.endOffset);
const holds = (log: PartitionLog, offset: number): boolean => offset >= log.startOffset && offset <= log.endOffset;

export function listOffsets(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  r.i32(); // replica id
  const committed = r.i8() === READ_COMMITTED;
  mirrorPartitions(call, (topic, partition) => {
    const wantedMs = r.i64();
    const log = cluster.led(call, topic, partition);
    const found = typeof log === 'number' ? null : log.find(wantedMs, endFor(log, committed));
    w.i16(typeof log === 'number' ? log : ERROR.none);
    w.i64(found?.timestampMs ?? -1).i64(found?.offset ?? -1);
  });
}

export function deleteRecords(call: Call, cluster: Cluster): void {
  mirrorPartitions(call, (topic, partition) => {
    const wanted = call.r.i64();
    let log = cluster.led(call, topic, partition);
    if (typeof log !== 'number' && wanted > log.endOffset) log = ERROR.offsetOutOfRange;
    if (typeof log !== 'number') log.truncateBefore(wanted === -1 ? log.endOffset : wanted);
    call.w.i64(typeof log === 'number' ? -1 : log.startOffset).i16(typeof log === 'number' ? log : ERROR.none);
  });
}
