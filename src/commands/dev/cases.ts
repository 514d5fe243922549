import { existsSync } from 'node:fs';
import { casesFileOf } from '../../cases/load.ts';
import { classify } from '../../kernel/errors.ts';
import { isFailed, testOne } from '../test/test.ts';
import { describeResults, summary } from '../test/text.ts';
import type { PipelineDeps } from './pipeline.ts';

/** Reports a topology's cases, if it has any: which fail, and how many there are. They do not affect what runs. */
export async function tellCases(topology: string, { io, report }: Pick<PipelineDeps, 'io' | 'report'>): Promise<void> {
  const file = casesFileOf(topology);
  if (!existsSync(file)) return;
  try {
    const options = { cases: undefined, only: [], update: false };
    const { findings, results } = await testOne(topology, options, new Set(), io);
    if (results === undefined) return report.findings(findings);
    const failed = results.filter(isFailed);
    const told = failed.map(({ one: { name, line }, differences }) => ({ name, line, differences }));
    report.tell(
      { event: 'cases', file, cases: results.length, failed: told },
      `cases        ${file}: ${summary(results)}\n${describeResults(file, failed)}`.trimEnd(),
    );
  } catch (thrown) {
    const reason = classify(thrown).message;
    report.tell({ event: 'failed', reason }, `failed       ${file}: ${reason}`);
  }
}
