import type { LogRecord, Range, TopicLog, Visit } from '../../ports/topic-log.ts';

/** A partition being read: its current record, and how to let it continue. */
interface Lane {
  readonly partition: number;
  head: LogRecord | undefined;
  goOn: (more: boolean) => void;
  isOver: boolean;
  ended: number;
}

/**
 * Merges several partitions by timestamp, as far as each partition itself is in order; ties go to the lower partition. Holds one record
 * per partition. Resolves with where each partition ended.
 */
export async function readByTime(
  log: Pick<TopicLog, 'read'>,
  topic: string,
  ranges: ReadonlyMap<number, Range>,
  visit: Visit<LogRecord>,
): Promise<ReadonlyMap<number, number>> {
  let failure: { readonly thrown: unknown } | undefined;
  let isStopped = false;
  let wake: () => void = () => undefined;
  const lanes: Lane[] = [];
  const reads = [...ranges].map(([partition, range]) => {
    const lane: Lane = { partition, head: undefined, goOn: () => undefined, isOver: false, ended: range.from };
    lanes.push(lane);
    const onRecord = (record: LogRecord): boolean | Promise<boolean> => {
      if (isStopped) return false;
      lane.head = record;
      const answer = new Promise<boolean>((resolve) => {
        lane.goOn = resolve;
      });
      wake();
      return answer;
    };
    return log.read(topic, partition, range, onRecord).then(
      (ended) => over(lane, ended),
      (thrown) => {
        failure ??= { thrown };
        over(lane, lane.ended);
      },
    );
  });

  function over(lane: Lane, ended: number): void {
    lane.ended = ended;
    lane.isOver = true;
    wake();
  }

  const isWaiting = ({ head, isOver }: Lane): boolean => head === undefined && !isOver;
  try {
    while (failure === undefined) {
      if (lanes.some(isWaiting)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const next = earliest(lanes);
      if (next?.head === undefined) break;
      const more = await visit(next.head);
      next.head = undefined;
      if (!more) {
        next.goOn(false);
        break;
      }
      next.goOn(true);
    }
  } finally {
    isStopped = true;
    for (const lane of lanes) if (lane.head !== undefined) lane.goOn(false);
    await Promise.all(reads);
  }
  if (failure !== undefined) throw failure.thrown;
  return new Map(lanes.map(({ partition, ended }) => [partition, ended]));
}

function earliest(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) {
    if (lane.head === undefined) continue;
    if (best?.head === undefined || lane.head.timestampMs < best.head.timestampMs) best = lane;
  }
  return best;
}
