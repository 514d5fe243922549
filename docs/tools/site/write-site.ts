/**
 * npm run site [-- --out DIR]: the pages of this repository as a site, in build/site if not said otherwise. What was there goes.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSite } from './site.ts';

const ROOT = join(import.meta.dirname, '../../..');
const { values } = parseArgs({ options: { out: { type: 'string', default: 'build/site' } } });
const out = resolve(values.out);
// A slip (--out docs) must not cost anybody their files: only what this has made is deleted.
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, 'assets/search-index.js')))
  throw new Error(`${out} holds something else: give --out a folder that is empty, or not there`);
const files = buildSite(ROOT);
rmSync(out, { recursive: true, force: true });
for (const [path, content] of files) {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), content);
}
process.stdout.write(`${files.size} files: open ${relative(process.cwd(), join(out, 'index.html'))}\n`);
