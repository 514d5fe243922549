// @ts-check
/** Elements without a framework. Text is always text: nothing that comes from the process is ever read as HTML. */

/** @typedef {string | Node | false | null | undefined} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | EventListener | undefined>>} Attributes */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 * @returns {E}
 */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * The element of the page with this id.
 * @param {string} id
 */
export function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @type {Map<string, string>} */
const shown = new Map();

/**
 * Builds what is in an element anew when what it shows has changed, and only then: what somebody selects or has the focus on stays.
 * @param {string} id
 * @param {unknown} of
 * @param {() => readonly Child[]} build
 */
export function put(id, of, build) {
  const key = JSON.stringify(of);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  const element = at(id);
  const scrolled = element.querySelector('.scroll')?.scrollTop ?? 0;
  element.replaceChildren(...build().filter((child) => child !== false && child !== null && child !== undefined));
  const scroll = element.querySelector('.scroll');
  if (scroll !== null) scroll.scrollTop = scrolled;
}
