// @ts-check
/** What the pages can do with JavaScript: search, light or dark by choice, copying, and tables that are reached by keyboard only if they scroll. */
(() => {
  const html = document.documentElement;
  const root = html.dataset.root ?? '';

  const THEMES = ['auto', 'light', 'dark'];
  /** @param {string} [theme] to keep, or none to know */
  function kept(theme) {
    try {
      if (theme !== undefined) localStorage.setItem('sluice-theme', theme);
      return localStorage.getItem('sluice-theme') ?? 'auto';
    } catch (refused) {
      // A browser that keeps nothing for pages of a folder says so by throwing.
      console.debug(refused);
      return theme ?? 'auto';
    }
  }
  let theme = kept();
  const paint = () => {
    if (theme === 'auto') delete html.dataset.theme;
    else html.dataset.theme = theme;
  };
  // Before anything is drawn.
  paint();

  document.addEventListener('DOMContentLoaded', () => {
    themeButton();
    search();
    copying();
    scrolling();
    reading();
  });

  /** @template {HTMLElement} T @param {string} id @returns {T} */
  function at(id) {
    return /** @type {T} */ (document.getElementById(id));
  }

  /**
   * @param {string} name
   * @param {Record<string, string>} attributes
   * @param {...(Node | string)} children
   */
  function h(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function themeButton() {
    const button = at('theme');
    const show = () => {
      button.textContent = { auto: '◐', light: '☀', dark: '☾' }[theme] ?? '◐';
      button.setAttribute('aria-label', `Colours: ${theme === 'auto' ? 'as the system has them' : theme}. Change`);
      button.title = `Colours: ${theme}`;
    };
    show();
    button.hidden = false;
    button.addEventListener('click', () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      kept(theme);
      paint();
      show();
    });
  }

  /** @typedef {[string, string, [string, string, string][]]} Indexed */
  /** @typedef {{ url: string, page: string, heading: string, text: string, score: number }} Hit */

  /** @type {Promise<Indexed[]> | undefined} */
  let index;
  function load() {
    index ??= new Promise((resolve, reject) => {
      const script = h('script', { src: `${root}assets/search-index.js` });
      script.addEventListener('load', () => resolve(/** @type {any} */ (globalThis).sluicePages));
      script.addEventListener('error', () => reject(new Error('the index is not there')));
      document.head.append(script);
    });
    return index;
  }

  /**
   * Sections in which every word is, best first: a word in the heading counts more than one in the page's title, and that more
   * than one in the text.
   * @param {Indexed[]} pages
   * @param {readonly string[]} words
   */
  function find(pages, words) {
    /** @type {Hit[]} */
    const hits = [];
    for (const [address, page, sections] of pages) {
      for (const [anchor, heading, text] of sections) {
        const [inTitle, inHeading, inText] = [page, heading, text].map((one) => one.toLowerCase());
        let score = 0;
        for (const word of words) {
          const here =
            (inHeading === word ? 40 : 0) +
            (inHeading.includes(word) ? 20 : 0) +
            (inTitle.includes(word) ? 8 : 0) +
            Math.min(5, inText.split(word).length - 1);
          score = here === 0 ? Number.NEGATIVE_INFINITY : score + here;
        }
        // What is said at length elsewhere is listed below what is about it; a decision below a page for users.
        if (/(^|\/)adr\/|CHANGELOG/.test(address)) score -= 30;
        if (Number.isFinite(score)) {
          hits.push({ url: `${root}${address}${anchor && `#${anchor}`}`, page, heading, text, score });
        }
      }
    }
    return hits.sort((a, b) => b.score - a.score);
  }

  /**
   * The text around the first word, with all words marked.
   * @param {string} text
   * @param {readonly string[]} words
   */
  function excerpt(text, words) {
    const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0);
    const from = places.length === 0 ? 0 : Math.max(0, Math.min(...places) - 40);
    const start = from === 0 ? 0 : text.indexOf(' ', from) + 1;
    return [
      start > 0 ? '… ' : '',
      ...marked(text.slice(start, start + 150), words),
      start + 150 < text.length ? ' …' : '',
    ];
  }

  /**
   * @param {string} text
   * @param {readonly string[]} words
   */
  function marked(text, words) {
    const pattern = new RegExp(`(${words.map((word) => word.replace(/[^\p{L}\p{N}]/gu, '\\$&')).join('|')})`, 'iu');
    return text.split(pattern).map((part, at) => (at % 2 === 1 ? h('mark', {}, part) : part));
  }

  const MOST = 12;

  function search() {
    const input = /** @type {HTMLInputElement} */ (at('search'));
    const list = at('found');
    let chosen = -1;
    /** @type {HTMLElement | null} */ (input.parentElement)?.removeAttribute('hidden');

    const show = (/** @type {boolean} */ open) => {
      list.hidden = !open;
      input.setAttribute('aria-expanded', String(open));
      if (!open) choose(-1);
    };
    const choose = (/** @type {number} */ next) => {
      const options = [...list.children];
      chosen = options.length === 0 ? -1 : next;
      for (const [at, option] of options.entries()) option.setAttribute('aria-selected', String(at === chosen));
      if (chosen >= 0) options[chosen].scrollIntoView({ block: 'nearest' });
      if (chosen >= 0) input.setAttribute('aria-activedescendant', options[chosen].id);
      else input.removeAttribute('aria-activedescendant');
    };

    async function look() {
      const asked = input.value;
      const words = asked
        .toLowerCase()
        .split(/\s+/)
        .filter((word) => word !== '');
      if (words.length === 0) return show(false);
      /** @type {Indexed[]} */
      let pages;
      try {
        pages = await load();
      } catch (failure) {
        list.replaceChildren(h('p', {}, `Search does not work: ${/** @type {Error} */ (failure).message}.`));
        return show(true);
      }
      if (input.value !== asked) return;
      const hits = find(pages, words);
      const options = hits.slice(0, MOST).map(({ url, page, heading, text }, at) => {
        const own = heading !== page && heading !== '';
        const where = [...marked(own ? heading : page, words), ...(own ? [' ', h('small', {}, page)] : [])];
        const lines = [h('strong', {}, ...where), h('span', {}, ...excerpt(text, words))];
        return h(
          'a',
          { id: `found-${at}`, role: 'option', href: url, tabindex: '-1', 'aria-selected': 'false' },
          ...lines,
        );
      });
      list.replaceChildren(...(options.length > 0 ? options : [h('p', {}, `Nothing says “${asked.trim()}”.`)]));
      at('told').textContent =
        hits.length === 0 ? 'Nothing found' : `${Math.min(hits.length, MOST)} of ${hits.length} places`;
      show(true);
      choose(options.length > 0 ? 0 : -1);
    }

    input.addEventListener('input', () => void look());
    input.addEventListener('focus', () => void (input.value === '' ? load().catch(() => undefined) : look()));
    input.addEventListener('keydown', (event) => {
      const options = /** @type {HTMLAnchorElement[]} */ ([...list.querySelectorAll('a')]);
      const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 });
      if (event.key in steps && options.length > 0) {
        event.preventDefault();
        choose((chosen + steps[event.key] + options.length) % options.length);
      } else if (event.key === 'Enter' && chosen >= 0) {
        event.preventDefault();
        options[chosen]?.click();
      } else if (event.key === 'Escape') {
        if (list.hidden) input.value = '';
        show(false);
      }
    });
    list.addEventListener('click', () => show(false));
    document.addEventListener('pointerdown', ({ target }) => {
      if (!input.parentElement?.contains(/** @type {Node} */ (target))) show(false);
    });
    document.addEventListener('focusin', ({ target }) => {
      if (!input.parentElement?.contains(/** @type {Node} */ (target))) show(false);
    });
    document.addEventListener('keydown', (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.focus();
      input.select();
    });
  }

  function copying() {
    if (navigator.clipboard === undefined) return;
    for (const pre of document.querySelectorAll('.code pre')) {
      const button = h('button', { type: 'button', class: 'copy', 'aria-label': 'Copy this code' }, 'Copy');
      button.addEventListener('click', async () => {
        const done = await navigator.clipboard.writeText(pre.textContent ?? '').then(
          () => 'Copied',
          () => 'Not allowed',
        );
        button.textContent = done;
        at('told').textContent = done;
        setTimeout(() => {
          button.textContent = 'Copy';
        }, 1500);
      });
      pre.after(button);
    }
  }

  /** A table or code that fits is no stop for the tab key. */
  function scrolling() {
    const look = () => {
      for (const one of document.querySelectorAll('.wide, pre')) {
        if (one.scrollWidth > one.clientWidth) one.setAttribute('tabindex', '0');
        else one.removeAttribute('tabindex');
      }
    };
    look();
    window.addEventListener('resize', look);
  }

  /** Marks in the list of headings which one is being read. */
  function reading() {
    const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('.toc a')]);
    const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
    const look = () => {
      let now = -1;
      headings.forEach((heading, at) => {
        if (heading !== null && heading.getBoundingClientRect().top < 130) now = at;
      });
      for (const [at, link] of links.entries()) link.classList.toggle('here', at === now);
    };
    look();
    window.addEventListener('scroll', look, { passive: true });
    // By hand: scrollIntoView would move the page, too.
    const nav = at('pages');
    const current = /** @type {HTMLElement | null} */ (nav.querySelector('[aria-current]'));
    if (current !== null && current.offsetTop > nav.clientHeight - 60)
      nav.scrollTop = current.offsetTop - nav.clientHeight / 2;
  }
})();
