// @ts-check
import { h, put, s } from './dom.js';
import { bytes, clock, count, drain, duration, percent, rate } from './format.js';

/** @typedef {import('../../../telemetry/state/state.ts').State} State */
/** @typedef {import('../../../telemetry/state/state.ts').PartitionState} Partition */
/** @typedef {import('../../../telemetry/state/state.ts').Tally} Tally */
/** @typedef {import('./dom.js').Child} Child */

/** More would be no page any more. */
const MOST = 64;

/** @param {State} state */
export function showTables(state) {
  put('lag', state.lag, () => lagTable(state.lag));
  put('letters', state.deadLetters, () => letterTables(state.deadLetters));
  put('events', state.events, () => eventTable(state.events));
  put('caches', state.caches, () => cacheTable(state.caches));
  put('retries', [state.retries, state.pauses, state.degraded], () => retryTable(state));
  put('process', [state.model, state.process], () => facts(state));
}

/**
 * @param {string} title
 * @param {...Child} children
 */
function card(title, ...children) {
  return [h('div', { class: 'card' }, h('h2', {}, title), ...children)];
}

/** @param {string} text */
function nothing(text) {
  return h('p', { class: 'quiet' }, text);
}

/**
 * @param {string} caption
 * @param {readonly string[]} heads those that end in # are of numbers, | is of bars
 * @param {readonly Child[]} rows
 */
function table(caption, heads, rows) {
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', { class: 'hidden-text' }, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...heads.map((head) => {
            const kind = head === '|' ? 'wide' : head.endsWith('#') ? 'number' : '';
            return h('th', { scope: 'col', class: kind }, head.replace(/[#|]/, ''));
          }),
        ),
      ),
      h('tbody', {}, ...rows),
    ),
  );
}

/** @param {string} text */
function number(text) {
  return h('td', { class: 'number' }, text);
}

