import { casesFileOf } from '../../cases/load.ts';
import { classify, EXIT, exitCodeOf, SluiceError } from '../../kernel/errors.ts';
import type { RunOutcome } from '../../runner.ts';
import { counted } from '../display/format.ts';
import { describeLedger, readLedger, sound } from '../embedded/ledger.ts';
import { settledRecords } from '../embedded/settled.ts';
import { aborted } from '../embedded/waiting.ts';
import { tellCases } from './cases.ts';
import type { DevConsole } from './console.ts';
import { type Feeding, startFeeding } from './feeding.ts';
import type { DevOptions } from './options.ts';
import { type DevPipeline, openPipeline, type PipelineDeps } from './pipeline.ts';
import { filesOf, placesOf } from './places.ts';
import type { Changes } from './watch.ts';

export interface Session {
  /** Resolves with the exit code. */
  run(): Promise<number>;
  onSignal(signal: string): void;
}

interface Running {
  readonly pipeline: DevPipeline;
  readonly ended: Promise<RunOutcome>;
  readonly feeding: Feeding | undefined;
}

/**
 * Runs one pipeline after another in the same embedded world. A change is checked, and the next pipeline opened, while the current one
 * still runs; only then is the current one drained and the next one started. So a faulty edit changes nothing.
 * After each start the events are sent again from the first, to show the effect of the edit.
 */
