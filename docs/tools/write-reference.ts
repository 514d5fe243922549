import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runbookBase } from './alerts.ts';
import { generated } from './reference.ts';

/** Writes every generated page; run from the repository root. `--runbook-base URL`: where alerts lead to, from then on. */
const { values } = parseArgs({ options: { 'runbook-base': { type: 'string' } } });
const base = values['runbook-base'];
for (const [path, text] of generated(undefined, base === undefined ? undefined : runbookBase(base)))
  writeFileSync(path, text);