/** @param {number} ratio */
function bar(ratio) {
  return h(
    'td',
    { class: 'wide' },
    s(
      'svg',
      { viewBox: '0 0 90 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      s('rect', { class: 'meter', width: 90, height: 8, rx: 4 }),
      ratio > 0 && s('rect', { class: 'full', width: Math.max(4, 90 * ratio), height: 8, rx: 4 }),
    ),
  );
}

/** @param {State['lag']} lag */
function lagTable(lag) {
  const { partitions, records, seconds } = lag;
  const title = 'Lag by partition';
  if (partitions.length === 0) return card(title, nothing('no partition is assigned'));
  const many = partitions.length > MOST;
  const shown = many ? [...partitions].sort((a, b) => (b.records ?? 0) - (a.records ?? 0)).slice(0, MOST) : partitions;
  const most = Math.max(1, ...partitions.map((partition) => partition.records ?? 0));
  return card(
    title,
    h(
      'p',
      { class: 'quiet' },
      `${count(partitions.length)} partitions, ${count(records)} records, ${duration(seconds)} behind${
        records === 0 ? '' : `; caught up in: ${drain(lag)}`
      }`,
    ),
    table(
      title,
      ['partition', '|', 'records#', 'behind#', 'caught up in#', 'state'],
      shown.map((partition) =>
        h(
          'tr',
          {},
          h('td', {}, h('code', {}, `${partition.topic}/${partition.partition}`)),
          bar((partition.records ?? 0) / most),
          number(count(partition.records)),
          number(duration(partition.seconds)),
          number(drain(partition)),
          h('td', { class: 'nowrap' }, stateOf(partition)),
        ),
      ),
    ),
    many && nothing(`and ${count(partitions.length - MOST)} with less lag`),
  );
}

/** @param {Partition} partition */
function stateOf({ records, stuck, stillSeconds }) {
  if (stuck) return h('span', { class: 'mark look' }, `▲ still for ${duration(stillSeconds)}`);
  return records === 0 ? 'caught up' : 'moving';
}

/** @param {State['deadLetters']} letters */
function letterTables({ byReason, recent }) {
  const title = 'Dead letters';
  if (byReason.length === 0 && recent.length === 0) return card(title, nothing('none since the start'));
  return card(
    title,
    table(
      'Dead letters by reason',
      ['reason', 'rate#', 'total#', 'last#'],
      byReason.map(({ reason, ...rest }) => tallyRow([reason], rest)),
    ),
    h('p', { class: 'quiet' }, 'The latest:'),
    table(
      'The latest dead letters',
      ['time', 'reason', 'stage', 'record'],
      recent.map(({ atMs, reason, stage, topic, partition, offset }) =>
        h(
          'tr',
          {},
          h('td', { class: 'nowrap' }, clock(atMs)),
          h('td', {}, reason),
          h('td', {}, stage),
          h('td', {}, h('code', {}, `${topic}/${partition}/${offset}`)),
        ),
      ),
    ),
  );
}

/**
 * @param {readonly string[]} names
 * @param {Pick<Tally, 'perSecond' | 'total' | 'lastAtMs'>} tally
 */
function tallyRow(names, { perSecond, total, lastAtMs }) {
  return h(
    'tr',
    {},
    ...names.map((name) => h('td', {}, name)),
    number(rate(perSecond)),
    number(count(total)),
    number(clock(lastAtMs)),
  );
}

/** @param {State['events']} events */
function eventTable(events) {
  const title = 'Warnings and errors';
  if (events.length === 0) return card(title, nothing('none since the start'));
  return card(
    title,
    table(
      title,
      ['', 'what', 'times#', 'last#'],
      events.map(({ event, level, message, total, lastAtMs }) =>
        h(
          'tr',
          {},
          h(
            'td',
            {},
            h(
              'span',
              { class: level === 'error' ? 'mark bad' : 'mark look' },
              level === 'error' ? '■ error' : '▲ warn',
            ),
          ),
          h('td', {}, message, ' ', h('code', { class: 'quiet' }, event)),
          number(count(total)),
          number(clock(lastAtMs)),
        ),
      ),
    ),
  );
}

/** @param {State['caches']} caches */
function cacheTable(caches) {
  const title = 'Feature cache';
  if (caches.length === 0) return card(title, nothing('no look-up went through a cache'));
  const second = caches.some(({ secondLevel }) => secondLevel !== undefined);
  return card(
    title,
    table(
      title,
      ['view', '|', 'hits#', ...(second ? ['of the rest, in Redis#'] : []), 'look-ups#'],
      caches.map(({ view, hitRatio, secondLevel, requestsPerSecond }) =>
        h(
          'tr',
          {},
          h('td', {}, h('code', {}, view)),
          bar(hitRatio ?? 0),
          number(percent(hitRatio)),
          second && number(secondLevel === undefined ? '–' : secondLevel.up ? percent(secondLevel.hitRatio) : 'away'),
          number(rate(requestsPerSecond)),
        ),
      ),
    ),
  );
}

/** @param {State} state */
function retryTable({ retries, pauses, degraded }) {
  const title = 'Retries, pauses, degraded';
  const rows = [
    ...retries.map(({ what, reason, ...rest }) => tallyRow([`retry: ${what}`, reason], rest)),
    ...pauses.map(({ reason, ...rest }) => tallyRow(['pause of the intake', reason], rest)),
    ...degraded.map(({ reason, ...rest }) => tallyRow(['degraded record', reason], rest)),
  ];
  if (rows.length === 0) return card(title, nothing('none since the start'));
  return card(title, table(title, ['what', 'reason', 'rate#', 'total#', 'last#'], rows));
}

/** @param {State} state */
function facts({ model, process }) {
  /** @type {(readonly [string, ...Child[]])[]} */
  const rows = [
    ...model.models.map(
      ({ model, version, digest }) =>
        /** @type {const} */ (['model', `${model}@${version} `, h('code', {}, `#${digest}`)]),
    ),
    ['device', model.devices.join(', ') || '–'],
    ['placement', model.placements.map((placement) => PLACEMENTS[placement] ?? placement).join(', ') || '–'],
    ['processor', `${percent(process.cpuRatio)} of one core`],
    ['memory', bytes(process.residentBytes)],
    ['since', process.startedAtMs === null ? '–' : new Date(process.startedAtMs).toLocaleString('en-GB')],
  ];
  return card(
    'Model and process',
    h('dl', { class: 'facts' }, ...rows.flatMap(([name, ...what]) => [h('dt', {}, name), h('dd', {}, ...what)])),
  );
}

/** @type {Readonly<Record<string, string>>} */
const PLACEMENTS = {
  inline: 'on the thread of the pipeline',
  thread: 'in threads of its own',
  process: 'in a process of its own',
};
