// @ts-check
import { h, s } from './dom.js';
import { bytes, count, duration, percent, rate } from './format.js';

/** @typedef {import('../../../telemetry/state/state.ts').State} State */
/** @typedef {import('../../../telemetry/state/state.ts').StageState} Stage */

/** Narrower than this the path goes down instead of across. */
const ACROSS_PX = 880;
/** From this share of the time on, a stage is what holds up the others; below, it is only the busiest. */
const HOLDS_UP = 0.5;
/** The credit is as good as used up. */
const USED_UP = 0.98;

/**
 * The path as a picture, and as a table for who cannot see it.
 * @param {State} state
 * @param {number} widthPx
 */
export function pathPicture(state, widthPx) {
  return [
    h('h2', { class: 'hidden-text' }, 'The path'),
    widthPx >= ACROSS_PX ? across(state) : down(state, widthPx),
    asTable(state),
  ];
}

/** @param {State} state */
function labelOf({ path, credit }) {
  const slowest = path.stages.find(({ stage }) => stage === path.bottleneck);
  const busy = slowest ? `${tagOf(slowest)}: ${slowest.stage}, ${percent(slowest.busyRatio)} of the time.` : 'Idle.';
  return `The path from source to commit. ${busy} In flight: ${count(credit.records)} of ${count(credit.limitRecords)} records.`;
}

/** @param {Stage} stage */
function tagOf({ busyRatio }) {
  return (busyRatio ?? 0) >= HOLDS_UP ? 'bottleneck' : 'busiest';
}

/** @param {State} state */
function creditOf({ credit }) {
  const ratio = Math.max(
    credit.limitRecords ? credit.records / credit.limitRecords : 0,
    credit.limitBytes ? credit.bytes / credit.limitBytes : 0,
  );
  const used = `${count(credit.records)} of ${count(credit.limitRecords)} records, ${bytes(credit.bytes)} of ${bytes(credit.limitBytes)}`;
  return { ratio: Math.min(1, ratio), used, isUsedUp: ratio >= USED_UP };
}

/**
 * What there is to say beside some stages.
 * @param {State} state
 * @returns {Readonly<Record<string, readonly string[]>>}
 */
function notesOf({ caches, batches, records, model }) {
  const asked = caches.reduce((sum, { requestsPerSecond }) => sum + (requestsPerSecond ?? 0), 0);
  const hits = caches.reduce(
    (sum, { requestsPerSecond, hitRatio }) => sum + (requestsPerSecond ?? 0) * (hitRatio ?? 0),
    0,
  );
  return {
    enrich: asked > 0 ? [`cache ${percent(hits / asked)} hits`] : [],
    infer: [
      `${count(batches.meanRows)} rows a batch`,
      `${rate(batches.perSecond)} on ${model.devices.join(', ') || '–'}`,
    ],
    deliver: [`${rate(records.publishedPerSecond)} published`, `${rate(records.deadLetteredPerSecond)} dead letters`],
  };
}

/** @param {State} state */
function across(state) {
  const { stages, bottleneck } = state.path;
  const gap = 22;
  const width = (1200 - gap * (stages.length - 1)) / stages.length;
  const top = 78;
  const height = 92;
  const notes = notesOf(state);
  const credit = creditOf(state);
  const middle = width / 2;
  return s(
    'svg',
    { viewBox: '0 0 1200 290', role: 'img', 'aria-label': labelOf(state), class: 'picture' },
    s('path', {
      class: 'back',
      d: `M${1200 - middle} ${top - 2}V38Q${1200 - middle} 26 ${1188 - middle} 26H${middle + 12}Q${middle} 26 ${middle} 38V${top - 9}`,
    }),
    s('path', { class: 'back-tip', d: `M${middle - 5} ${top - 11}h10l-5 9z` }),
    s(
      'text',
      { x: 600, y: 17, class: 'small middle' },
      'an offset is committed once its prediction or dead letter is acknowledged',
    ),
    ...stages.map((stage, i) => {
      const x = i * (width + gap);
      const slowest = stage.stage === bottleneck;
      return s(
        'g',
        { transform: `translate(${x} ${top})`, class: slowest ? 'slowest' : '', 'data-stage': stage.stage },
        i > 0 && s('path', { class: 'arrow', d: `M${4 - gap} 46H-8` }),
        i > 0 && s('path', { class: 'tip', d: 'M-9 41.500v9l7-4.500z' }),
        slowest && s('text', { x: middle, y: -9, class: 'tag middle' }, `▼ ${tagOf(stage)}`),
        s('rect', { class: 'box', width, height, rx: 9 }),
        s('text', { x: middle, y: 21, class: 'name middle' }, stage.stage),
        s('text', { x: middle, y: 44, class: 'rate middle' }, rate(stage.recordsPerSecond)),
        s('text', { x: middle, y: 62, class: 'small middle' }, heldOf(stage)),
        ...meterOf(stage, width),
        ...(notes[stage.stage] ?? []).map((note, line) =>
          s('text', { x: middle, y: height + 19 + 16 * line, class: 'small middle' }, note),
        ),
      );
    }),
    s(
      'g',
      { class: credit.isUsedUp ? 'short' : '', transform: 'translate(0 234)' },
      s('path', { class: 'bracket', d: 'M0 0v8h1200v-8' }),
      s('rect', { class: 'meter', y: 17, width: 1200, height: 8, rx: 4 }),
      credit.ratio > 0 &&
        s('rect', { class: 'full', y: 17, width: Math.max(8, 1200 * credit.ratio), height: 8, rx: 4 }),
      s('text', { x: 0, y: 44, class: 'small' }, `in flight, of the credit: ${credit.used}`),
      s(
        'text',
        { x: 1200, y: 44, class: 'small end' },
        credit.isUsedUp ? '▲ used up: nothing is taken in until something settles' : percent(credit.ratio),
      ),
    ),
  );
}

