import { writeFileSync } from 'node:fs';
import { generated } from './reference.ts';

/** Writes every generated page; run from the repository root. */
for (const [path, text] of generated()) writeFileSync(path, text);
