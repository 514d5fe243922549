import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { anchorOf } from '../../docs/tools/anchor.ts';

export const ROOT = join(import.meta.dirname, '../..');

export interface Page {
  /** From the repository root. */
  readonly path: string;
  readonly text: string;
}

export interface Fence {
  readonly path: string;
  /** Language first, then marks: `sh run`. */
  readonly info: readonly string[];
  readonly body: string;
}

/** Every page that people read: in the root, in docs, and the notes beside data, models and what deploys it. */
export function pages(): readonly Page[] {
  const inRoot = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  const below = ['deploy', 'docs', 'examples', 'models'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  );
  return [...inRoot, ...below].sort().map((path) => ({ path, text: read(path) }));
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function fencesOf({ path, text }: Page): readonly Fence[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, info, body]) => ({
    path,
    info: info.trim().split(/\s+/),
    body,
  }));
}

/** Links within the repository that lead nowhere: to no file, or to no heading of it. */
export function brokenLinks({ path, text }: Page): readonly string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file, anchor] = target.split('#');
      const at = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(ROOT, at))) return true;
      return anchor !== undefined && !anchorsOf(read(at)).has(anchor);
    });
}

function anchorsOf(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchorOf(title)));
}

/** Paths in backticks that are not there. Names with a placeholder (`X`, `NAME`, `*`, `{`) are no paths. */
export function missingPaths({ text }: Page): readonly string[] {
  const named = text.matchAll(/`((?:src|test|docs|schemas|topologies|models|examples|bench|deploy)\/[\w./-]+)`/g);
  return [...named].map(([, path]) => path).filter((path) => !existsSync(join(ROOT, path)));
}

let sources: string | undefined;

/** All of src as one text. */
export function sourceText(): string {
  sources ??= readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join('src', name)))
    .join('\n');
  return sources;
}

/** Cells of the first table behind a heading, without its head. */
export function tableOf(text: string, heading: string): readonly (readonly string[])[] {
  const from = text.indexOf(heading);
  const lines = text.slice(from).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows: string[][] = [];
  for (let i = first + 2; lines[i]?.startsWith('|'); i++) {
    rows.push(
      lines[i]
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}
