import { createFileSink } from '../../adapters/files/file-sink.ts';
import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import type { ValueEncoder } from '../../codecs/types.ts';
import type { Plan } from '../../plan/plan.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Io } from '../io.ts';
import { kafkaConnection } from '../world/kafka-connection.ts';
import { reach } from '../world/reach.ts';
import { encoderOf } from '../world/value-encoder.ts';
import { createEncoder } from '../world/world.ts';
import type { Bookmark } from './bookmark.ts';
import type { End } from './endpoints.ts';
import { type FileFormat, rowFormatOf } from './formats.ts';
import { routed } from './routes.ts';

export interface BatchOutput {
  readonly encoder: ValueEncoder;
  readonly sink: Sink;
  /** Call while nothing is being sent; resolves when everything sent is on disk. */
  flush(): Promise<Bookmark['keep']>;
}

export interface OutputDeps {
  readonly io: Io;
  readonly telemetry: Telemetry;
  readonly schemas: SchemaSource;
  /** Called when the reader of standard output has gone. */
  readonly onReaderGone: () => void;
}

export interface OutputOptions {
  readonly output: End;
  readonly format: FileFormat;
  readonly deadLetters: string | undefined;
  /** For files that are continued: how many bytes to keep. */
  readonly keep: Bookmark['keep'];
}

/** Opens the output and the file of dead letters. */
export async function openOutput(plan: Plan, options: OutputOptions, deps: OutputDeps): Promise<BatchOutput> {
  const { io, telemetry } = deps;
  const { output, deadLetter, connections } = plan.topology;
  const toFile = options.output.kind === 'file' ? { [output.topic]: options.output.file } : {};
  const files = createFileSink({
    outputs: toFile,
    keepBytes: { [output.topic]: options.keep.output, [deadLetter.topic]: options.keep.deadLetters },
    format: rowFormatOf(options.format, output.value.schema),
    deadLetters: { topic: deadLetter.topic, file: options.deadLetters },
    stdout: io.stdout,
    onReaderGone: deps.onReaderGone,
  });
  const topics = [output.topic, deadLetter.topic];
  const flush = async (): Promise<Bookmark['keep']> => {
    const lengths = await files.flush();
    return { output: lengths.get(output.topic) ?? 0, deadLetters: lengths.get(deadLetter.topic) ?? 0 };
  };
  if (options.output.kind === 'file') {
    await files.open(topics);
    return { encoder: encoderOf(plan), sink: files, flush };
  }
  const { kafka } = connections;
  const connection = kafkaConnection({ clientId: 'sluice-batch', brokers: [], ...kafka }, telemetry, io);
  const { clock, random } = io;
  const encoder = await reach({ clock, random, telemetry }, 'schema registry', () =>
    createEncoder(plan, deps.schemas, telemetry, true),
  );
  const sink = routed(
    new Map([
      [
        output.topic,
        createKafkaSink({ clock, telemetry, random }, { ...connection, stock: kafka?.client === 'stock' }),
      ],
      [deadLetter.topic, files],
    ]),
  );
  await sink.open(topics);
  return { encoder, sink, flush };
}
