import type { GoldenRecord } from '../bundle/golden.ts';
import { formatMemory, type MemoryBound } from '../check/memory.ts';
import { type PrepareDeps, prepare } from '../check/prepare.ts';
import { formatSummary, summarize } from '../check/summary.ts';
import { type CheckFinding, formatFindings, hasErrors } from '../documents/finding.ts';
import { EXIT } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import { counted } from './display/format.ts';

export interface CheckOptions {
  readonly topology: string;
  readonly json: boolean;
}

export interface CheckIo extends PrepareDeps {
  stdout(text: string): void;
  stderr(text: string): void;
  /** How much memory a run may use. */
  memory?(plan: Plan): MemoryBound;
  /** Runs golden records through the compiled path; each mismatch becomes a finding in the golden file. */
  replay?(plan: Plan, records: readonly GoldenRecord[]): Promise<readonly CheckFinding[]>;
}

/** `sluice check`: findings on stderr and the contract on stdout, or both as JSON on stdout. Returns the exit code. */
export async function check(options: CheckOptions, io: CheckIo): Promise<number> {
  const { plan, findings: prepared, golden: ofModel, smallerGolden } = await prepare(options.topology, io);
  const findings = [...prepared];
  for (const [of, golden] of [[plan, ofModel] as const, [plan?.smaller, smallerGolden] as const]) {
    if (of !== undefined && golden.length > 0 && io.replay !== undefined)
      findings.push(...(await io.replay(of, golden)));
  }
  const golden = [...ofModel, ...smallerGolden];
  const ok = plan !== undefined && !hasErrors(findings);
  const contract = plan && summarize(plan);
  const memory = plan && io.memory?.(plan);

  if (options.json) {
    io.stdout(`${JSON.stringify({ ok, findings, contract: contract ?? null, memory: memory ?? null }, null, 2)}\n`);
  } else {
    if (findings.length > 0) io.stderr(`${formatFindings(findings)}\n`);
    if (ok && contract) io.stdout(formatSummary(contract));
    if (ok && memory) io.stdout(`\n${formatMemory(memory)}\n`);
    io.stderr(`${closing(findings, golden.length, io.replay !== undefined && plan !== undefined)}\n`);
  }
  return ok ? EXIT.done : EXIT.usage;
}

function closing(findings: readonly CheckFinding[], golden: number, replayed: boolean): string {
  const errors = findings.filter((finding) => finding.severity === 'error').length;
  const warnings = findings.length - errors;
  const found = `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
  if (errors > 0) return found;
  const agreed =
    replayed && golden > 0 ? `; ${counted(golden, 'golden record')} ${golden === 1 ? 'agrees' : 'agree'}` : '';
  return `the contract holds: ${found}${agreed}`;
}
