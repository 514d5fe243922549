import { EXIT, SluiceError } from '../kernel/errors.ts';
import { seeded } from '../kernel/random.ts';
import type { Topology } from '../plan/topology.ts';
import { encodeEvents, readEvents, synthesize } from './bench/events.ts';
import { createKnee } from './bench/knee.ts';
import { type MeasureRateDeps, measureRate } from './bench/measure-rate.ts';
import { type Target, withTarget } from './bench/target.ts';
import { type BenchReport, stepLine, textOf } from './bench/text.ts';
import type { Step } from './bench/verdict.ts';
import { startWatch } from './bench/watch.ts';
import type { Io } from './io.ts';
import { readTopology } from './prepare.ts';

export interface BenchOptions {
  readonly topology: string;
  /** Records per second; undefined: find the highest rate that keeps the budget. */
  readonly rate: number | undefined;
  /** How long each rate is held, s. */
  readonly duration: number;
  /** Unmeasured load at the first rate, s: the first executions of code and the first connections are slow. */
  readonly warmUp: number;
  /** First rate of the search, records per second. */
  readonly from: number;
  /** JSON Lines of events; undefined: generated from the schema. */
  readonly input: string | undefined;
  readonly seed: number;
  /** How long to wait for a first answer before reporting that there is none, s. */
  readonly wait: number;
  /** Consent to writing into the source topic. */
  readonly write: boolean;
  readonly json: boolean;
}

const SAMPLES = 10_000;
const QUIET_MS = 5_000;
const PROBES_PER_SECOND = 100;

/**
 * `sluice bench`: loads a pipeline that runs elsewhere, through its topics, and reports its latency from the intended send time of
 * each record. Resolves with the exit code: 1 if the figures describe the bench rather than the pipeline.
 */
export async function bench(options: BenchOptions, io: Io): Promise<number> {
  const { clock, random, stdout, stderr } = io;
  requireConsent(options, readTopology(options.topology, io.env));
  const stopping = new AbortController();
  let ended: string | undefined;
  const forget = io.onSignal((signal) => {
    ended ??= signal;
    stopping.abort();
  });
  const say = (line: string): void => void stderr.write(`${line}\n`);
  try {
    return await withTarget(options.topology, io, async (target) => {
      const values = await valuesOf(options, target);
      const { output, deadLetter, flow, source, name } = target.topology;
      const watch = await startWatch(
        { clock, log: target.watched },
        { output: output.topic, deadLetters: deadLetter.topic },
      );
      const deps: MeasureRateDeps = { clock, target, watch, values, signal: stopping.signal };
      const run = Math.floor(random() * 2 ** 32).toString(16);
      const steps: Step[] = [];
      const step = async (perSecond: number): Promise<Step | undefined> => {
        const found = await measureRate(deps, {
          run: `${run}-${steps.length + 1}`,
          perSecond,
          seconds: options.duration,
          quietMs: QUIET_MS,
        });
        if (found === undefined) return undefined;
        steps.push(found);
        say(stepLine(found));
        return found;
      };
      let knee: BenchReport['knee'];
      try {
        say(`${name}: asking whether it answers, ${values.length} different records, ${flow.latencyBudgetMs} ms`);
        const isUp = await probe(deps, `${run}-0`, options.wait);
        if (!isUp && ended === undefined) throw silent(target.topology, options);
        await warmUp(deps, `${run}-w`, options);
        if (options.rate !== undefined) await step(options.rate);
        else knee = await search(options.from, () => ended !== undefined, step);
      } finally {
        await watch.close();
      }
      const report: BenchReport = {
        topology: name,
        source: source.topics,
        output: output.topic,
        deadLetters: deadLetter.topic,
        budgetMs: flow.latencyBudgetMs,
        values: { from: options.input === undefined ? 'synthetic' : 'input', records: values.length },
        run,
        ...(ended !== undefined && { ended }),
        ...(knee !== undefined && { knee }),
        steps,
      };
      stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
      const judged = options.rate === undefined ? steps : steps.slice(-1);
      return judged.length > 0 && judged.every(({ invalid }) => invalid !== '') ? EXIT.failed : EXIT.done;
    });
  } finally {
    forget();
  }
}

/** Records written to a real topic reach all its readers and cannot be withdrawn, so the user must consent. */
function requireConsent({ write, rate, duration }: BenchOptions, { source, output }: Topology): void {
  if (write) return;
  const topics = source.topics.join(', ');
  const much = rate === undefined ? 'records at rising rates' : `${Math.round(rate * duration)} records`;
  throw new SluiceError(
    'usage-invalid',
    `bench writes ${much} into ${topics}, where everybody who reads it finds them, and their predictions in ${output.topic}: give --write where that may be`,
  );
}

async function valuesOf({ input, seed }: BenchOptions, { topology, prefix }: Target): Promise<readonly Buffer[]> {
  const { value } = topology.source;
  const lines =
    input === undefined ? synthesize(value.schema, SAMPLES, seeded(seed)) : await readEvents(input, SAMPLES);
  return encodeEvents(lines, value, prefix);
}

/** Sends one record per partition, to write as little as possible if nobody answers. Resolves to whether any was answered. */
async function probe(deps: MeasureRateDeps, run: string, waitSeconds: number): Promise<boolean> {
  const { target } = deps;
  const count = target.topology.source.topics.reduce((sum, topic) => sum + target.sink.partitionCount(topic), 0);
  const found = await measureRate(deps, {
    run,
    perSecond: PROBES_PER_SECOND,
    seconds: count / PROBES_PER_SECOND,
    quietMs: waitSeconds * 1000,
  });
  return found !== undefined && found.predictions + found.deadLetters > 0;
}

async function warmUp(
  deps: MeasureRateDeps,
  run: string,
  { rate, from, warmUp: seconds }: BenchOptions,
): Promise<void> {
  if (seconds === 0 || deps.signal.aborted) return;
  await measureRate(deps, { run, perSecond: rate ?? from, seconds, quietMs: QUIET_MS });
}

function silent({ source, output, deadLetter, file }: Topology, { wait }: BenchOptions): SluiceError {
  return new SluiceError(
    'consumer-dead',
    `nothing came out of ${output.topic} or ${deadLetter.topic} within ${wait} s of a record a partition in ${source.topics.join(', ')}: is \`sluice run ${file}\` running, ready, and not far behind?`,
  );
}

async function search(
  from: number,
  isOver: () => boolean,
  step: (perSecond: number) => Promise<Step | undefined>,
): Promise<NonNullable<BenchReport['knee']>> {
  const knee = createKnee(from);
  for (let rate = knee.next(); rate !== undefined && !isOver(); rate = knee.next()) {
    const found = await step(rate);
    // A rate that was cut short by a signal gets no verdict.
    if (found === undefined || isOver()) break;
    knee.tell(rate, found.invalid !== '' ? 'invalid' : found.keeps ? 'keeps' : 'breaks');
  }
  return { perSecond: knee.highest, bound: isOver() ? 'signal' : knee.bound };
}
