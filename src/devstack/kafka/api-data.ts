/** The calls that carry records: Produce, Fetch, ListOffsets, DeleteRecords, InitProducerId. */
import type { Cluster } from './cluster.ts';
import { type PartitionLog, refusal } from './partition-log.ts';
import { type Call, ERROR, mirrorPartitions } from './protocol.ts';

const LATEST = -1;
const EARLIEST = -2;
const NOTHING: Buffer = Buffer.alloc(0);

export function produce(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  r.nullableStr(); // transactional id
  const acks = r.i16();
  r.i32(); // timeout: there are no replicas to wait for
  let failure = 0;
  mirrorPartitions(call, (topic, partition) => {
    const batch = r.blob();
    const log = acks < -1 || acks > 1 ? ERROR.invalidRequiredAcks : cluster.led(call, topic, partition);
    const maxBytes = cluster.topics.get(topic)?.configs.get('max.message.bytes') ?? cluster.options.maxMessageBytes;
    const result = typeof log === 'number' ? refusal(log) : log.append(batch, Number(maxBytes));
    failure ||= result.errorCode;
    w.i16(result.errorCode).i64(result.baseOffset).i64(result.timestampMs);
    if (version >= 5) w.i64(result.startOffset);
  });
  w.i32(0);
  call.silent = acks === 0;
  // Without a response the only way to say that something failed is to hang up, as Kafka does.
  if (call.silent && failure) throw new Error(`a Produce call that asked for no answer failed with error ${failure}`);
}

type Wanted = { readonly partition: number; readonly offset: number; readonly maxBytes: number };
type WantedTopic = { readonly name: string; readonly wanted: readonly Wanted[] };

export function fetch(call: Call, cluster: Cluster): void | Promise<void> {
  const { r, version } = call;
  r.i32(); // replica id
  const [maxWaitMs, minBytes, maxBytes] = [r.i32(), r.i32(), r.i32()];
  r.i8(); // isolation level: there are no transactions
  if (version >= 7) r.i64(); // session id and epoch
  const readWanted = (): Wanted => {
    const partition = r.i32();
    if (version >= 9) r.i32(); // leader epoch
    const offset = r.i64();
    if (version >= 5) r.i64(); // log start offset, of followers
    return { partition, offset, maxBytes: r.i32() };
  };
  const topics = r.array(() => ({ name: r.str(), wanted: r.array(readWanted) }));
  const answer = (): void => answerFetch(call, cluster, maxBytes, topics);

  let missing = maxWaitMs > 0 && topics.length > 0 ? minBytes : 0;
  const logs: PartitionLog[] = [];
  for (const { name, wanted } of topics) {
    for (const { partition, offset } of wanted) {
      const log = cluster.led(call, name, partition);
      if (typeof log === 'number' || !holds(log, offset)) return answer();
      missing -= log.bytesFrom(offset);
      logs.push(log);
    }
  }
  if (missing <= 0) return answer();
  return new Promise<void>((resolve) => {
    const watch = (bytes: number): void => {
      missing -= bytes;
      if (missing <= 0) finish();
    };
    const finish = (): void => {
      timer.cancel();
      for (const log of logs) log.watchers.delete(watch);
      resolve();
    };
    const timer = cluster.options.after(maxWaitMs, finish);
    for (const log of logs) log.watchers.add(watch);
    call.onGone = finish;
  }).then(answer);
}

function answerFetch(call: Call, cluster: Cluster, maxBytes: number, topics: readonly WantedTopic[]): void {
  const { w, version } = call;
  let left = maxBytes;
  let empty = true;
  if (version >= 7) w.i16(ERROR.none).i32(0); // session id 0: every fetch is a full one
  w.array(topics, ({ name, wanted }) =>
    w.str(name).array(wanted, ({ partition, offset, maxBytes }) => {
      const log = cluster.led(call, name, partition);
      const readable = typeof log !== 'number' && holds(log, offset);
      const [start, end] = readable ? [log.startOffset, log.endOffset] : [-1, -1];
      w.i32(partition).i16(readable ? ERROR.none : typeof log === 'number' ? log : ERROR.offsetOutOfRange);
      w.i64(end).i64(end); // high watermark, last stable offset
      if (version >= 5) w.i64(start);
      w.i32(0); // aborted transactions
      if (version >= 11) w.i32(-1); // preferred replica
      // The first batch goes out whatever its size, or a reader could stand before it for ever.
      const batches = readable ? log.read(offset, Math.min(maxBytes, left), empty) : NOTHING;
      left -= batches.length;
      empty &&= batches.length === 0;
      w.blob(batches);
    }),
  );
}

const holds = (log: PartitionLog, offset: number): boolean => offset >= log.startOffset && offset <= log.endOffset;

export function listOffsets(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  r.i32(); // replica id
  if (version >= 2) r.i8(); // isolation level
  mirrorPartitions(call, (topic, partition) => {
    const timestampMs = r.i64();
    const log = cluster.led(call, topic, partition);
    let found = { offset: -1, timestampMs: -1 };
    if (typeof log !== 'number') {
      if (timestampMs === LATEST) found.offset = log.endOffset;
      else if (timestampMs === EARLIEST) found.offset = log.startOffset;
      else found = log.find(timestampMs) ?? found;
    }
    const errorCode = typeof log === 'number' ? log : ERROR.none;
    w.i16(errorCode).i64(found.timestampMs).i64(found.offset);
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

/** Idempotence only: a transactional id is refused. */
export function initProducerId({ r, w }: Call, cluster: Cluster): void {
  if (r.nullableStr() === null)
    w.i16(ERROR.none)
      .i64(cluster.nextProducerId++)
      .i16(0);
  else w.i16(ERROR.invalidRequest).i64(-1).i16(-1);
}
