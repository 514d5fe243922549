import { topologyJsonSchema } from '../../src/topology/json-schema.ts';

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly const?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly anyOf?: readonly Node[];
}

/** Rows of the reference: key, what it holds, default, what it means; in the order of the schema. */
export function topologyRows(): readonly (readonly string[])[] {
  const rows: string[][] = [];
  walk(JSON.parse(topologyJsonSchema()) as Node, '', rows);
  return rows;
}

function walk(node: Node, path: string, rows: string[][]): void {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? key : `${path}.${key}`;
    const required = node.required?.includes(key) === true;
    rows.push([`\`${at}\``, holds(child), required ? 'required' : defaultOf(child), child.description ?? '']);
    descend(child, at, rows);
  }
}

function descend(node: Node, at: string, rows: string[][]): void {
  walk(node, at, rows);
  if (node.items !== undefined) descend(node.items, `${at}[]`, rows);
  for (const branch of node.anyOf ?? []) walk(branch, at, rows);
  const { additionalProperties: values } = node;
  if (typeof values === 'object') descend(values, `${at}.NAME`, rows);
}

function holds(node: Node): string {
  if (node.const !== undefined) return `\`${node.const}\``;
  // The other branch is a `${NAME}` reference, which every value may be.
  const own = node.anyOf?.[0] ?? node;
  if (own.type === 'null') return ['`null`', ...(node.anyOf?.slice(1).map(holds) ?? [])].join(', ');
  if (own.anyOf !== undefined) return node.anyOf?.map(holds).join(own.const === undefined ? ', or ' : ', ') ?? '';
  if (own.enum !== undefined) return own.enum.map((value) => `\`${value}\``).join(', ');
  if (own.type === 'array') return `list: ${holds(own.items ?? {})}`;
  if (own.type === 'object') return typeof own.additionalProperties === 'object' ? 'map' : 'keys below';
  if (own.type === 'boolean') return '`true`, `false`';
  if (own.type === 'number') return 'above 0, up to 1';
  if (own.type === 'integer') return `${own.minimum} to ${own.maximum}`;
  if (own.pattern?.includes('(ms|s|m|h|d)')) return 'duration';
  if (own.pattern?.includes('(B|KiB')) return 'size';
  return 'text';
}

function defaultOf(node: Node): string {
  const given = node.default;
  if (given === null) return '`null`';
  if (given === undefined || typeof given === 'object') return '';
  return `\`${given}\``;
}
