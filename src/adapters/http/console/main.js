// @ts-check
import { at, put } from './dom.js';
import { clock } from './format.js';
import { createOverTime } from './over-time.js';
import { pathPicture } from './path.js';
import { showTables } from './tables.js';
import { showInstances, showLost, showTop } from './top.js';

/** @typedef {import('../../../telemetry/state/state.ts').State} State */

/** The page: asks for the state once a second while somebody looks, and shows it. */
const EVERY_MS = 1_000;
const PATIENCE_MS = 4_000;

const overTime = createOverTime();
let instance = new URLSearchParams(location.search).get('instance') ?? '';
/** @type {State | undefined} */
let state;
let answeredMs = Date.now();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** Answers of an earlier choice are not shown. */
let asked = 0;

async function ask() {
  const mine = ++asked;
  clearTimeout(timer);
  try {
    const query = new URLSearchParams({ instance, after: String(overTime.afterMs) });
    const response = await fetch(`/api/state?${query}`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      cache: 'no-store',
    });
    if (mine !== asked) return;
    if (response.status === 404 && instance !== '') choose('');
    else if (response.ok) show(await response.json());
    else if (response.status !== 503) throw new Error(`answered ${response.status}`);
  } catch {
    if (mine === asked) showLost(answeredMs, Date.now());
  }
  if (mine === asked && !document.hidden) timer = setTimeout(ask, EVERY_MS);
}

/** @param {State} now */
function show(now) {
  // Another process has other figures, and another past.
  if (state !== undefined && state.process.startedAtMs !== null && isOther(state, now)) overTime.forget();
  state = now;
  answeredMs = Date.now();
  showLost(undefined, answeredMs);
  showTop(now);
  showInstances(now, choose);
  showPath();
  overTime.show(now);
  showTables(now);
  at('read').textContent = `Read at ${clock(now.atMs)}`;
}

/**
 * @param {State} before
 * @param {State} now
 */
function isOther(before, now) {
  return (
    now.process.startedAtMs !== null && Math.abs((before.process.startedAtMs ?? 0) - now.process.startedAtMs) > 2_000
  );
}

function showPath() {
  if (state === undefined) return;
  const { path, credit, caches, batches, records, model } = state;
  const width = at('path').clientWidth - 34;
  const of = state;
  put('path', [path, credit, caches, batches, records, model, width], () => [card(...pathPicture(of, width))]);
}

/** @param {...Node} children */
function card(...children) {
  const element = document.createElement('div');
  element.className = 'card';
  element.append(...children);
  return element;
}

/** @param {string} of */
function choose(of) {
  instance = of;
  const url = new URL(location.href);
  if (of === '') url.searchParams.delete('instance');
  else url.searchParams.set('instance', of);
  history.replaceState(null, '', url);
  overTime.forget();
  void ask();
}

new ResizeObserver(showPath).observe(at('path'));
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void ask();
});
void ask();
