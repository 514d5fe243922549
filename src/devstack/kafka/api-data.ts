/** The calls that carry records: Produce, Fetch, ListOffsets, DeleteRecords, InitProducerId. */
import { type Call, type Cluster, mirror } from './cluster.ts';
import type { PartitionLog } from './partition-log.ts';
import { ERROR } from './protocol.ts';

const LATEST = -1;
const EARLIEST = -2;

export function produce(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  r.nullableStr(); // transactional id
  const acks = r.i16();
  r.i32(); // timeout: there are no replicas to wait for
  let worst: number = ERROR.none;
  mirror(call, () => {
    const topic = r.str();
    w.str(topic);
    const maxBytes = Number(
      cluster.topics.get(topic)?.configs.get('max.message.bytes') ?? cluster.options.maxMessageBytes,
    );
    mirror(call, () => {
      const partition = r.i32();
      const batch = r.blob();
      const log = acks < -1 || acks > 1 ? ERROR.invalidRequiredAcks : cluster.led(call, topic, partition);
      const appended =
        typeof log === 'number' ? { errorCode: log, baseOffset: -1, logAppendTimeMs: -1 } : log.append(batch, maxBytes);
      worst ||= appended.errorCode;
      w.i32(partition).i16(appended.errorCode).i64(appended.baseOffset).i64(appended.logAppendTimeMs);
      if (version >= 5) w.i64(typeof log === 'number' ? -1 : log.startOffset);
    });
  });
  w.i32(0);
  call.silent = acks === 0;
  // Without a response the only way to say that something failed is to hang up, as Kafka does.
  if (call.silent && worst !== ERROR.none) throw new Error(`a produce call without acknowledgement failed (${worst})`);
}

export function fetch(call: Call, cluster: Cluster): void | Promise<void> {
  const { r, version } = call;
  r.i32(); // replica id
  const maxWaitMs = r.i32();
  const minBytes = r.i32();
  const maxBytes = r.i32();
  r.i8(); // isolation level: there are no transactions
  if (version >= 7) r.i64(); // session id and epoch
  const topics = r.array(() => ({ name: r.str(), wanted: r.array(() => readWanted(call)) }));
  const answer = (): void => answerFetch(call, cluster, maxBytes, topics);

  let missing = maxWaitMs > 0 && topics.length > 0 ? minBytes : 0;
  const logs: PartitionLog[] = [];
  for (const { name, wanted } of topics) {
    for (const { partition, epoch, offset } of wanted) {
      const log = cluster.led(call, name, partition, epoch);
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

type Wanted = {
  readonly partition: number;
  readonly epoch: number;
  readonly offset: number;
  readonly maxBytes: number;
};
type WantedTopic = { readonly name: string; readonly wanted: readonly Wanted[] };

function readWanted({ r, version }: Call): Wanted {
  const partition = r.i32();
  const epoch = version >= 9 ? r.i32() : -1;
  const offset = r.i64();
  if (version >= 5) r.i64(); // log start offset, of followers
  return { partition, epoch, offset, maxBytes: r.i32() };
}

function answerFetch(call: Call, cluster: Cluster, maxBytes: number, topics: readonly WantedTopic[]): void {
  const { w, version } = call;
  let left = maxBytes;
  let empty = true;
  w.i32(0);
  if (version >= 7) w.i16(ERROR.none).i32(0); // session id 0: every fetch is a full one
  w.array(topics, ({ name, wanted }) =>
    w.str(name).array(wanted, (want) => {
      const log = cluster.led(call, name, want.partition, want.epoch);
      const refused = typeof log === 'number' ? log : holds(log, want.offset) ? ERROR.none : ERROR.offsetOutOfRange;
      w.i32(want.partition).i16(refused);
      const [start, end] = typeof log === 'number' ? [-1, -1] : [log.startOffset, log.endOffset];
      w.i64(end).i64(end);
      if (version >= 5) w.i64(start);
      w.i32(0); // aborted transactions
      if (version >= 11) w.i32(-1); // preferred replica
      const readable = typeof log !== 'number' && refused === ERROR.none;
      const views = readable ? log.read(want.offset, Math.min(want.maxBytes, left), empty) : [];
      for (const view of views) left -= view.length;
      empty &&= views.length === 0;
      w.blob(...views);
    }),
  );
}

const holds = (log: PartitionLog, offset: number): boolean => offset >= log.startOffset && offset <= log.endOffset;

export function listOffsets(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  r.i32(); // replica id
  if (version >= 2) {
    r.i8(); // isolation level
    w.i32(0);
  }
  mirror(call, () => {
    const topic = r.str();
    w.str(topic);
    mirror(call, () => {
      const partition = r.i32();
      const log = cluster.led(call, topic, partition, version >= 4 ? r.i32() : -1);
      const timestampMs = r.i64();
      const found = { offset: -1, timestampMs: -1 };
      if (typeof log !== 'number') {
        if (timestampMs === LATEST) found.offset = log.endOffset;
        else if (timestampMs === EARLIEST) found.offset = log.startOffset;
        else Object.assign(found, log.find(timestampMs));
      }
      w.i32(partition).i16(typeof log === 'number' ? log : ERROR.none);
      w.i64(found.timestampMs).i64(found.offset);
      if (version >= 4) w.i32(typeof log === 'number' ? -1 : log.leaderEpoch);
    });
  });
}

export function deleteRecords(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  w.i32(0);
  mirror(call, () => {
    const topic = r.str();
    w.str(topic);
    mirror(call, () => {
      const partition = r.i32();
      const wanted = r.i64();
      const log = cluster.led(call, topic, partition);
      if (typeof log === 'number') return void w.i32(partition).i64(-1).i16(log);
      const offset = wanted === -1 ? log.endOffset : wanted;
      const valid = offset >= 0 && offset <= log.endOffset;
      if (valid) log.truncateBefore(offset);
      w.i32(partition)
        .i64(valid ? log.startOffset : -1)
        .i16(valid ? ERROR.none : ERROR.offsetOutOfRange);
    });
  });
}

/** Idempotence only: a transactional id is refused. */
export function initProducerId({ r, w }: Call, cluster: Cluster): void {
  const refused = r.nullableStr() !== null;
  w.i32(0).i16(refused ? ERROR.invalidRequest : ERROR.none);
  w.i64(refused ? -1 : cluster.nextProducerId++).i16(refused ? -1 : 0);
}
