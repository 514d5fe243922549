// @ts-check
import { h, s } from './dom.js';
import { clock } from './format.js';

/** @typedef {import('../../../telemetry/state/state.ts').PointState} Point */
/** @typedef {import('../../../telemetry/state/state.ts').SpreadState} Spread */

/**
 * @typedef {object} ChartSpec
 * @property {string} id
 * @property {string} title
 * @property {(points: readonly Point[], frame: Frame) => readonly Node[]} draw
 * @property {(point: Point) => string} read what a point says, for the line under the title
 */

/**
 * Where things are in a chart.
 * @typedef {object} Frame
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 * @property {(atMs: number) => number} x
 * @property {number} slot width of a point
 */

export const SPAN_MS = 600_000;
/** Minutes that are shown: no more than it takes, so that a young process does not have an empty page. */
const MINUTES = [2, 3, 5, 10];
const HEIGHT = 150;

/**
 * A chart over the last ten minutes, with a line that says what is under the pointer; by keyboard with the arrows.
 * @param {ChartSpec} spec
 */
export function createChart(spec) {
  const reading = h('p', { class: 'reading' });
  const canvas = h('div', {
    tabindex: 0,
    role: 'group',
    'aria-label': `${spec.title}: arrows go through the last ten minutes`,
  });
  const element = h('div', { class: 'card chart' }, h('h2', {}, spec.title), reading, canvas);
  /** @type {readonly Point[]} */
  let points = [];
  let everyMs = 5_000;
  /** @type {number | undefined} */
  let chosenMs;

  function frameOf() {
    const width = Math.max(240, canvas.clientWidth || 320);
    const left = 52;
    const right = width - 8;
    const lastMs = points.at(-1)?.atMs ?? 0;
    const neededMs = lastMs - (points[0]?.atMs ?? 0);
    const minutes = MINUTES.find((each) => each * 60_000 > neededMs + everyMs) ?? 10;
    const perMs = (right - left) / (minutes * 60_000);
    const x = (/** @type {number} */ atMs) => right - (lastMs - atMs) * perMs;
    return { width, minutes, frame: { left, right, top: 6, bottom: HEIGHT - 20, slot: everyMs * perMs, x } };
  }

  function draw() {
    const { width, minutes, frame } = frameOf();
    const chosen = points.find(({ atMs }) => atMs === chosenMs);
    const told = chosen ?? points.at(-1);
    reading.replaceChildren(
      ...(told === undefined
        ? ['the first point comes after five seconds']
        : [h('span', {}, chosen === undefined ? 'now ' : `${clock(told.atMs)} `), h('b', {}, spec.read(told))]),
    );
    canvas.replaceChildren(
      s(
        'svg',
        {
          viewBox: `0 0 ${width} ${HEIGHT}`,
          role: 'img',
          'aria-label': `${spec.title}. ${told === undefined ? '' : spec.read(told)}`,
        },
        ...[0, 0.5, 1].map((share) => {
          const x = frame.right - (frame.right - frame.left) * share;
          const text = share === 0 ? 'now' : `−${share * minutes} min`;
          return s('text', { x, y: HEIGHT - 4, class: `axis ${['end', 'middle', ''][2 * share]}` }, text);
        }),
        ...(points.length > 0 ? spec.draw(points, frame) : []),
        chosen !== undefined &&
          s('path', { class: 'cursor', d: `M${frame.x(chosen.atMs) - frame.slot / 2} ${frame.top}V${frame.bottom}` }),
      ),
    );
  }

  canvas.addEventListener('pointermove', (event) => {
    const { width, frame } = frameOf();
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) * width) / box.width;
    const found = points.find(({ atMs }) => frame.x(atMs) >= x && frame.x(atMs) - frame.slot < x);
    if (found?.atMs === chosenMs) return;
    chosenMs = found?.atMs;
    draw();
  });
  const forget = () => {
    chosenMs = undefined;
    draw();
  };
  canvas.addEventListener('pointerleave', forget);
  canvas.addEventListener('blur', forget);
  canvas.addEventListener('keydown', ({ key }) => {
    if (key !== 'ArrowLeft' && key !== 'ArrowRight' && key !== 'Escape') return;
    const here = points.findIndex(({ atMs }) => atMs === chosenMs);
    const from = here < 0 ? points.length - 1 : here;
    chosenMs =
      key === 'Escape'
        ? undefined
        : points[Math.max(0, Math.min(points.length - 1, from + (key === 'ArrowLeft' ? -1 : 1)))]?.atMs;
    draw();
  });
  new ResizeObserver(draw).observe(canvas);

  return {
    element,
    /**
     * @param {readonly Point[]} all
     * @param {number} every
     */
    show(all, every) {
      points = all;
      everyMs = every;
      draw();
    },
  };
}

/**
 * A line over an even scale from zero; `limit` is drawn where there is one.
 * @param {(point: Point) => number | null} figureOf
 * @param {(value: number) => string} format
 * @param {(point: Point) => number | null} [limitOf]
 * @returns {ChartSpec['draw']}
 */
