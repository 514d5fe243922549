/**
 * The pages of this repository as a site: file of the site → its content. Promise: whatever a page links to within the repository is
 * on the site, a page as a page, another text as a page that shows it, a folder as a list of its files, a picture as it is; what is
 * not there fails the build. Nothing on it is asked of elsewhere, and it works from a folder, without a server.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, posix } from 'node:path';
import { escapeHtml } from './highlight.ts';
import { createListing } from './listing.ts';
import { codeBlock, type Rendered, render } from './markdown.ts';
import { chaptersOf } from './navigation.ts';
import { searchIndex } from './search-index.ts';
import { type Link, page, STYLES } from './template.ts';

const CLIENT = join(import.meta.dirname, 'client');
/** The console has the same. */
const ICON = join(import.meta.dirname, '../../../src/adapters/http/console/icon.svg');

export function buildSite(root: string, chapters = chaptersOf(root)): ReadonlyMap<string, string | Buffer> {
  const files = new Map<string, string | Buffer>();
  const wanted = new Set<string>();
  const entries = chapters.flatMap(({ pages }) => pages);
  const known = new Set(entries.map(({ path }) => path));
  const namesIn = createListing(root);
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');

  /** Where a link of the page at `from` leads to, as seen from that page. */
  function resolve(from: string, target: string): string {
    if (/^[a-z]+:/.test(target) || target.startsWith('#')) return target;
    const [path, anchor] = target.split('#');
    const to = posix.normalize(posix.join(posix.dirname(from), path)).replace(/\/$/, '');
    if (to.startsWith('..') || !existsSync(join(root, to)))
      throw new Error(`${from} links to ${target}: it is not there`);
    if (!known.has(to)) wanted.add(to);
    const href = relative(addressOf(from), addressOf(to, known.has(to) || isPicture(to) ? undefined : root));
    return anchor === undefined ? href : `${href}#${anchor}`;
  }

  const made = entries.map(({ path, label }) => {
    const rendered = render(read(path), (target) => resolve(path, target));
    return { path, address: addressOf(path), label: label ?? rendered.title, rendered };
  });

  function framed(
    address: string,
    source: string,
    rendered: Omit<Rendered, 'sections'>,
    beside: { before?: Link; after?: Link },
  ) {
    const lists = chapters.map(({ title, pages }) => ({
      title,
      pages: pages.map(({ path }) =>
        linkTo(
          address,
          made.find((one) => one.path === path),
        ),
      ),
    }));
    const current = relative(address, address);
    files.set(
      address,
      page({
        root: '../'.repeat(address.split('/').length - 1),
        chapters: lists,
        current,
        source,
        ...rendered,
        ...beside,
      }),
    );
  }

  made.forEach(({ address, path, rendered }, at) => {
    const beside = {
      before: at > 0 ? linkTo(address, made[at - 1]) : undefined,
      after: at + 1 < made.length ? linkTo(address, made[at + 1]) : undefined,
    };
    framed(address, path, rendered, beside);
  });
  // What they name is shown too, and what is in folders that they name.
  for (const path of wanted) {
    if (isPicture(path)) files.set(path, readFileSync(join(root, path)));
    else framed(addressOf(path, root), path, shown(path), {});
  }

  function shown(path: string): Omit<Rendered, 'sections'> {
    const head = `<h1 id="file"><code>${escapeHtml(path)}</code></h1>\n`;
    const about = { title: path, summary: `${path} of Sluice`, headings: [] };
    if (!statSync(join(root, path)).isDirectory()) {
      return { ...about, html: head + codeBlock(read(path), extname(path).slice(1) || basename(path)) };
    }
    const list = namesIn(path).map((name) => {
      const label = made.find((one) => one.path === `${path}/${name}`)?.label ?? name;
      return `<li><a href="${resolve(`${path}/.`, name)}">${escapeHtml(label)}</a></li>\n`;
    });
    return { ...about, html: `${head}<ul>\n${list.join('')}</ul>\n` };
  }

  for (const name of ['site.js', ...STYLES]) files.set(`assets/${name}`, readFileSync(join(CLIENT, name)));
  files.set('assets/icon.svg', readFileSync(ICON));
  files.set('assets/search-index.js', searchIndex(made));
  return files;
}

/** Pages stand where their source does. With `root` given it is something else that is shown: a file, or a folder. */
function addressOf(path: string, root?: string): string {
  if (path === 'README.md') return 'index.html';
  if (root !== undefined) return statSync(join(root, path)).isDirectory() ? `${path}/index.html` : `${path}.html`;
  return path.replace(/README\.md$/, 'index.html').replace(/\.md$/, '.html');
}

function isPicture(path: string): boolean {
  return /\.(svg|png)$/.test(path);
}

function relative(from: string, to: string): string {
  return posix.relative(dirname(from), to);
}

function linkTo(from: string, to: { readonly address: string; readonly label: string } | undefined): Link {
  if (to === undefined) throw new Error('a page of the list was not made');
  return { href: relative(from, to.address), label: to.label };
}
