import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { count, counted } from '../display/format.ts';
import { createFeeder, eventLines, type Feeder } from '../embedded/feeder.ts';
import { settledRecords } from '../embedded/settled.ts';
import { aborted, until } from '../embedded/waiting.ts';
import type { DevPipeline, PipelineDeps } from './pipeline.ts';
import { createDevTranscoder } from './transcoder.ts';

export interface Feeding {
  /** Resolves with the number of refused lines once all events are settled, undefined if ended early; rejects if the file is unreadable. */
  readonly done: Promise<{ readonly refused: number } | undefined>;
  /** Stops sending; resolves when nothing further will be reported. */
  end(): Promise<void>;
}

/** Refused lines that are reported one by one. */
const TOLD = 5;

/** Sends a file of events as an upstream team would, after the pipeline has joined, so that `from: latest` sees them. */
export function startFeeding(
  pipeline: DevPipeline,
  file: string,
  { perSecond, loop }: { readonly perSecond: number; readonly loop: boolean },
  { io, report }: PipelineDeps,
): Feeding {
  const { clock, random } = io;
  const ending = new AbortController();
  const { signal } = ending;
  const { source, connections } = pipeline.plan.topology;
  const [topic] = source.topics;
  let refused = 0;

  async function feed(): Promise<{ refused: number } | undefined> {
    await until(() => pipeline.runner.state() !== 'starting', signal, clock);
    if (signal.aborted) return undefined;
    const lines = await eventLines(file);
    const rate = perSecond === 0 ? 'as fast as they are taken' : `${perSecond} a second`;
    report.tell(
      { event: 'events', file, lines: lines.length, topic },
      `events       ${file}: ${counted(lines.length, 'line')} → ${topic}, ${rate}${loop ? ', again and again' : ''}`,
    );
    const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
    const brokers = connections.kafka?.brokers ?? [];
    const sink = createKafkaSink(
      { clock, telemetry, random },
      { brokers, clientId: 'sluice-dev-producer', debugProtocolBuffers: false },
    );
    await sink.open([topic]);
    try {
      const transcode = createDevTranscoder({
        topology: pipeline.plan.topology,
        schemaId: pipeline.schemaId,
        refused: (line, reason) => refuse((line - 1) % lines.length, reason),
      });
      const records = loop ? Number.POSITIVE_INFINITY : lines.length;
      const feeder = createFeeder({ clock, sink, transcode }, { topic, lines, records, perSecond });
      await feeder.run(signal);
      return await settled(feeder);
    } finally {
      await sink.close();
    }
  }

  function refuse(index: number, reason: string): void {
    refused++;
    if (refused > TOLD) return;
    report.tell(
      { event: 'event-refused', file, line: index + 1, reason },
      `not sent     ${file}:${index + 1}: ${reason}${refused === TOLD ? '; further lines that cannot be sent are counted' : ''}`,
    );
  }

  async function settled(feeder: Feeder): Promise<{ refused: number } | undefined> {
    const { telemetry, runner } = pipeline;
    const over = (): boolean => runner.state() === 'failed' || runner.state() === 'stopped';
    await until(() => settledRecords(telemetry) >= feeder.produced || over(), signal, clock);
    if (signal.aborted || settledRecords(telemetry) < feeder.produced) return undefined;
    const [published, letters, dropped] = (['published', 'dead-lettered', 'dropped'] as const).map((fate) =>
      settledRecords(telemetry, fate),
    );
    const left = refused === 0 ? '' : `; ${counted(refused, 'line was', 'lines were')} not sent`;
    report.tell(
      { event: 'settled', sent: feeder.produced, published, deadLettered: letters, dropped, notSent: refused },
      `settled      ${counted(feeder.produced, 'event')}: ${counted(published, 'prediction')}, ${counted(letters, 'dead letter')}, ${count(dropped)} dropped${left}`,
    );
    return { refused };
  }

  const done = feed().catch((thrown) => {
    // After a requested end, failures are not reported.
    if (signal.aborted) return undefined;
    throw thrown instanceof SluiceError
      ? thrown
      : new SluiceError('file-invalid', `cannot send the events of ${file}: ${(thrown as Error).message}`, thrown);
  });
  return {
    done,
    async end() {
      ending.abort();
      await Promise.allSettled([done, aborted(signal)]);
    },
  };
}
