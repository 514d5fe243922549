// @ts-check
import { createChart, heat, line, SPAN_MS } from './charts.js';
import { at } from './dom.js';
import { count, duration, rate } from './format.js';

/** @typedef {import('../../../telemetry/state/state.ts').State} State */
/** @typedef {import('../../../telemetry/state/state.ts').PointState} Point */
/** @typedef {import('../../../telemetry/state/state.ts').Quantiles} Quantiles */

/** The charts of the last ten minutes: the process keeps the points, and tells those that are new. */
export function createOverTime() {
  /** @type {Point[]} */
  let points = [];
  /** @type {State | undefined} */
  let state;
  let drawn = '';
  const bounds = (/** @type {'residence' | 'age' | 'rows'} */ of) => () => state?.history.bounds[of] ?? [];
  const quantiles = (/** @type {Quantiles} */ { p50, p99 }) => `p50 ${duration(p50)}, p99 ${duration(p99)}`;
  const charts = [
    createChart({
      id: 'settled',
      title: 'Records settled',
      draw: line((point) => point.settledPerSecond, short),
      read: (point) => `${rate(point.settledPerSecond)}, ${rate(point.deadLetteredPerSecond)} of them dead letters`,
    }),
    createChart({
      id: 'residence',
      title: 'Time inside Sluice',
      draw: heat((point) => point.residence, bounds('residence'), duration),
      read: (point) => quantiles(point.residence),
    }),
    createChart({
      id: 'age',
      title: 'Age of an event when answered',
      draw: heat((point) => point.age, bounds('age'), duration),
      read: (point) => quantiles(point.age),
    }),
    createChart({
      id: 'rows',
      title: 'Rows in a batch',
      draw: heat((point) => point.rows, bounds('rows'), short),
      read: ({ rows }) => `p50 ${count(rows.p50)}, p99 ${count(rows.p99)}`,
    }),
    createChart({
      id: 'lagging',
      title: 'Lag',
      draw: line((point) => point.lagRecords, short),
      read: (point) => `${count(point.lagRecords)} records, ${duration(point.lagSeconds)}`,
    }),
    createChart({
      id: 'flight',
      title: 'In flight',
      draw: line(
        (point) => point.inflightRecords,
        short,
        () => state?.credit.limitRecords ?? null,
      ),
      read: (point) => `${count(point.inflightRecords)} of ${count(state?.credit.limitRecords)} records`,
    }),
  ];
  at('charts').replaceChildren(...charts.map(({ element }) => element));

  return {
    /** What the process need not tell again. */
    get afterMs() {
      return points.at(-1)?.atMs ?? 0;
    },
    forget() {
      points = [];
    },
    /** @param {State} now */
    show(now) {
      state = now;
      const latestMs = points.at(-1)?.atMs ?? 0;
      points = [...points, ...now.history.points.filter(({ atMs }) => atMs > latestMs)];
      const lastMs = points.at(-1)?.atMs ?? 0;
      points = points.filter(({ atMs }) => atMs > lastMs - SPAN_MS);
      const key = `${now.instance} ${lastMs} ${points.length}`;
      if (key === drawn) return;
      drawn = key;
      for (const chart of charts) chart.show(points, now.history.everyMs);
    },
  };
}

/** @param {number} value */
function short(value) {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return count(value);
}
