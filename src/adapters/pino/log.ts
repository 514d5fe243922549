import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import type { Log, LogLevel } from '../../ports/telemetry.ts';
import { formatLine } from './pretty.ts';
import { redact } from './redact.ts';

export interface LogOptions {
  readonly level?: LogLevel | 'silent';
  /** Lines for a person at a terminal instead of JSON. */
  readonly pretty?: boolean;
  readonly color?: boolean;
  /** Where finished lines go, with their line feed; standard error if not given. */
  readonly write?: (line: string) => void;
}

/**
 * Log lines on standard error: JSON for collectors (`time` in ms, `level` as a word, `msg`, then the fields), or short
 * lines for people. Written at once, so that the line before a crash is there. Likely secrets are taken out, see redact.ts.
 */
export function createLog(deps: { readonly clock: Clock }, options: LogOptions = {}): Log {
  const { level = 'info', pretty = false, color = false, write = toStderr } = options;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":${Math.round(deps.clock.wallMs())}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    log(at, message, fields) {
      if (!logger.isLevelEnabled(at)) return;
      const safe = redact(fields) as Record<string, unknown>;
      if (pretty) write(formatLine(deps.clock.wallMs(), at, message, safe, color));
      else logger[at](safe, message);
    },
  };
}

/**
 * Standard error may be a pipe whose reader is slow (EAGAIN) or gone (EPIPE) → a log line would throw into the pipeline →
 * the line is given up: a log is no reason to stop.
 */
function toStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EAGAIN' && code !== 'EPIPE') throw error;
  }
}