/**
 * @param {Stage} stage
 * @param {number} width
 */
function meterOf({ busyRatio }, width) {
  if (busyRatio === null) return [];
  const room = width - 58;
  return [
    s('rect', { class: 'meter', x: 12, y: 73, width: room, height: 6, rx: 3 }),
    busyRatio > 0.005 &&
      s('rect', { class: 'full', x: 12, y: 73, width: Math.max(6, room * busyRatio), height: 6, rx: 3 }),
    s('text', { x: width - 10, y: 80, class: 'small end' }, percent(busyRatio)),
  ];
}

/** @param {Stage} stage */
function heldOf({ stage, heldRecords, meanSeconds }) {
  if (stage === 'source') return 'taken in';
  if (stage === 'commit') return 'settled';
  if (heldRecords !== null) return `holds ${count(heldRecords)}`;
  return meanSeconds === null ? '' : `${duration(meanSeconds)} a frame`;
}

/**
 * @param {State} state
 * @param {number} widthPx
 */
function down(state, widthPx) {
  const { stages, bottleneck } = state.path;
  const width = Math.max(280, widthPx);
  const row = 54;
  const inner = width - 26;
  const credit = creditOf(state);
  const bottom = stages.length * row;
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${bottom + 58}`, role: 'img', 'aria-label': labelOf(state), class: 'picture' },
    s('path', { class: 'back', d: `M${inner} ${bottom - row + 22}h10q8 0 8-8V30q0-8-8-8h-2` }),
    s('path', { class: 'back-tip', d: `M${inner + 10} 17v10l-9-5z` }),
    ...stages.map((stage, i) => {
      const slowest = stage.stage === bottleneck;
      const room = inner - 66;
      return s(
        'g',
        { transform: `translate(0 ${i * row})`, class: slowest ? 'slowest' : '', 'data-stage': stage.stage },
        i > 0 && s('path', { class: 'tip', d: `M${inner / 2 - 5} -8h10l-5 6z` }),
        s('rect', { class: 'box', width: inner, height: 44, rx: 8, y: 1 }),
        s('text', { x: 12, y: 20, class: 'name' }, stage.stage),
        slowest && s('text', { x: 96, y: 20, class: 'tag' }, `◀ ${tagOf(stage)}`),
        s('text', { x: inner - 12, y: 20, class: 'name end' }, rate(stage.recordsPerSecond)),
        stage.busyRatio === null
          ? s('text', { x: 12, y: 37, class: 'small' }, heldOf(stage))
          : s(
              'g',
              {},
              s('rect', { class: 'meter', x: 12, y: 30, width: room - 60, height: 6, rx: 3 }),
              stage.busyRatio > 0.005 &&
                s('rect', {
                  class: 'full',
                  x: 12,
                  y: 30,
                  width: Math.max(6, (room - 60) * stage.busyRatio),
                  height: 6,
                  rx: 3,
                }),
              s('text', { x: room - 40, y: 37, class: 'small' }, percent(stage.busyRatio)),
              s('text', { x: inner - 12, y: 37, class: 'small end' }, stage.heldRecords === null ? '' : heldOf(stage)),
            ),
      );
    }),
    s(
      'g',
      { class: credit.isUsedUp ? 'short' : '', transform: `translate(0 ${bottom + 8})` },
      s('rect', { class: 'meter', width, height: 8, rx: 4 }),
      credit.ratio > 0 && s('rect', { class: 'full', width: Math.max(8, width * credit.ratio), height: 8, rx: 4 }),
      s('text', { x: 0, y: 26, class: 'small' }, `in flight: ${credit.used}`),
      credit.isUsedUp &&
        s('text', { x: 0, y: 43, class: 'small' }, '▲ used up: nothing is taken in until something settles'),
    ),
  );
}

/** @param {State} state */
function asTable({ path }) {
  const cells = (/** @type {readonly string[]} */ texts) => texts.map((text) => h('td', {}, text));
  return h(
    'div',
    { class: 'hidden-text' },
    h(
      'table',
      {},
      h('caption', {}, 'The stages of the path'),
      h('tr', {}, ...['stage', 'records', 'holds', 'busy'].map((text) => h('th', { scope: 'col' }, text))),
      ...path.stages.map((stage) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, stage.stage),
          ...cells([rate(stage.recordsPerSecond), count(stage.heldRecords), percent(stage.busyRatio)]),
        ),
      ),
    ),
  );
}