export function line(figureOf, format, limitOf = () => null) {
  return (points, frame) => {
    const limit = limitOf(/** @type {Point} */ (points.at(-1)));
    const top = niceTop(Math.max(1, limit ?? 0, ...points.map((point) => figureOf(point) ?? 0)));
    const y = (/** @type {number} */ value) => frame.bottom - ((frame.bottom - frame.top) * value) / top;
    const runs = runsOf(points, frame, (point) => figureOf(point), y);
    return [
      ...[0, 0.5, 1].flatMap((share) => rule(frame, y(top * share), format(top * share))),
      ...runs.map((run) => s('path', { class: 'area', d: `${run.d}V${frame.bottom}H${run.from}Z` })),
      ...runs.map((run) => s('path', { class: 'line', d: run.d })),
      ...(limit === null ? [] : [s('path', { class: 'limit', d: `M${frame.left} ${y(limit)}H${frame.right}` })]),
    ];
  };
}

/** Of what was observed in the time of a point, this share or more is in a bucket: how dark it is. */
const SHADES = [0, 0.02, 0.08, 0.2, 0.4];

/**
 * A histogram a point, darker where more is, with the median as a line and p99 dashed. The scale is that of the buckets.
 * @param {(point: Point) => Spread} spreadOf
 * @param {() => readonly number[]} boundsOf
 * @param {(value: number) => string} format
 * @returns {ChartSpec['draw']}
 */
export function heat(spreadOf, boundsOf, format) {
  return (points, frame) => {
    const bounds = boundsOf();
    const filled = points.flatMap((point) => spreadOf(point).counts.flatMap((n, bucket) => (n > 0 ? [bucket] : [])));
    const first = Math.max(0, Math.min(bounds.length - 4, ...filled));
    const last = Math.max(first + 4, ...filled);
    const step = (frame.bottom - frame.top) / (last - first + 1);
    /** Lower edge of a bucket. */
    const edge = (/** @type {number} */ bucket) => frame.bottom - (bucket - first) * step;
    const y = (/** @type {number} */ value) => {
      const bucket = bounds.findIndex((bound) => value <= bound);
      if (bucket < 0) return frame.top;
      const from = bucket === 0 ? 0 : bounds[bucket - 1];
      return Math.max(
        frame.top,
        Math.min(frame.bottom, edge(bucket) - (step * (value - from)) / (bounds[bucket] - from)),
      );
    };
    const paths = SHADES.map(() => '');
    for (const point of points) {
      const { counts } = spreadOf(point);
      const all = counts.reduce((sum, n) => sum + n, 0);
      const right = frame.x(point.atMs);
      if (right - frame.slot < frame.left - 1) continue;
      counts.forEach((n, bucket) => {
        if (n === 0) return;
        const shade = SHADES.findLastIndex((share) => n / all > share);
        paths[shade] +=
          `M${round(right - frame.slot)} ${round(edge(bucket))}h${round(frame.slot + 0.4)}v${round(-step)}h${round(-frame.slot - 0.4)}z`;
      });
    }
    const ticks = [0, 0.33, 0.67, 1].map((share) => Math.round(first + share * (last - first)));
    const lines = (/** @type {'p50' | 'p99'} */ which, /** @type {string} */ name) =>
      runsOf(points, frame, (point) => spreadOf(point)[which], y).map(({ d }) => s('path', { class: name, d }));
    return [
      ...[...new Set(ticks)]
        .filter((bucket) => bucket < bounds.length)
        .flatMap((bucket) => rule(frame, edge(bucket + 1), format(bounds[bucket]))),
      ...paths.map((d, shade) => s('path', { class: `heat heat-${shade + 1}`, d })),
      s('g', { class: 'spread' }, ...lines('p50', 'line'), ...lines('p99', 'upper')),
    ];
  };
}

/**
 * @param {Frame} frame
 * @param {number} y
 * @param {string} text
 */
function rule(frame, y, text) {
  return [
    s('path', { class: 'grid', d: `M${frame.left} ${y}H${frame.right}` }),
    s('text', { x: frame.left - 7, y: Math.max(y + 4, 10), class: 'axis end' }, text),
  ];
}

/**
 * Lines through the points that have a value; a gap is a gap.
 * @param {readonly Point[]} points
 * @param {Frame} frame
 * @param {(point: Point) => number | null} figureOf
 * @param {(value: number) => number} y
 */
function runsOf(points, frame, figureOf, y) {
  /** @type {{ from: number, d: string }[]} */
  const runs = [];
  let open = false;
  for (const point of points) {
    const value = figureOf(point);
    const x = round(frame.x(point.atMs) - frame.slot / 2);
    if (value === null || x < frame.left) {
      open = false;
      continue;
    }
    const to = `${x} ${round(y(value))}`;
    if (open) runs[runs.length - 1].d += `L${to}`;
    else runs.push({ from: x, d: `M${to}h0.1` });
    open = true;
  }
  return runs;
}

/** @param {number} value */
function niceTop(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((step) => step * unit >= value) ?? 10) * unit;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
