/**
 * A regression guard by a ratio within one run: Sluice's CPU per record against that of the kafkajs batch loop. A slow
 * machine slows both; the best rounds are compared, and only FACTOR times the ratio on file counts as a regression.
 */
import { readFileSync } from 'node:fs';
import { bestDrain, digits, type Result } from './report.ts';

const ON_FILE = 'bench/guard.json';
const FACTOR = 1.5;

/** The exit code. */
export function judge({ rows, workload }: Result, say: (line: string) => void): number {
  const of = (name: string) => bestDrain(rows.find(({ contestant }) => contestant.name === name))?.cpuUsPerRecord;
  const [sluice, peer] = [of('sluice'), of('kafkajs-batch')];
  if (sluice === undefined || peer === undefined) {
    say('guard: nothing to compare, the kafkajs batch loop did not run');
    return 1;
  }
  const onFile = (JSON.parse(readFileSync(ON_FILE, 'utf8')) as Record<string, number | undefined>)[workload.name];
  if (onFile === undefined) {
    say(`guard: ${ON_FILE} has no ratio for ${workload.name}; this run says ${digits(sluice / peer)}`);
    return 0;
  }
  const ratio = sluice / peer;
  const isWorse = ratio > onFile * FACTOR;
  say(
    `guard: Sluice costs ${ratio.toFixed(3)} of the kafkajs batch loop, on file ${onFile}: ${isWorse ? 'a regression' : 'good'}`,
  );
  return isWorse ? 1 : 0;
}
