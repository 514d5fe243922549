import { createFileSource } from '../../adapters/files/batch/file-source.ts';
import { createRangeSource } from '../../adapters/kafka/range-source.ts';
import type { Answered, Stops } from '../../kernel/bounded-source.ts';
import type { Credit } from '../../kernel/credit.ts';
import type { Plan } from '../../plan/plan.ts';
import type { BoundedSource } from '../../ports/source.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Range } from '../../ports/topic-log.ts';
import type { Io } from '../io.ts';
import { kafkaConnection } from '../world/kafka-connection.ts';
import type { End } from './endpoints.ts';
import { type FileFormat, openInput } from './formats.ts';
import { sizeOf } from './ranges.ts';

/** Where a source begins, and what it reports as it reads. */
export interface Begin {
  /** Next offset by partition; a file has one partition, 0. */
  readonly next: ReadonlyMap<number, number>;
  readonly limit: number;
  readonly answered?: Answered | undefined;
  readonly stops?: Stops | undefined;
}

export interface BatchInput {
  /** The Avro schema that a file was written with; undefined: JSON, or a topic. */
  readonly writer: unknown;
  /** Bytes or offsets to read; 0 if unknown. */
  readonly total: number;
  readonly unit: 'bytes' | 'offsets';
  /** For a topic that is to be read to its end: partitions that are held back by an open transaction, and where. */
  readonly heldBack: ReadonlyMap<number, number>;
  open(begin: Begin): BoundedSource;
}

export interface InputDeps {
  readonly io: Io;
  readonly telemetry: Telemetry;
  readonly credit: Credit;
  readonly onProgress: (read: number) => void;
}

const FRAME_RECORDS = 512;

export async function fileInput(
  end: End & { kind: 'file' },
  { format, totalBytes, name }: { readonly format: FileFormat; readonly totalBytes: number; readonly name: string },
  plan: Plan,
  { io, credit, onProgress }: InputDeps,
): Promise<BatchInput> {
  const opened = await openInput(end.file, format, plan, {
    stdin: io.stdin,
    onProgress,
    maxValueBytes: credit.maxBytes,
  });
  return {
    writer: opened.writer,
    total: totalBytes,
    unit: 'bytes',
    heldBack: new Map(),
    open: ({ next, ...begin }) =>
      createFileSource({ clock: io.clock, credit }, opened, {
        ...begin,
        name: end.file === '-' ? 'stdin' : name,
        frameRecords: FRAME_RECORDS,
        from: next.get(0) ?? 0,
      }),
  };
}

export function topicInput(
  { topic }: End & { kind: 'topic' },
  { ranges, toEnd }: { readonly ranges: ReadonlyMap<number, Range>; readonly toEnd: boolean },
  plan: Plan,
  { io, telemetry, credit, onProgress }: InputDeps,
): BatchInput {
  const { kafka } = plan.topology.connections;
  const heldBack = new Map<number, number>();
  return {
    writer: undefined,
    total: sizeOf(ranges),
    unit: 'offsets',
    heldBack,
    open({ next, ...begin }) {
      const rest = new Map([...ranges].map(([k, { from, to }]) => [k, { from: next.get(k) ?? from, to }]));
      const before = sizeOf(ranges) - sizeOf(rest);
      return createRangeSource(
        { clock: io.clock, random: io.random, telemetry, credit },
        {
          ...kafkaConnection({ clientId: 'sluice-batch', brokers: [], ...kafka }, telemetry, io),
          ...begin,
          topic,
          ranges: rest,
          onProgress: (offsets) => onProgress(before + offsets),
          ...(toEnd && { onHeldBack: (partition, offset) => void heldBack.set(partition, offset) }),
        },
      );
    },
  };
}
