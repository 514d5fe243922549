import { escapeHtml } from './highlight.ts';
import type { Heading } from './markdown.ts';

export interface Link {
  readonly href: string;
  readonly label: string;
}

export interface Frame {
  /** From this page to the root of the site: '' or '../…'. */
  readonly root: string;
  readonly title: string;
  readonly summary: string;
  readonly chapters: readonly { readonly title: string; readonly pages: readonly Link[] }[];
  /** Of the list of pages: this one. */
  readonly current: string;
  readonly headings: readonly Heading[];
  readonly before?: Link;
  readonly after?: Link;
  /** From the repository root: what the page was made from. */
  readonly source: string;
  readonly html: string;
}

export const STYLES = ['text.css', 'frame.css', 'search.css'];

/** A whole page. Everything is read without JavaScript; search, the choice of colours and copying come with it. */
export function page(frame: Frame): string {
  const { root, title, summary, headings, before, after, source, html } = frame;
  const name = title === 'Sluice' ? title : `${title} · Sluice`;
  const inside = headings.filter(({ depth }) => depth === 2 || depth === 3);
  const toc = inside.length < 3 ? '' : contents(inside);
  return `<!doctype html>
<html lang="en" data-root="${root}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${escapeHtml(summary.replace(/\s+/g, ' ').slice(0, 200))}">
<title>${escapeHtml(name)}</title>
<link rel="icon" href="${root}assets/icon.svg" type="image/svg+xml">
${STYLES.map((name) => `<link rel="stylesheet" href="${root}assets/${name}">`).join('\n')}
<script src="${root}assets/site.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="${root}index.html"><img src="${root}assets/icon.svg" alt="" width="26" height="26">Sluice</a>
<div class="search" role="search" hidden>
<input id="search" type="text" role="combobox" enterkeyhint="search" aria-label="Search these pages" aria-autocomplete="list" aria-expanded="false" aria-controls="found" autocomplete="off" spellcheck="false" placeholder="Search">
<kbd aria-hidden="true">/</kbd>
<div id="found" role="listbox" aria-label="Found" hidden></div>
</div>
<p id="told" class="hidden-text" role="status"></p>
<button id="theme" type="button" hidden></button>
<a class="menu" href="#pages">Menu</a>
</header>
<div class="columns${toc === '' ? ' roomy' : ''}">
<nav id="pages" class="pages" aria-label="Pages">
<a class="close" href="#content">Close</a>
${frame.chapters.map((chapter) => pageList(chapter, frame.current)).join('\n')}
</nav>
<main id="content">
<article>
${toc === '' ? '' : `<details class="toc-here"><summary>On this page</summary>${toc}</details>`}
${html}</article>
<footer>
<nav class="beside" aria-label="Before and after">${neighbour(before, 'Before')}${neighbour(after, 'Next')}</nav>
<p>Made from <code>${escapeHtml(source)}</code> by <code>npm run site</code>.</p>
</footer>
</main>
${toc === '' ? '' : `<nav class="toc" aria-label="On this page"><p>On this page</p>${toc}</nav>`}
</div>
</body>
</html>
`;
}

function pageList({ title, pages }: Frame['chapters'][number], current: string): string {
  const items = pages.map(({ href, label }) => {
    const here = href === current ? ' aria-current="page"' : '';
    return `<li><a href="${href}"${here}>${escapeHtml(label)}</a></li>`;
  });
  const list = `<ul>${items.join('')}</ul>`;
  // The decisions are many; who reads one of them sees them all.
  if (pages.length <= 10) return `<p>${escapeHtml(title)}</p>${list}`;
  const open = pages.some(({ href }) => href === current) ? ' open' : '';
  return `<details${open}><summary>${escapeHtml(title)}</summary>${list}</details>`;
}

function contents(headings: readonly Heading[]): string {
  const items = headings.map(
    ({ anchor, text, depth }) => `<li class="depth-${depth}"><a href="#${anchor}">${escapeHtml(text)}</a></li>`,
  );
  return `<ul>${items.join('')}</ul>`;
}

function neighbour(link: Link | undefined, word: string): string {
  if (link === undefined) return '<span></span>';
  return `<a class="${word.toLowerCase()}" href="${link.href}"><small>${word}</small>${escapeHtml(link.label)}</a>`;
}
