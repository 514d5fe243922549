/**
 * Polls files for changes, and reloads those that have changed.
 *
 * Promise: the old rows stay in use until the whole new file has been read without error, and are then replaced at once. An unusable
 * file is reported once, with file and line, and tried again when it changes again.
 * Limits: a file is loaded once two polls have found it unchanged, so that a file that is being written is not read halfway; a writer
 * that pauses for longer than that should write a new file and rename it. A change within `everyMs` may be noticed late.
 */
import { stat } from 'node:fs/promises';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

export interface ReloadDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface Reloaded<Content> {
  readonly name: string;
  /** Where it is to be found; throws where it is not. */
  readonly fileOf: () => string;
  readonly load: (file: string) => Promise<Content>;
  readonly rowsOf: (content: Content) => number;
  readonly use: (content: Content) => void;
}

interface Watched<Content> {
  readonly of: Reloaded<Content>;
  /** How the file was that is in use, that was refused last, and that was seen last. */
  used: string;
  refused: string;
  seen: string;
}

const EVERY_MS = 2_000;
const GONE = 'gone';

export class FileReload<Content> {
  private readonly deps: ReloadDeps;
  private readonly everyMs: number;
  private readonly watched: Watched<Content>[] = [];
  private timer: Timer | undefined;
  private closed = false;

  constructor(deps: ReloadDeps, everyMs = EVERY_MS) {
    this.deps = deps;
    this.everyMs = everyMs;
  }

  /** Loads it for the first time, and looks after it from then on. */
  async begin(of: Reloaded<Content>): Promise<void> {
    const file = of.fileOf();
    const used = await markOf(file);
    of.use(await of.load(file));
    this.watched.push({ of, used, refused: '', seen: used });
    if (this.timer === undefined) this.rest();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  private rest(): void {
    if (!this.closed) this.timer = this.deps.clock.after(this.everyMs, () => void this.look());
  }

  private async look(): Promise<void> {
    for (const each of this.watched) await this.lookAt(each);
    this.rest();
  }

  private async lookAt(watched: Watched<Content>): Promise<void> {
    const { of } = watched;
    const { telemetry } = this.deps;
    const count = (result: string): void => {
      telemetry.counter('sluice_feature_file_reloads_total', { table: of.name, result }).add(1);
    };
    let mark = GONE;
    try {
      const file = of.fileOf();
      mark = await markOf(file);
      const rests = mark === watched.seen;
      watched.seen = mark;
      if (mark === watched.used) watched.refused = '';
      if (!rests || mark === watched.used || mark === watched.refused) return;
      const content = await of.load(file);
      // It changed while it was read: what was read may be of both.
      if (this.closed || (await markOf(file)) !== mark) return;
      const rows = of.rowsOf(content);
      if (rows === 0) throw new SluiceError('file-invalid', `${file} has no rows; write rows to it`);
      of.use(content);
      watched.used = mark;
      watched.refused = '';
      count('ok');
      telemetry.event('feature-file-reloaded', { table: of.name, file, rows });
    } catch (thrown) {
      // Deleted and written anew, it may be gone for a moment.
      const rests = mark !== GONE || watched.seen === GONE;
      watched.seen = mark;
      if (this.closed || !rests || watched.refused === mark) return;
      watched.refused = mark;
      count('refused');
      telemetry.event('feature-file-refused', { table: of.name, reason: (thrown as Error).message });
    }
  }
}

/** Different for two different files, and for a file that was written again. */
async function markOf(file: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(file);
  return `${file} ${ino} ${size} ${mtimeMs}`;
}
