import { posix } from 'node:path';
import { codeOf, importsOf, type SourceFile } from './scan.ts';

/** Who may import whom: the law of src/. A unit is a folder of src, a folder of src/adapters, or a file directly in src. */
interface Allowance {
  readonly units: readonly string[] | 'any';
  /** Packages; `node:` stands for all modules of Node. */
  readonly packages: readonly string[];
}

const ALLOWED: Readonly<Record<string, Allowance>> = {
  kernel: { units: [], packages: ['node:'] },
  ports: { units: ['kernel'], packages: [] },
  codecs: { units: ['kernel'], packages: ['avsc', 'node:buffer'] },
  batching: { units: ['kernel'], packages: [] },
  offsets: { units: ['kernel'], packages: [] },
  overload: { units: ['kernel'], packages: [] },
  features: { units: ['kernel', 'codecs'], packages: ['jsep'] },
  plan: { units: ['kernel', 'features', 'codecs'], packages: [] },
  telemetry: { units: ['kernel', 'ports'], packages: [] },
  stages: {
    units: ['kernel', 'ports', 'codecs', 'features', 'batching', 'offsets', 'overload', 'plan', 'telemetry'],
    packages: [],
  },
  pipeline: { units: ['kernel', 'ports', 'stages', 'plan', 'telemetry'], packages: [] },
  runner: { units: ['kernel', 'ports', 'offsets', 'stages', 'plan', 'telemetry'], packages: [] },
  assemble: {
    units: ['kernel', 'ports', 'codecs', 'features', 'stages', 'plan', 'telemetry', 'pipeline', 'runner'],
    packages: [],
  },
  documents: { units: ['kernel'], packages: ['zod', 'yaml', 'node:'] },
  topology: { units: ['plan', 'kernel', 'features', 'codecs', 'documents'], packages: ['zod', 'yaml', 'node:'] },
  bundle: { units: ['plan', 'kernel', 'features', 'codecs', 'documents'], packages: ['zod', 'yaml', 'node:'] },
  cases: {
    units: ['topology', 'plan', 'kernel', 'codecs', 'documents'],
    packages: ['zod', 'yaml', 'node:'],
  },
  check: { units: ['topology', 'bundle', 'codecs', 'features', 'ports', 'plan', 'kernel', 'documents'], packages: [] },
  devstack: { units: [], packages: ['node:', '@grpc/grpc-js', '@grpc/proto-loader', '@google-cloud/bigtable-api'] },
  commands: { units: 'any', packages: ['node:', 'commander'] },
  main: { units: 'any', packages: ['node:', 'commander'] },
};

const ADAPTER_UNITS = ['kernel', 'ports', 'telemetry'];
/** A source that owns positions also reads what is noted beside them. */
const MORE_UNITS: Readonly<Record<string, readonly string[]>> = { kafka: ['offsets'] };
/** The client of each adapter: it is imported there and nowhere else. */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  kafka: ['kafkajs', '@node-rs/crc32'],
  registry: ['avsc'],
  oauth: [],
  bigtable: ['@google-cloud/bigtable-api', '@grpc/grpc-js'],
  onnx: ['onnxruntime-node'],
  http: ['fastify'],
  prometheus: ['prom-client'],
  pino: ['pino'],
  files: ['avsc', 'csv-parse', 'csv-stringify', 'hyparquet', 'hyparquet-compressors', 'hyparquet-writer'],
  redis: ['@redis/client'],
};

