// @ts-check
import { at, h, put } from './dom.js';
import { clock, count, drain, duration, percent, rate } from './format.js';

/** @typedef {import('../../../telemetry/state/state.ts').State} State */

/** @param {State} state */
export function showTop(state) {
  const { health, model, topology } = state;
  document.title = `${health.ready ? '' : '▲ '}${topology} · Sluice`;
  at('topology').textContent = topology;
  const models = model.models.map(({ model, version, digest }) => `${model}@${version} #${digest}`);
  at('about').textContent = [...models, ...model.devices, ...model.placements].join(' · ');
  put('status', health, () => [health.ready ? '● ready' : health.live ? '▲ not ready' : '■ needs a restart']);
  at('status').className = health.ready ? 'good' : health.live ? 'look' : 'bad';
  const needs = attention(state);
  put('attention', needs, () => [
    h('ul', {}, ...needs.map(({ kind, text }) => h('li', { class: kind }, `${kind === 'bad' ? '■' : '▲'} ${text}`))),
  ]);
  at('attention').hidden = needs.length === 0;
  const shown = tiles(state);
  put('tiles', shown, () =>
    shown.map(([name, value, more]) =>
      h('dl', { class: 'card tile' }, h('dt', {}, name), h('dd', {}, value, h('small', {}, more))),
    ),
  );
}

/**
 * What somebody should look at, worst first.
 * @param {State} state
 * @returns {{ kind: 'bad' | 'look', text: string }[]}
 */
function attention({ health, overload, degraded, lag, deadLetters, credit, path }) {
  /** @type {{ kind: 'bad' | 'look', text: string }[]} */
  const needs = health.waits.map((text) => ({ kind: health.live ? 'look' : 'bad', text }));
  const look = (/** @type {string} */ text) => needs.push({ kind: 'look', text });
  const still = lag.partitions.filter(({ stuck }) => stuck);
  if (still.length <= 3) {
    for (const { topic, partition, records, stillSeconds } of still) {
      look(
        `${topic}/${partition} stands still: ${count(records)} records wait, none was taken in for ${duration(stillSeconds)}`,
      );
    }
  } else {
    const records = still.reduce((sum, partition) => sum + (partition.records ?? 0), 0);
    const longest = Math.max(...still.map(({ stillSeconds }) => stillSeconds));
    const of = `${still.length} of ${lag.partitions.length} partitions stand still`;
    look(`${of}: ${count(records)} records wait, for up to ${duration(longest)}`);
  }
  for (const step of overload) look(`overloaded: ${step} is in force, as onOverload of the topology allows`);
  for (const { reason, perSecond } of degraded) {
    if ((perSecond ?? 0) > 0) look(`${rate(perSecond)} records are published degraded: ${reason}`);
  }
  for (const { reason, perSecond, total } of deadLetters.byReason) {
    if ((perSecond ?? 0) > 0) look(`dead letters: ${reason}, ${rate(perSecond)}, ${count(total)} since the start`);
  }
  if (credit.limitRecords !== null && credit.records >= 0.98 * credit.limitRecords) {
    const slowest = path.bottleneck === '' ? '' : `; ${path.bottleneck} is the busiest stage`;
    look(`the credit is used up: nothing is taken in until something settles${slowest}`);
  }
  return needs;
}

/**
 * @param {State} state
 * @returns {(readonly [string, string, string])[]}
 */
function tiles({ records, latency, lag, credit, batches }) {
  const used = credit.limitRecords ? credit.records / credit.limitRecords : null;
  return [
    ['Settled', rate(records.settledPerSecond), `${count(records.settled)} in all`],
    ['Inside, p99', duration(latency.residence.p99), `p50 ${duration(latency.residence.p50)}`],
    ['Age, p99', duration(latency.age.p99), `p50 ${duration(latency.age.p50)}`],
    ['Lag', count(lag.records), lagText(lag)],
    ['In flight', percent(used), `${count(credit.records)} of ${count(credit.limitRecords)}`],
    ['Batch', count(batches.meanRows), `rows of ${count(batches.limitRows)}, ${rate(batches.perSecond)}`],
    ['Dead letters', count(records.deadLettered), rate(records.deadLetteredPerSecond)],
  ];
}

/** @param {State['lag']} lag */
function lagText(lag) {
  if (lag.records === 0) return 'records: caught up';
  const rest = lag.neverDrains ? 'does not shrink' : `gone in ${drain(lag)}`;
  return `records, ${duration(lag.seconds)} behind; ${rest}`;
}

/**
 * All together, or one of several pipelines.
 * @param {State} state
 * @param {(of: string) => void} choose
 */
export function showInstances({ instances, instance }, choose) {
  const nav = at('instances');
  nav.hidden = instances.length === 0;
  const focused = document.activeElement?.getAttribute('data-instance');
  put('instances', [instances, instance], () => [
    button('', 'All together', `${instances.filter(({ ready }) => ready).length} of ${instances.length} ready`),
    ...instances.map(({ instance: number, ready, settledPerSecond, bottleneck }) =>
      button(
        number,
        `${ready ? '●' : '▲'} Instance ${number}`,
        `${ready ? 'ready' : 'not ready'}, ${rate(settledPerSecond)}${bottleneck === '' ? '' : `, ${bottleneck}`}`,
      ),
    ),
  ]);
  if (focused !== null && focused !== undefined) {
    /** @type {HTMLElement | null} */ (nav.querySelector(`[data-instance="${focused}"]`))?.focus();
  }

  /**
   * @param {string} of
   * @param {string} name
   * @param {string} more
   */
  function button(of, name, more) {
    const pressed = of === instance ? 'true' : 'false';
    return h(
      'button',
      { type: 'button', 'aria-pressed': pressed, 'data-instance': of, click: () => choose(of) },
      name,
      h('small', {}, more),
    );
  }
}

/**
 * Says that nothing answers, and since when; undefined: it does.
 * @param {number | undefined} sinceMs
 * @param {number} nowMs
 */
export function showLost(sinceMs, nowMs) {
  document.body.classList.toggle('stale', sinceMs !== undefined);
  at('lost').hidden = sinceMs === undefined;
  if (sinceMs === undefined) return;
  const text = `■ Connection lost: no answer since ${clock(sinceMs)}. What is shown is from then; trying again.`;
  if (at('lost').textContent !== text) at('lost').textContent = text;
  at('read').textContent = `No answer for ${duration(Math.round((nowMs - sinceMs) / 1000))}`;
}
