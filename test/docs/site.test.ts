import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { createAnchors } from '../../docs/tools/anchor.ts';
import { render } from '../../docs/tools/site/markdown.ts';
import { chaptersOf } from '../../docs/tools/site/navigation.ts';
import type { Indexed } from '../../docs/tools/site/search-index.ts';
import { buildSite } from '../../docs/tools/site/site.ts';
import { readHtml, textOf } from '../fixtures/html.ts';
import { fencesOf, pages, ROOT } from './pages.ts';

const SITE = buildSite(ROOT);
const HTML = [...SITE]
  .filter(([path]) => path.endsWith('.html'))
  .map(([path, text]) => ({ path, ...readHtml(String(text)) }));
const ids = new Map(
  HTML.map(({ path, tags }) => [path, tags.flatMap(({ attributes }) => attributes.get('id') ?? [])] as const),
);

test('every page that people read has its place in the list of pages', () => {
  const placed = chaptersOf(ROOT).flatMap(({ pages }) => pages.map(({ path }) => path));
  assert.equal(new Set(placed).size, placed.length);
  const homeless = pages().filter(({ path }) => !placed.includes(path));
  assert.deepEqual(
    homeless.map(({ path }) => path),
    [],
    'place it in docs/tools/site/navigation.ts',
  );
});

test('every link and picture leads to a file of the site, every anchor to an id', () => {
  let links = 0;
  for (const { path, tags } of HTML) {
    for (const { attributes } of tags) {
      const target = attributes.get('href') ?? attributes.get('src');
      if (target === undefined || /^https?:/.test(target)) continue;
      const [file, anchor] = target.split('#');
      const to = file === '' ? path : posix.join(posix.dirname(path), file);
      assert.ok(SITE.has(to), `${path}: ${target}`);
      if (anchor !== undefined) assert.ok(ids.get(to)?.includes(decodeURIComponent(anchor)), `${path}: ${target}`);
      links++;
    }
  }
  assert.ok(links > 3_000);
});

test('pages are well-formed: tags that close, one title, ids that are there once, pictures with words for them', () => {
  assert.ok(HTML.length > 60);
  for (const { path, tags, complaints } of HTML) {
    assert.deepEqual(complaints, [], path);
    const named = (name: string) => tags.filter((tag) => tag.name === name);
    for (const name of ['title', 'h1', 'main', 'header']) assert.equal(named(name).length, 1, `${path}: ${name}`);
    assert.equal(new Set(ids.get(path)).size, ids.get(path)?.length, `${path}: an id twice`);
    const levels = tags.flatMap(({ name }) => (/^h\d$/.test(name) ? Number(name[1]) : []));
    for (const [at, level] of levels.entries())
      assert.ok(at === 0 || level <= levels[at - 1] + 1, `${path}: a heading level is left out`);
    for (const { attributes } of named('img')) assert.ok(attributes.has('alt'), path);
    for (const nav of named('nav')) assert.ok(nav.attributes.get('aria-label'), `${path}: which navigation?`);
    for (const key of ['src', 'href'])
      for (const { name, attributes } of tags)
        if (name !== 'a')
          assert.doesNotMatch(attributes.get(key) ?? '', /^(https?:)?\/\//, `${path} needs the network`);
  }
});

test('what is wrong with HTML is found', () => {
  const page = (body: string) => readHtml(`<!doctype html>\n${body}`).complaints;
  assert.deepEqual(page('<p>fine <code>a</code></p>'), []);
  for (const body of [
    '<p><div></div></p>',
    '<b>',
    '<p>a < b</p>',
    '<i></b>',
    '<p>&nbsp;</p>',
    '<a href="x"><a href="y"></a></a>',
  ])
    assert.equal(page(body).length > 0, true, body);
});

test('code is shown as it stands, whatever is coloured in it', () => {
  for (const page of pages()) {
    const { html } = render(page.text, () => '');
    const shown = [...html.matchAll(/<pre tabindex="0"><code>([\s\S]*?)<\/code>/g)].map(([, inner]) => textOf(inner));
    assert.deepEqual(
      shown,
      fencesOf(page).map(({ body }) => body.replace(/\n$/, '')),
      page.path,
    );
  }
});

test('anchors are those of GitHub', () => {
  const anchorFor = createAnchors();
  const titles = ['Where is …?', '`a.b(c)` & d_e', 'P1 · Nothing is lost', 'Limits', 'Limits', 'Größe — über'];
  assert.deepEqual(titles.map(anchorFor), [
    'where-is-',
    'abc--d_e',
    'p1--nothing-is-lost',
    'limits',
    'limits-1',
    'größe--über',
  ]);
});

test('a link that leads nowhere, and a heading inside of something, fail the build', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-site-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const build = (text: string) => {
    writeFileSync(join(root, 'README.md'), text);
    return buildSite(root, [{ title: 'All', pages: [{ path: 'README.md' }] }]);
  };
  assert.ok(build('# A\n\n[b](README.md#a)').has('index.html'));
  assert.throws(() => build('# A\n\n[b](b.md)'), /README\.md links to b\.md: it is not there/);
  assert.throws(() => build('# A\n\n[b](../../etc/passwd)'), /it is not there/);
  assert.throws(() => render('> ## In a quotation', () => ''), /is inside of something/);
  const { html } = render('[a](b.md) ![c](d.svg) <b>no</b> <!-- no -->', (target) => `to/${target}`);
  assert.match(
    html,
    /<a href="to\/b\.md">a<\/a> <img src="to\/d\.svg" alt="c" loading="lazy"> &lt;b&gt;no&lt;\/b&gt; /,
  );
});