const AMBIENT: readonly (readonly [RegExp, string, ReadonlySet<string>])[] = [
  [/\bprocess\s*\.\s*env\b|\bprocess\s*\[/, 'reads process.env', new Set(['src/main.ts'])],
  [/\bMath\s*\.\s*random\b/, 'calls Math.random', new Set(['src/main.ts'])],
  [
    /\bDate\s*\.\s*now\b|\bnew Date\s*\(\s*\)|\bperformance\s*\.\s*(?:now|timeOrigin)\b|\bhrtime\b/,
    'reads the time',
    new Set(['src/kernel/system-clock.ts']),
  ],
];

const MAX_LINES = 300;
/** TypeScript files directly in one folder of src. */
const MAX_FILES = 25;

/** Everything in `files` that breaks a rule, a line each; empty when all is well. */
export function violations(files: readonly SourceFile[]): string[] {
  const source = files.filter(({ path }) => path.startsWith('src/'));
  return [
    ...files.flatMap(tooLong),
    ...source.flatMap(ambient),
    ...source.flatMap(forbidden),
    ...cycles(fileGraph(source), 'files'),
    ...cycles(graphBy(unitOf, source), 'units'),
    ...cycles(graphBy(subfolderOf, source), 'sub-folders'),
    ...tooMany(source),
  ];
}

/** `src/adapters/kafka/source.ts` → `adapters/kafka`; `src/kernel/frame.ts` → `kernel`; `src/pipeline.ts` → `pipeline`. */
export function unitOf(path: string): string {
  const [, first, second] = path.split('/');
  if (first === 'adapters') return `adapters/${second}`;
  // A file beside a folder of its name is the door of that folder.
  return second === undefined ? first.replace(/\.ts$/, '') : first;
}

/** `src/adapters/kafka/group/lanes.ts` → `adapters/kafka/group`; undefined for a file that lies directly in its unit. */
function subfolderOf(path: string): string | undefined {
  const unit = unitOf(path);
  const [subfolder] = path.slice(`src/${unit}/`.length).split('/').slice(0, -1);
  return path.startsWith(`src/${unit}/`) && subfolder !== undefined ? `${unit}/${subfolder}` : undefined;
}

function tooMany(files: readonly SourceFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > MAX_FILES)
    .map(([folder, count]) => `${folder}: ${count} files; ${MAX_FILES} are the limit`);
}

function tooLong({ path, text }: SourceFile): string[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return lines > MAX_LINES ? [`${path}: ${lines} lines; ${MAX_LINES} are the limit`] : [];
}

function ambient({ path, text }: SourceFile): string[] {
  const code = codeOf(text);
  return AMBIENT.filter(([pattern, , exempt]) => !exempt.has(path) && pattern.test(code)).map(
    ([, what]) => `${path}: ${what}; it is a parameter`,
  );
}

function forbidden({ path, text }: SourceFile): string[] {
  const unit = unitOf(path);
  const allowance = allowanceOf(unit);
  if (allowance === undefined) return [`${path}: ${unit} has no rule in test/architecture/rules.ts`];
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith('.')) {
      const target = resolved(path, specifier);
      if (!target.startsWith('src/')) found.push(`${path}: imports ${target}, outside src`);
      else if (!mayImport(unit, allowance, unitOf(target))) found.push(`${path}: ${unit} may not import ${target}`);
    } else if (!allowance.packages.includes(specifier) && !allowance.packages.includes(packageOf(specifier))) {
      found.push(`${path}: ${unit} may not import ${specifier}`);
    }
  }
  return found;
}

function allowanceOf(unit: string): Allowance | undefined {
  if (!unit.startsWith('adapters/')) return ALLOWED[unit];
  const adapter = unit.slice('adapters/'.length);
  return {
    units: [...ADAPTER_UNITS, ...(MORE_UNITS[adapter] ?? [])],
    packages: ['node:', ...(VENDORS[adapter] ?? [])],
  };
}

function mayImport(unit: string, allowance: Allowance, target: string): boolean {
  return target === unit || allowance.units === 'any' || allowance.units.includes(target);
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return 'node:';
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}

function resolved(path: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(path), specifier));
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

function fileGraph(files: readonly SourceFile[]): Graph {
  return new Map(
    files.map(({ path, text }) => [
      path,
      new Set(
        importsOf(text)
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => resolved(path, specifier)),
      ),
    ]),
  );
}

function graphBy(placeOf: (path: string) => string | undefined, files: readonly SourceFile[]): Graph {
  const graph = new Map<string, Set<string>>();
  for (const [path, targets] of fileGraph(files)) {
    const place = placeOf(path);
    if (place === undefined) continue;
    const edges = graph.get(place) ?? new Set<string>();
    graph.set(place, edges);
    for (const target of targets) {
      const other = placeOf(target);
      if (other !== undefined && other !== place) edges.add(other);
    }
  }
  return graph;
}

/** Depth first; each way back to a node that is still open is a cycle. */
function cycles(graph: Graph, what: string): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (node: string): void => {
    const since = open.indexOf(node);
    if (since >= 0) {
      found.push(`cycle of ${what}: ${[...open.slice(since), node].join(' → ')}`);
      return;
    }
    if (done.has(node)) return;
    open.push(node);
    for (const target of graph.get(node) ?? []) visit(target);
    open.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return found;
}
