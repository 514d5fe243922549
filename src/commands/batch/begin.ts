import type { Answered } from '../../kernel/bounded-source.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Range } from '../../ports/topic-log.ts';
import { counted } from '../display/format.ts';
import type { Io } from '../io.ts';
import type { Look } from '../look/connect.ts';
import { answeredSince } from './answered.ts';
import { type Bookmark, type BookmarkPlace, bookmarkPlace, FORM, readBookmark } from './bookmark.ts';
import { NO_COUNTS, settledOf } from './counts.ts';
import { type Ends, endText } from './endpoints.ts';
import type { FileFormat } from './formats.ts';
import { difference, identityOf } from './identity.ts';
import type { BatchOptions } from './options.ts';
import { rangesOf } from './ranges.ts';
import { checkRest, checkResume, isDone, offsetsBehind, savedBookmark } from './resume.ts';

/** Where a batch begins: at the start of the input, or where an earlier run stopped. */
export interface Beginning {
  readonly place: BookmarkPlace;
  /** To be written before anything else. */
  readonly bookmark: Bookmark;
  /** Offsets to read, by partition; for topics. */
  readonly ranges: ReadonlyMap<number, Range>;
  readonly answered: Answered | undefined;
  /** An earlier run has done everything. */
  readonly nothingLeft: boolean;
}

export interface BeginOptions {
  readonly ends: Ends;
  readonly plan: Plan;
  readonly formats: { readonly input: FileFormat; readonly output: FileFormat };
}

export async function begin(
  options: BatchOptions,
  { ends, plan, formats }: BeginOptions,
  look: Look | undefined,
  io: Io,
): Promise<Beginning> {
  const { input, output } = ends;
  const asked = { ...options, ...ends, inputFormat: formats.input, outputFormat: formats.output };
  const place = bookmarkPlace(asked);
  if ('none' in place && options.bookmark !== undefined) {
    throw new SluiceError('usage-invalid', `--bookmark ${options.bookmark}: ${place.none}`);
  }
  const identity = 'file' in place ? identityOf(plan, ends, asked) : {};
  const found = savedBookmark(place, asked);
  // A finished batch may be followed by another, for example with the next night's input.
  const other = found?.whole === true ? difference(found.identity, identity) : undefined;
  if (other !== undefined)
    tell(`${endText(output)} is complete, and the ${other} has changed; starting over`, options, io);
  const saved = other === undefined ? found : undefined;
  if (output.kind === 'topic' && plan.topology.flow.delivery === 'exactly-once') {
    tell(
      `outputs go to topic "${output.topic}" at least once: flow.delivery exactly-once is for sluice run, whose group keeps its position; a batch has none`,
      options,
      io,
    );
  }
  const outputEnds = look && output.kind === 'topic' ? await look.extents(output.topic) : undefined;
  if (saved !== undefined && 'file' in place) {
    checkResume(saved, identity, place.file, asked);
    const extents = look && input.kind === 'topic' ? await look.extents(input.topic) : undefined;
    if (extents && input.kind === 'topic') checkRest(saved, input.topic, extents);
    const ranges = new Map(Object.entries(saved.ranges ?? {}).map(([k, range]) => [Number(k), range]));
    const done = counted(settledOf(saved.counts), 'record');
    if (isDone(saved, options.limit)) {
      const anew = `to score it again, leave out --resume, or remove ${place.file}${output.kind === 'file' ? ` and ${output.file}` : ''}`;
      const behind = extents && (options.to ?? 'latest') === 'latest' ? offsetsBehind(saved, extents) : 0;
      const more = `; topic ${saved.name} has ${counted(behind, 'offset')} more by now, for another batch`;
      tell(
        `${endText(output)} is complete, and nothing is left to do (${done} done, according to ${place.file}); ${anew}${behind > 0 ? more : ''}`,
        options,
        io,
      );
      return { place, nothingLeft: true, bookmark: saved, ranges, answered: undefined };
    }
    const going = { ...saved, limit: limitOf(options), whole: false };
    if (look === undefined || output.kind === 'file') {
      tell(`resuming after ${done}, according to ${place.file}`, options, io);
      return { place, nothingLeft: false, bookmark: going, ranges, answered: undefined };
    }
    const { answered, count } = await answeredSince(look, output.topic, saved, plan.bundle.label);
    tell(
      `resuming after ${done}, according to ${place.file}, and ${count} after that already in ${endText(output)}; records that the broker had received but not yet appended are published twice`,
      options,
      io,
    );
    const counts = { ...saved.counts, published: saved.counts.published + count };
    return { place, nothingLeft: false, bookmark: { ...going, counts }, ranges, answered };
  }
  if ('file' in place && !options.resume && leftBehind(place.file)) {
    tell(`${place.file} is from an unfinished run; starting over (--resume would have continued it)`, options, io);
  }
  const ranges =
    look && input.kind === 'topic' ? await rangesOf(options, input.topic, look, io.clock.wallMs()) : new Map();
  const starts = [...ranges].map(([partition, { from }]): [number, number] => [partition, from]);
  const bookmark: Bookmark = {
    form: FORM,
    identity,
    name: input.kind === 'file' ? input.file : input.topic,
    next: Object.fromEntries(input.kind === 'file' ? [[0, 0]] : starts),
    ...(input.kind === 'topic' && { ranges: Object.fromEntries(ranges) }),
    read: 0,
    keep: { output: 0, deadLetters: 0 },
    ...(outputEnds && { ends: outputEnds.map(({ end }) => end) }),
    counts: NO_COUNTS,
    limit: limitOf(options),
  };
  return { place, nothingLeft: false, bookmark, ranges, answered: undefined };
}

function leftBehind(file: string): boolean {
  try {
    const found = readBookmark(file);
    return found !== undefined && found.whole !== true;
  } catch {
    return false;
  }
}

function tell(what: string, { json }: BatchOptions, { stderr }: Io): void {
  if (!json) stderr.write(`${what}\n`);
}

/** JSON knows no infinity. */
function limitOf({ limit }: BatchOptions): number | undefined {
  return Number.isFinite(limit) ? limit : undefined;
}