test('a folder is shown as git has it, files of nobody else, and as it is on disk where there is no git', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-site-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['data/kept', 'data/mine']) mkdirSync(join(root, folder), { recursive: true });
  for (const file of ['data/a.txt', 'data/kept/b.txt', 'data/mine/c.txt', 'data/notes.txt', 'data/.hidden'])
    writeFileSync(join(root, file), file);
  writeFileSync(join(root, 'README.md'), '# A\n\n[data](data)\n');
  const built = () =>
    [...buildSite(root, [{ title: 'All', pages: [{ path: 'README.md' }] }]).keys()]
      .filter((path) => path.startsWith('data/'))
      .sort();
  const kept = ['data/a.txt.html', 'data/index.html', 'data/kept/b.txt.html', 'data/kept/index.html'];
  const all = [...kept, 'data/mine/c.txt.html', 'data/mine/index.html', 'data/notes.txt.html'];
  assert.deepEqual(built(), all, 'no git has it');
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args]);
  if (git('init', '-q').status !== 0) return context.skip('git is missing: apt-get install git');
  assert.deepEqual(built(), all, 'git has none of it: unpacked below a repository of another');
  git('add', 'README.md', 'data/a.txt', 'data/kept/b.txt');
  assert.deepEqual(built(), kept);
  rmSync(join(root, 'data/a.txt'));
  assert.deepEqual(built(), kept.slice(1), 'git has it, and it is gone');
});

test('the index of the search has keys, metrics and words as places of their own', () => {
  const script = String(SITE.get('assets/search-index.js'));
  const index: readonly Indexed[] = JSON.parse(script.replace(/^globalThis\.sluicePages = /, '').replace(/;\n$/, ''));
  assert.ok(Buffer.byteLength(script) < 400_000, 'it is loaded at the first search, and small');
  const found = (address: string, heading: string) =>
    index.find(([page]) => page === address)?.[2].find(([, name]) => name === heading);
  for (const [address, heading] of [
    ['docs/reference/topology.html', 'flow.latencyBudget'],
    ['docs/reference/metrics.html', 'sluice_lag_drain_seconds'],
    ['docs/glossary.html', 'dead letter'],
    ['docs/guide.html', '1. A topology and a bundle'],
  ]) {
    const place = found(address, heading);
    assert.ok(place && place[2].length > 20, heading);
    assert.ok(ids.get(address)?.includes(place[0]), `${heading}: ${place[0]}`);
  }
});
