import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { classify, EXIT, exitCodeOf } from '../kernel/errors.ts';
import { address, listenOf, port, whole, wholeOrZero } from './arguments.ts';
import { addBatch } from './batch/program.ts';
import { addBench } from './bench/program.ts';
import { addCompletion } from './completion/program.ts';
import { addDev } from './dev/program.ts';
import { addDlq } from './dlq/program.ts';
import { addDoctor } from './doctor/program.ts';
import { addExplain } from './explain/program.ts';
import { addFeatures } from './features/program.ts';
import { addInit } from './init/program.ts';
import type { Io } from './io.ts';
import { addTail } from './tail/program.ts';
import { addTest } from './test/program.ts';
import { addTune } from './tune/program.ts';

const EXIT_CODES = `
Exit codes: 0 done (dead letters are counted, not a failure; so is a clean drain after a signal)
            1 failed   2 wrong usage or invalid topology   3 the drain budget ran out, or Ctrl-C twice
Signals:    SIGTERM or SIGINT drains, within flow.drain; more of them change nothing, but a second Ctrl-C ends at once`;

const FIRST_STEPS = `
To begin with:
  $ sluice demo                              everything in one process, nothing to set up
  $ sluice dev TOPOLOGY                      the same for your own pipeline, restarted at every edit
  $ sluice check topologies/hello.yaml       does it all fit together?
  $ sluice doctor topologies/hello.yaml      is everything that it needs there?
  $ sluice batch topologies/hello.yaml --input examples/flight-delay/events-500.jsonl --output -`;

/** Parses the command line and runs the command; resolves with the exit code. Each command is loaded only when it is asked for. */
export async function program(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.done;
  const root = new Command('sluice')
    .description('Streaming inference: Kafka events, Bigtable features, ONNX Runtime, predictions back to Kafka.')
    .version(version(), '-V, --version', 'the version of sluice')
    .exitOverride()
    .configureHelp({ optionDescription: describeOption })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', FIRST_STEPS)
    .addHelpText('after', EXIT_CODES);

  root
    .command('demo')
    .description(
      'Real flights scored in real time: embedded Kafka, registry and Bigtable, the unchanged example topology.',
    )
    .option(
      '--records <n>',
      'flights to stream; beyond those of the week, they are repeated with new ids',
      whole,
      116_729,
    )
    .option('--rate <n>', 'flights a second, 0 for as fast as possible', wholeOrZero, 5_000)
    .option('--exit', 'end when all of them are settled, after checking that each was answered exactly once', false)
    .option('--topology <file>', 'the pipeline to run', 'topologies/flight-delay.yaml')
    .addOption(new Option('--port <n>', 'port of the embedded broker').argParser(port).default(0, 'one that is free'))
    .addOption(
      new Option('--listen <host:port>', 'console, metrics, health')
        .default('127.0.0.1:0', 'a port that is free')
        .argParser(address),
    )
    .option('--no-listen', 'no HTTP')
    .option('--json', 'the summary as JSON on standard output', false)
    .addHelpText('after', example('sluice demo --records 20000 --exit', 'streams 20,000 flights, checks, ends'))
    .action(async (options) => {
      const { demo } = await import('./demo/demo.ts');
      code = await demo({ ...options, listen: listenOf(options.listen) }, io);
    });

  root
    .command('run')
    .argument('<topology>', 'topology file')
    .description('The production processor: consumes until it is told to stop (SIGTERM), then drains.')
    .option('--dry', 'check, connect, then stop', false)
    .addOption(
      new Option('--listen <host:port>', 'the console at /; /metrics /live /ready')
        .default('127.0.0.1:9464')
        .argParser(address),
    )
    .option('--no-listen', 'no HTTP')
    .addOption(
      new Option('--log-level <level>', 'the lowest level that is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .option('--json', 'log lines as JSON, even on a terminal', false)
    .option('--instances <n>', 'pipelines in this process, each a group member on a thread of its own', instances, 1)
    .addHelpText(
      'after',
      example(
        'KAFKA_BROKERS=kafka:9092 sluice run topologies/flight-delay.yaml --dry',
        'checks and connects, then stops',
      ),
    )
    .action(async (topology, options) => {
      const { run } = await import('./run.ts');
      code = await run({ topology, ...options, listen: listenOf(options.listen) }, io);
    });

  root
    .command('check')
    .argument('<topology>', 'topology file')
    .description(
      'Proves that schemas, expressions, model and output fit together; says which line is wrong when they do not.',
    )
    .option('--json', 'findings and contract as JSON on standard output', false)
    .addHelpText('after', example('sluice check topologies/flight-delay.yaml', 'files only, no network'))
    .action(async (topology, options) => {
      const { runCheck } = await import('./run-check.ts');
      code = await runCheck({ topology, ...options }, io);
    });

  const done = (ended: number): void => {
    code = ended;
  };
  addCompletion(root, io);
  addDev(root, io, done);
  addDlq(root, io, done);
  addDoctor(root, io, done);
  addExplain(root, io, done);
  addFeatures(root, io, done);
  addInit(root, io, done);
  addTest(root, io, done);
  addTail(root, io, done);
  addTune(root, io, done);
  addBatch(root, io, done);
  addBench(root, io, done);

  try {
    await root.parseAsync([...argv]);
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    const error = classify(thrown);
    const detail = error.code === 'unexpected' && error.cause instanceof Error ? `\n${error.cause.stack}` : '';
    io.stderr.write(`sluice: ${error.message}${detail}\n`);
    return exitCodeOf(error);
  }
}

function example(line: string, does: string): string {
  return `\nExample:\n  $ ${line}      ${does}`;
}

/** A switch is off by default, which need not be said. */
function describeOption({ description, defaultValue, defaultValueDescription, argChoices }: Option): string {
  const notes = argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`];
  if (defaultValue !== undefined && typeof defaultValue !== 'boolean' && String(defaultValue) !== '')
    notes.push(`default: ${defaultValueDescription ?? defaultValue}`);
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

function instances(text: string): number {
  const value = whole(text);
  if (value > 64) throw new InvalidArgumentError('give a number of pipelines, 1 to 64: no more than there are cores.');
  return value;
}