export function createSession(
  options: DevOptions,
  deps: PipelineDeps & { readonly changes: Changes; readonly console: Pick<DevConsole, 'show'> },
): Session {
  const { report, services, changes } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const cases = casesFileOf(options.topology);
  let interrupted = false;
  let running: Running | undefined;

  const open = (): Promise<DevPipeline | undefined> =>
    openPipeline(
      {
        ...options,
        onPlaces: (topology, features, events) =>
          changes.follow(filesOf(topology, [features, events, cases, ...placesOf(topology)])),
      },
      deps,
    );

  function start(pipeline: DevPipeline, again: boolean): Running {
    const { topology, bundle } = pipeline.plan;
    deps.console.show(pipeline);
    const ended = pipeline.runner.run();
    report.tell(
      { event: 'running', topology: topology.name, model: bundle.label, again },
      `${again ? 'runs again  ' : 'running     '} ${topology.source.topics.join(', ')} → ${bundle.label} → ${topology.output.topic}`,
    );
    const { events } = pipeline;
    if (events === undefined && !again) {
      const text = `no events: give --events FILE, or produce to ${topology.source.topics[0]} with kcat -P -b ${services.env.KAFKA_BROKERS}`;
      report.tell({ event: 'note', text }, `note         ${text}`);
    }
    const pace = { perSecond: options.rate, loop: options.loop };
    const feeding = events === undefined ? undefined : startFeeding(pipeline, events, pace, deps);
    // Whoever awaits it, if anybody, gets the failure; meanwhile it must not be an unhandled rejection.
    feeding?.done.catch(() => undefined);
    return { pipeline, ended, feeding };
  }

  async function drain({ pipeline, ended, feeding }: Running): Promise<RunOutcome> {
    await feeding?.end();
    pipeline.runner.stop();
    const outcome = await ended;
    pipeline.telemetry.flush();
    return outcome;
  }

  /** The next pipeline, opened; undefined if it could not be, for reasons already reported. */
  async function reopen(): Promise<DevPipeline | undefined> {
    try {
      return await open();
    } catch (thrown) {
      const error = classify(thrown);
      report.tell({ event: 'refused', reason: error.message }, `cannot start ${error.message}`);
      return undefined;
    }
  }

  async function reload(files: readonly string[]): Promise<void> {
    report.tell({ event: 'changed', files }, `\nchanged      ${files.join(', ')}`);
    // The cases are not part of the pipeline.
    if (running !== undefined && files.every((file) => file === cases)) return tellCases(options.topology, deps);
    const next = await reopen();
    if (next === undefined) {
      const goesOn = running !== undefined && running.pipeline.runner.state() === 'running';
      const text = goesOn
        ? 'the pipeline goes on as it was before this change'
        : 'nothing runs; change a file to try again';
      report.tell({ event: 'note', text }, `note         ${text}`);
      return;
    }
    const before = running;
    running = undefined;
    if (before !== undefined) await drain(before);
    if (signal.aborted) await next.discard();
    else {
      running = start(next, true);
      await tellCases(options.topology, deps);
    }
  }

  /** Reports what ends by itself: a pipeline that fails, a file of events that cannot be read. */
  async function failureOf(one: Running): Promise<void> {
    const told = (reason: string): void =>
      report.tell(
        { event: 'failed', reason },
        `failed       ${reason}\n             change a file to start again, or end with Ctrl-C`,
      );
    one.feeding?.done.catch((thrown: Error) => told(thrown.message));
    const { error } = await one.ended;
    if (error !== undefined && one === running) told(error.message);
  }

  async function follow(): Promise<void> {
    let due = changes.next();
    while (!signal.aborted) {
      const files = await Promise.race([due, aborted(signal)]);
      if (!Array.isArray(files)) return;
      due = changes.next();
      const before = running;
      await reload(files);
      if (running !== undefined && running !== before) void failureOf(running);
    }
  }

  function conclude(pipeline: DevPipeline, outcome: RunOutcome, whole: boolean): number {
    const { source, output, deadLetter } = pipeline.plan.topology;
    const { broker } = services;
    const dropped = settledRecords(pipeline.telemetry, 'dropped');
    const names = { inputs: source.topics, output: output.topic, deadLetter: deadLetter.topic, group: source.group };
    const read = readLedger(broker, names);
    const ledger = { ...read, lost: Math.max(0, read.lost - dropped) };
    const also = dropped === 0 ? '' : `; ${dropped} dropped, as the topology says`;
    // After a resend, or with a group of another name, inputs and outputs do not match one to one.
    if (options.exit) report.tell({ event: 'ended', ...ledger, dropped }, `${describeLedger(ledger)}${also}`, true);
    else {
      const { inputs, outputs, deadLetters } = ledger;
      const text = `${counted(inputs, 'event')} in the topics, ${counted(outputs, 'prediction')}, ${counted(deadLetters, 'dead letter')}`;
      report.tell({ event: 'ended', inputs, outputs, deadLetters }, text, true);
    }
    if (outcome.error !== undefined) return exitCodeOf(outcome.error);
    if (outcome.result === 'drain-budget') return EXIT.drainBudget;
    return !options.exit || sound(ledger, whole) ? EXIT.done : EXIT.failed;
  }

  return {
    onSignal(name) {
      stopping.abort();
      if (name === 'SIGINT' && interrupted) running?.pipeline.runner.abort();
      interrupted ||= name === 'SIGINT';
    },
    async run() {
      const first = await open();
      if (first === undefined) return EXIT.usage;
      if (options.exit && first.events === undefined) {
        await first.discard();
        throw new SluiceError(
          'usage-invalid',
          '--exit ends when all events are settled, and there are none: give --events FILE',
        );
      }
      if (signal.aborted) {
        await first.discard();
        return EXIT.done;
      }
      running = start(first, false);
      if (options.exit) {
        const fed = await Promise.race([running.feeding?.done, running.ended.then(() => undefined), aborted(signal)]);
        const outcome = await drain(running);
        if (outcome.error !== undefined)
          report.tell({ event: 'failed', reason: outcome.error.message }, `failed       ${outcome.error.message}`);
        const code = conclude(first, outcome, fed !== undefined);
        return code === EXIT.done && fed !== undefined && fed.refused > 0 ? EXIT.failed : code;
      }
      report.tell(
        { event: 'note', text: 'changes of its files are followed' },
        `             edit topology, bundle, schemas, features or events, and it starts again. Ctrl-C ends.`,
      );
      void failureOf(running);
      await tellCases(options.topology, deps);
      await follow();
      const last = running as Running | undefined;
      if (last === undefined) return EXIT.done;
      return conclude(last.pipeline, await drain(last), false);
    },
  };
}
