import type { Clock, Timer } from '../kernel/clock.ts';
import { count, duration, percent } from './display/format.ts';
import { type Line, render } from './display/line.ts';
import { panelLines, summaryLines } from './display/panel.ts';
import { createRates, type Rates } from './display/rates.ts';
import type { DisplayState } from './display/state.ts';

export interface DisplayDeps {
  readonly clock: Clock;
  /** Standard error: standard output is for data. */
  readonly out: { write(text: string): unknown };
  readonly isTTY: boolean;
  /** Read at every refresh, because a terminal can be resized. */
  readonly columns: () => number;
  readonly rows?: () => number;
}

export interface DisplayOptions {
  /** False if NO_COLOR is set. */
  readonly color?: boolean;
  readonly refreshMs?: number;
  readonly plainMs?: number;
}

export interface Display {
  start(): void;
  /** A line above the panel, such as a log line; simply written if there is no terminal. Ends with a line feed. */
  print(line: string): void;
  /** Leaves the last state on the screen and restores the cursor. Idempotent. */
  stop(): void;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** Terminals that support it show everything in between at once; others ignore it. */
const FRAME_BEGIN = '\u001b[?2026h';
const FRAME_END = '\u001b[?2026l';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * Live figures: on a terminal a panel, redrawn in place four times a second; elsewhere one plain line per second.
 *
 * The panel is redrawn over itself, line by line, so nothing above it is lost and nothing flickers. Limit: other output to the same
 * terminal lands in the panel; use `print`. Whoever starts a display must stop it, or the cursor stays hidden.
 */
export function createDisplay(deps: DisplayDeps, read: () => DisplayState, options: DisplayOptions = {}): Display {
  const { clock, out, isTTY, columns, rows = () => Number.POSITIVE_INFINITY } = deps;
  const { color = true, refreshMs = 250, plainMs = 1000 } = options;
  const rates = createRates(clock.monotonicMs());
  let timer: Timer | undefined;
  let running = false;
  let drawn = 0;

  function reading(): { state: DisplayState; rate: Rates } {
    const state = read();
    return { state, rate: rates.reading(clock.monotonicMs(), state.records) };
  }

  function panel(): string {
    const { state, rate } = reading();
    // The last column stays free: some terminals wrap when it is written.
    const width = Math.max(1, columns() - 1);
    // A panel taller than the screen cannot be redrawn: moving the cursor up stops at the top.
    const lines = panelLines(state, rate, width).slice(0, Math.max(1, rows() - 1));
    const text = `${home()}${joined(lines, width, color, `${CLEAR_LINE_END}\n`)}${CLEAR_BELOW}`;
    drawn = lines.length;
    return text;
  }

  function home(): string {
    return drawn === 0 ? '' : `\u001b[${drawn}A\r`;
  }

  function refresh(): void {
    if (isTTY) out.write(FRAME_BEGIN + panel() + FRAME_END);
    else {
      const { state, rate } = reading();
      out.write(`${plainLine(clock.wallMs(), state, rate)}\n`);
    }
  }

  function tick(): void {
    refresh();
    timer = clock.after(isTTY ? refreshMs : plainMs, tick);
  }

  return {
    start() {
      if (running) return;
      running = true;
      if (isTTY) out.write(HIDE_CURSOR);
      if (isTTY) tick();
      else timer = clock.after(plainMs, tick);
    },
    print(line) {
      if (!isTTY || !running) {
        out.write(line);
        return;
      }
      const above = `${home()}${CLEAR_BELOW}${line}`;
      drawn = 0;
      out.write(FRAME_BEGIN + above + panel() + FRAME_END);
    },
    stop() {
      if (!running) return;
      running = false;
      timer?.cancel();
      refresh();
      if (isTTY) out.write(SHOW_CURSOR);
      drawn = 0;
    },
  };
}

/** The summary of a run, each line with a line feed. */
export function summary(state: DisplayState, options: { readonly columns: number; readonly color: boolean }): string {
  return joined(summaryLines(state), options.columns, options.color, '\n');
}

function joined(lines: readonly Line[], columns: number, color: boolean, end: string): string {
  return lines.map((line) => render(line, columns, color) + end).join('');
}

/** One line for a log: `12:03:04 records=… rate=… batch=… …`. */
function plainLine(wallMs: number, state: DisplayState, rates: Rates): string {
  const bare = (text: string): string => text.replaceAll(' ', '');
  const deadLetters = Object.values(state.deadLettered).reduce((sum, records) => sum + records, 0);
  const asked = state.cacheHits + state.cacheMisses;
  const figures = {
    phase: state.phase,
    records: Math.round(state.records),
    rate: `${count(rates.perSecond).replaceAll(',', '')}/s`,
    batch: state.batches === 0 ? '-' : (state.rows / state.batches).toFixed(1),
    p50: bare(duration(state.p50Ms)),
    p99: bare(duration(state.p99Ms)),
    age99: bare(duration(state.ageP99Ms)),
    lag: `${count(state.lagRecords).replaceAll(',', '')}/${bare(duration(state.lagSeconds * 1000))}`,
    inflight: state.inflightRecords,
    cache: asked === 0 ? '-' : percent(state.cacheHits / asked),
    dead: deadLetters,
    bottleneck: state.bottleneck || '-',
  };
  const time = new Date(wallMs).toTimeString().slice(0, 8);
  return `${time} ${Object.entries(figures)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;
}
