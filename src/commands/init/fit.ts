import type { TensorSpec } from '../../ports/model.ts';
import type { Line, Proposal } from './columns.ts';

/** The lines of one model input. */
export interface FilledInput {
  readonly tensor: TensorSpec;
  readonly lines: readonly Line[];
  /** Columns that the lines produce. */
  readonly width: number;
  /** Columns that the model expects; undefined if it accepts any number. */
  readonly wanted: number | undefined;
}

export interface Fitted {
  readonly inputs: readonly FilledInput[];
  /** Fields that no line reads. */
  readonly unused: readonly Proposal[];
}

type Kind = Proposal['kind'];

/** Kinds of fields to try as features, likeliest first: the first choice with the model's width is taken. */
const CHOICES: readonly (readonly Kind[])[] = [
  ['number', 'flag'],
  ['number', 'flag', 'symbols'],
  ['number'],
  ['number', 'symbols'],
  ['number', 'flag', 'time'],
  ['number', 'flag', 'symbols', 'time'],
  ['number', 'flag', 'id', 'time'],
  ['number', 'flag', 'symbols', 'id', 'time'],
];
const DEFAULT: readonly Kind[] = ['number', 'flag', 'symbols'];

/**
 * Fields → the inputs of a model. Promise: if some choice of fields, in order, has exactly the model's width, the lines fit it;
 * otherwise every likely field gets a line in the first input with room, and the widths show what is missing.
 * An input with the name and width of a field is that field. Line names are unique within an input.
 */
export function fit(tensors: readonly TensorSpec[], proposals: readonly Proposal[]): Fitted {
  const wanted = tensors.map(widthOf);
  const named = tensors.map((tensor, i) => {
    const same = proposals.find(({ field, lines }) => field === tensor.name && lines.length > 0);
    const field = same && widened(same, wanted[i]);
    return field !== undefined && (wanted[i] ?? field.width) === field.width ? field : undefined;
  });
  const rest = proposals.filter(({ field }) => !named.some((taken) => taken?.field === field));
  const open = wanted.filter((_, i) => named[i] === undefined);
  const chosen = choose(rest, open);
  const shares = dealt(chosen, open);
  const inputs = tensors.map((tensor, i): FilledInput => {
    const own = named[i];
    const taken = own === undefined ? (shares.shift() ?? []) : [own];
    const width = taken.reduce((sum, each) => sum + each.width, 0);
    return { tensor, lines: distinct(taken.flatMap(({ lines }) => lines)), width, wanted: wanted[i] };
  });
  const used = new Set([...chosen, ...named.filter((each) => each !== undefined)].map(({ field }) => field));
  return { inputs, unused: proposals.filter(({ field }) => !used.has(field)) };
}

/** A symbol's column may collide with a field: symbol `B` of enum `a`, and a field `a_B`. */
function distinct(lines: readonly Line[]): readonly Line[] {
  const taken = new Set<string>();
  return lines.map((line) => {
    let name = line.name;
    for (let n = 2; taken.has(name); n++) name = `${line.name}_${n}`;
    taken.add(name);
    return { ...line, name };
  });
}

/** Columns of an input; undefined if the model leaves an axis open. */
function widthOf({ shape }: TensorSpec): number | undefined {
  const axes = shape.slice(1);
  if (!axes.every((axis) => typeof axis === 'number' && axis > 0)) return undefined;
  return (axes as number[]).reduce((all, axis) => all * axis, 1);
}

function choose(proposals: readonly Proposal[], wanted: readonly (number | undefined)[]): readonly Proposal[] {
  const of = (kinds: readonly Kind[]): readonly Proposal[] => proposals.filter(({ kind }) => kinds.includes(kind));
  const total = wanted.every((width) => width !== undefined)
    ? wanted.reduce((sum, width) => sum + width, 0)
    : undefined;
  const lists = of(['list']);
  if (wanted.length === 0) return [];
  if (total === undefined) return of(DEFAULT);
  for (const kinds of CHOICES) if (sum(of(kinds)) === total) return of(kinds);
  // A list without width takes the columns that the other fields leave.
  const open = lists.filter(({ width }) => width === 0);
  const known = lists.filter(({ width }) => width > 0);
  for (const kinds of [[], ...CHOICES] as const) {
    const beside = [...of(kinds), ...known];
    const left = total - sum(beside);
    const set = new Set([...beside, ...open]);
    if (left === 0 && open.length === 0 && known.length > 0) return proposals.filter((each) => set.has(each));
    if (left <= 0 || open.length !== 1) continue;
    if (kinds.length > 0 && sum(of(DEFAULT)) !== sum(of(kinds))) continue;
    const whole = proposals
      .filter((each) => set.has(each))
      .map((each) => (each === open[0] ? widened(each, left) : each));
    // The total width may fit although the single inputs do not.
    if (dealt(whole, wanted).every((share, i) => sum(share) === wanted[i])) return whole;
  }
  return of(DEFAULT);
}

/** Deals fields to inputs in order, filling one input after the other. */
function dealt(chosen: readonly Proposal[], wanted: readonly (number | undefined)[]): Proposal[][] {
  const shares: Proposal[][] = wanted.map(() => []);
  let input = 0;
  for (const each of chosen) {
    const room = (at: number) => (wanted[at] ?? Number.POSITIVE_INFINITY) - sum(shares[at]);
    while (input < wanted.length - 1 && room(input) <= 0) input++;
    shares[input].push(each);
  }
  return shares;
}

/** Sets the width of a list, which its schema does not say, in its line. */
function widened(proposal: Proposal, width: number | undefined): Proposal {
  if (proposal.kind !== 'list' || proposal.width > 0) return proposal;
  const stated = width ?? 1;
  const lines = proposal.lines.map(({ name, note }) => ({
    name,
    expression: `event.${proposal.field}[${stated}]`,
    note,
  }));
  return { ...proposal, width: stated, lines };
}

function sum(proposals: readonly Proposal[]): number {
  return proposals.reduce((all, { width }) => all + width, 0);
}
