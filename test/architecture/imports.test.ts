import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { METRICS } from '../../src/telemetry/catalogue.ts';
import { EVENTS } from '../../src/telemetry/events.ts';
import { unitOf, violations } from './rules.ts';
import { importsOf, type SourceFile, withoutComments } from './scan.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function filesUnder(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(ROOT, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }));
}

const FILES = ['src', 'test', 'bench'].flatMap(filesUnder);

test('the tree keeps the import rules, has no cycle, reads no ambient state, and its files and folders are small', () => {
  assert.ok(FILES.length > 50);
  assert.deepEqual(violations(FILES), []);
});

test('every event and metric that the source names is in the catalogue', () => {
  const unknown: string[] = [];
  for (const { path, text } of FILES.filter((file) => file.path.startsWith('src/'))) {
    const code = withoutComments(text);
    for (const [, name] of code.matchAll(/\.event\(\s*'([^']+)'/g)) {
      if (!Object.hasOwn(EVENTS, name)) unknown.push(`${path}: event ${name}`);
    }
    for (const [, kind, name] of code.matchAll(/\.(counter|gauge|removeGauge|histogram|series)\(\s*'([a-z]\w+)'/g)) {
      const spec = Object.entries(METRICS).find(([known]) => known === name)?.[1];
      const right = spec !== undefined && (kind === 'series' || kind.toLowerCase().endsWith(spec.type));
      if (!right) unknown.push(`${path}: ${kind} ${name}`);
    }
  }
  assert.deepEqual(unknown, []);
});

const PLANTED: readonly (readonly [title: string, files: Readonly<Record<string, string>>, complaint: RegExp])[] = [
  [
    'a stage that imports an adapter',
    { 'src/stages/a.ts': "import { b } from '../adapters/kafka/b.ts';" },
    /stages may not import src\/adapters\/kafka\/b\.ts/,
  ],
  [
    'a type import',
    { 'src/kernel/a.ts': "import type { B } from '../ports/b.ts';" },
    /kernel may not import src\/ports\/b\.ts/,
  ],
  [
    'a type import inside an import of values over several lines',
    { 'src/kernel/a.ts': "import {\n  type B,\n  c,\n} from '../ports/b.ts';" },
    /kernel may not import/,
  ],
  ['an import in a type', { 'src/ports/a.ts': "type B = import('../stages/b.ts').B;" }, /ports may not import/],
  ['a re-export', { 'src/plan/a.ts': "export * from '../topology/b.ts';" }, /plan may not import/],
  [
    'one adapter in another',
    { 'src/adapters/kafka/a.ts': "import { b } from '../registry/b.ts';" },
    /adapters\/kafka may not import/,
  ],
  [
    'a vendor client outside its adapter',
    { 'src/commands/a.ts': "const { Kafka } = await import('kafkajs');" },
    /commands may not import kafkajs/,
  ],
  [
    'a vendor client in the wrong adapter',
    { 'src/adapters/http/a.ts': "const k = require('kafkajs/src/consumer');" },
    /adapters\/http may not import kafkajs/,
  ],
  ['a module of Node in pure policy', { 'src/batching/a.ts': "import { readFileSync } from 'node:fs';" }, /node:fs/],
  ['a folder without a rule', { 'src/utils/a.ts': '' }, /utils has no rule/],
  [
    'a cycle of files',
    {
      'src/kernel/a.ts': "import './b.ts';",
      'src/kernel/b.ts': "import './c.ts';",
      'src/kernel/c.ts': "import './a.ts';",
    },
    /cycle of files: src\/kernel\/a\.ts → src\/kernel\/b\.ts → src\/kernel\/c\.ts → src\/kernel\/a\.ts/,
  ],
  [
    'a cycle of units without one of files',
    {
      'src/commands/a.ts': "import '../main.ts';",
      'src/main.ts': "import './commands/b.ts';",
      'src/commands/b.ts': '',
    },
    /cycle of units/,
  ],
  [
    'a cycle of sub-folders of one unit',
    {
      'src/adapters/kafka/fetch/a.ts': "import '../group/b.ts';",
      'src/adapters/kafka/group/b.ts': '',
      'src/adapters/kafka/group/c.ts': "import '../fetch/d.ts';",
      'src/adapters/kafka/fetch/d.ts': "import '../source.ts';",
      'src/adapters/kafka/source.ts': "import './group/b.ts';",
    },
    /cycle of sub-folders: adapters\/kafka\/fetch → adapters\/kafka\/group → adapters\/kafka\/fetch/,
  ],
  [
    'a folder with too many files',
    Object.fromEntries(Array.from({ length: 26 }, (_, i) => [`src/kernel/a${i}.ts`, ''])),
    /^src\/kernel: 26 files/,
  ],
  ['process.env', { 'src/commands/a.ts': 'const level = process.env.LEVEL;' }, /reads process\.env/],
  ['Math.random', { 'src/kernel/a.ts': 'export const r = () => Math.random();' }, /calls Math\.random/],
  ['Date.now', { 'src/stages/a.ts': `const at = \`\${Date.now()}\`;` }, /reads the time/],
  ['new Date without a time', { 'src/stages/a.ts': 'const at = new Date();' }, /reads the time/],
  ['a file that is too long', { 'test/unit/a.test.ts': '\n'.repeat(301) }, /301 lines/],
];

for (const [title, files, complaint] of PLANTED) {
  test(`planted: ${title} is found`, () => {
    const found = violations(Object.entries(files).map(([path, text]) => ({ path, text })));
    assert.match(found.join('\n'), complaint);
  });
}

test('comments, strings and allowed imports are no violations', () => {
  const text = [
    "// import { x } from '../stages/x.ts'; Date.now()",
    "/* process.env, import '../main.ts' */",
    "export const text = 'Math.random() and process.env.HOME';",
    "export const pattern = /\\/\\/ ' Date.now/;",
    "import type { Frame } from '../kernel/frame.ts';",
    'export const day = (ms: number): Date => new Date(ms);',
  ].join('\n');
  assert.deepEqual(violations([{ path: 'src/ports/a.ts', text }]), []);
});

test('imports are read in all their forms, and units from paths', () => {
  const text =
    "import a from 'a';\nimport 'b';\nimport { type C } from 'c';\nexport { d } from 'd';\nconst e = await import('e');\n" +
    "new Worker(new URL('./worker.ts', import.meta.url));";
  assert.deepEqual(importsOf(text).sort(), ['./worker.ts', 'a', 'b', 'c', 'd', 'e']);
  assert.equal(unitOf('src/adapters/kafka/source.ts'), 'adapters/kafka');
  assert.equal(unitOf('src/commands/display/panel.ts'), 'commands');
  assert.equal(unitOf('src/pipeline.ts'), 'pipeline');
});
