import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import type { Case, Outcome } from './types.ts';

export interface CaseUpdate {
  readonly one: Case;
  readonly outcome: Outcome;
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * The text of a cases file in which the expectations of some cases are replaced by their outcomes. Promise: nothing else changes,
 * including comments, order and spacing. The fields written are those that were expected, or `fields` if none were.
 */
export function updatedCases(text: string, updates: readonly CaseUpdate[], fields: readonly string[]): string {
  const list = parseDocument(text, { stringKeys: true }).get('cases', true);
  const edits = updates.flatMap(({ one, outcome }) => {
    const entry = isSeq(list) ? list.items[one.index] : undefined;
    return isMap(entry) ? editsOf(text, entry, outcome, fields) : [];
  });
  return edits
    .sort((a, b) => b.from - a.from)
    .reduce((edited, { from, to, text: put }) => edited.slice(0, from) + put + edited.slice(to), text);
}

function editsOf(text: string, entry: YAMLMap, outcome: Outcome, fields: readonly string[]): Edit[] {
  const expect = entry.items.find((pair) => isScalar(pair.key) && pair.key.value === 'expect') as
    | Pair<Node, Node>
    | undefined;
  if (expect === undefined) return [inserted(text, entry, expectationText(outcome, fields))];
  const { value } = expect;
  if (outcome.fate === 'published' && isMap(value) && !value.has('deadLetter') && !value.has('dropped'))
    return value.items.flatMap((pair) => fieldEdit(text, pair as Pair<Node, Node>, outcome.fields));
  return [replaced(text, value, expectationText(outcome, fields))];
}

function fieldEdit(text: string, { key, value }: Pair<Node, Node>, fields: Readonly<Record<string, unknown>>): Edit[] {
  const name = String(isScalar(key) ? key.value : key);
  const node = isMap(value) ? (value.get('value', true) as Node | undefined) : value;
  return node == null || !Object.hasOwn(fields, name) ? [] : [replaced(text, node, valueText(fields[name]))];
}

function replaced(text: string, node: Node | null, put: string): Edit {
  const [from, end] = node?.range ?? [0, 0];
  // A block's range includes its line feed, which belongs to the line and not to the value.
  return { from, to: from + text.slice(from, end).trimEnd().length, text: put };
}

/** An `expect` key after the last key of the case, in the case's own style. */
function inserted(text: string, entry: YAMLMap, expectation: string): Edit {
  const line = `expect: ${expectation}`;
  const last = entry.items.at(-1) as Pair<Node, Node>;
  const end = (last.value ?? last.key).range?.[1] ?? 0;
  // A block's range includes its line feed and the next key's indentation: the edit belongs after its last word.
  const from = text.slice(0, end).trimEnd().length;
  if (entry.flow) return { from, to: from, text: `, ${line}` };
  const start = (entry.items[0] as Pair<Node, Node>).key.range?.[0] ?? 0;
  const indent = ' '.repeat(start - (text.lastIndexOf('\n', start - 1) + 1));
  // A comment after the last value stays with it.
  const comment = /^[ \t]+#[^\n]*/.exec(text.slice(from))?.[0].length ?? 0;
  return { from: from + comment, to: from + comment, text: `\n${indent}${line}` };
}

function expectationText(outcome: Outcome, named: readonly string[]): string {
  if (outcome.fate === 'dead-lettered') return `{ deadLetter: ${outcome.reason} }`;
  if (outcome.fate === 'dropped') return '{ dropped: true }';
  const fields = Object.entries(outcome.fields)
    .filter(([name]) => named.includes(name))
    .map(([name, value]) => `${name}: ${valueText(value)}`);
  return `{ ${fields.join(', ')} }`;
}

const WORD = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_-]*$/i;

function valueText(value: unknown): string {
  if (typeof value === 'string') return WORD.test(value) ? value : JSON.stringify(value);
  return Array.isArray(value) ? `[${value.map(valueText).join(', ')}]` : JSON.stringify(value);
}
