/**
 * A page in Markdown → HTML, its headings, and its text in sections for the search. Anchors of headings are GitHub's, so that a link
 * holds in both places; rows of a table that begin with a name in code, or a word that they explain, have one too, for the search. HTML in a page is shown as
 * text, but for comments, which are left out.
 */
import { Marked, type Token, type Tokens } from 'marked';
import { anchorOf, createAnchors } from '../anchor.ts';
import { escapeHtml, highlight } from './highlight.ts';

export interface Heading {
  readonly depth: number;
  readonly text: string;
  readonly anchor: string;
}

export interface Section {
  /** '' for what stands above the first heading. */
  readonly anchor: string;
  readonly heading: string;
  readonly text: string;
}

export interface Rendered {
  readonly html: string;
  readonly title: string;
  /** The first paragraph. */
  readonly summary: string;
  readonly headings: readonly Heading[];
  readonly sections: readonly Section[];
}

/** What a link of the page leads to on the site. */
export type Resolve = (target: string) => string;

export function render(markdown: string, resolve: Resolve): Rendered {
  const marked = new Marked({ gfm: true });
  const tokens = marked.lexer(markdown);
  const { headings, sections, anchors } = outline(tokens);
  marked.use({
    renderer: {
      heading(token) {
        const { tokens: inline, depth } = token;
        const anchor = anchors.get(token);
        if (anchor === undefined)
          throw new Error(`the heading "${token.text}" is inside of something: no list of headings has it`);
        const mark = `<a class="anchor" href="#${anchor}" aria-label="Link to “${escapeHtml(plain(inline))}”">#</a>`;
        const inner = this.parser.parseInline(inline);
        return `<h${depth} id="${anchor}">${inner}${depth === 1 ? '' : ` ${mark}`}</h${depth}>\n`;
      },
      link({ href, tokens: inline }) {
        return `<a href="${escapeHtml(resolve(href))}">${this.parser.parseInline(inline)}</a>`;
      },
      image: ({ href, text }) => `<img src="${escapeHtml(resolve(href))}" alt="${escapeHtml(text)}" loading="lazy">`,
      code: ({ text, lang = '' }) => codeBlock(text, lang.split(' ')[0]),
      // Long names break where people would break them.
      codespan: ({ text }) => `<code>${escapeHtml(text).replace(/[./_](?=\w)/g, '$&<wbr>')}</code>`,
      html: ({ text }) => (/^\s*<!--/.test(text) ? '' : escapeHtml(text)),
      table(token) {
        const row = (cells: readonly Tokens.TableCell[]): string => {
          const anchor = anchors.get(cells[0]);
          const id = anchor === undefined ? '' : ` id="${anchor}"`;
          return `<tr${id}>${cells.map((cell) => this.tablecell(cell)).join('')}</tr>\n`;
        };
        const about = token.header.map(({ tokens: inline }) => plain(inline)).join(', ');
        const head = `<thead>${row(token.header)}</thead>`;
        const body = `<tbody>${token.rows.map(row).join('')}</tbody>`;
        return `<div class="wide" role="region" tabindex="0" aria-label="Table: ${escapeHtml(about)}"><table>\n${head}\n${body}</table></div>\n`;
      },
      tablecell({ tokens: inline, header, align }) {
        const inner = this.parser.parseInline(inline);
        const text = plain(inline);
        // A figure with its unit stays in one line.
        const kinds = [align ?? '', !header && text.length <= 18 && /^[×~<]? ?[\d–]/.test(text) ? 'figure' : ''].filter(
          Boolean,
        );
        const kind = kinds.length === 0 ? '' : ` class="${kinds.join(' ')}"`;
        // A head without a word in it heads nothing.
        return header && inner !== '' ? `<th scope="col"${kind}>${inner}</th>` : `<td${kind}>${inner}</td>`;
      },
    },
  });
  const first = tokens.find((token): token is Tokens.Paragraph => token.type === 'paragraph');
  const summary = first ? plain(first.tokens) : '';
  return { html: marked.parser(tokens), title: headings[0]?.text ?? '', summary, headings, sections };
}

export function codeBlock(text: string, language: string): string {
  const wrapped = ['sh', 'text'].includes(language) ? ' wrapped' : '';
  return `<div class="code${wrapped}"><pre tabindex="0"><code>${highlight(text, language)}</code></pre></div>\n`;
}

/** Anchors by heading, and by first cell of a row. */
function outline(tokens: readonly Token[]) {
  const anchorFor = createAnchors();
  const rowAnchorFor = createAnchors();
  const anchors = new Map<Token | Tokens.TableCell, string>();
  const headings: Heading[] = [];
  const sections: { anchor: string; heading: string; text: string }[] = [{ anchor: '', heading: '', text: '' }];
  for (const token of tokens) {
    if (token.type === 'heading') {
      const { tokens: inline = [], depth } = token as Tokens.Heading;
      const text = plain(inline);
      const anchor = anchorFor(text);
      anchors.set(token, anchor);
      headings.push({ depth, text, anchor });
      sections.push({ anchor: depth === 1 ? '' : anchor, heading: text, text: '' });
    } else if (token.type === 'table') {
      const [above] = sections.slice(-1);
      for (const cells of (token as Tokens.Table).rows) {
        const [name, ...rest] = cells.map((cell) => plain(cell.tokens));
        const isName = cells[0].tokens[0]?.type === 'codespan' || (token as Tokens.Table).header[0].text === 'word';
        if (!isName) above.text += ` ${[name, ...rest].join(' ')}`;
        else {
          const anchor = rowAnchorFor(`row ${anchorOf(name)}`);
          anchors.set(cells[0], anchor);
          sections.splice(-1, 0, { anchor, heading: name, text: rest.filter(Boolean).join(' · ') });
        }
      }
    } else sections[sections.length - 1].text += ` ${plain([token])}`;
  }
  const kept = sections
    .map((section) => ({ ...section, text: section.text.replace(/\s+/g, ' ').trim() }))
    .filter(({ text, heading }) => text !== '' || heading !== '');
  return { headings, sections: kept, anchors };
}

/** What is to be read of tokens, without marks. */
function plain(tokens: readonly Token[] = []): string {
  return tokens
    .map((token): string => {
      if (token.type === 'list')
        return (token.items as Tokens.ListItem[]).map((item) => ` ${plain(item.tokens)}`).join('');
      if (token.type === 'br' || token.type === 'space') return ' ';
      if (token.type === 'html') return '';
      if ('tokens' in token && token.tokens !== undefined) return plain(token.tokens);
      return 'text' in token ? unescaped(String(token.text)) : '';
    })
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name]);
}
