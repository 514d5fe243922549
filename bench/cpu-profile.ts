import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type Frame = Profile['nodes'][number]['callFrame'];

const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/kafkajs/, 'kafkajs'],
  [/src\/adapters\/kafka/, 'Kafka adapter'],
  [/onnxruntime/, 'ONNX Runtime, its JavaScript'],
  [/\/src\//, 'the rest of src/'],
  [/^node:/, 'Node'],
  [/node_modules/, 'other packages'],
];

/**
 * Shares of a profile that `node --cpu-prof` left in a folder, by origin and by function; idle time left out.
 * A profiler attributes native work to its caller: socket reads and copies show as Node, a model's run as built-in.
 */
export function readProfile(folder: string): { readonly groups: string[]; readonly functions: string[] } {
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const groups = new Map<string, number>();
  const functions = new Map<string, number>();
  let total = 0;
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === '(idle)') continue;
    total += timeDeltas[i];
    add(groups, groupOf(frame), timeDeltas[i]);
    add(functions, nameOf(frame), timeDeltas[i]);
  }
  const shares = (of: ReadonlyMap<string, number>, most: number): string[] =>
    [...of]
      .sort(([, one], [, other]) => other - one)
      .slice(0, most)
      .map(([name, us]) => `${((100 * us) / total).toFixed(1).padStart(5)} %  ${name}`);
  return { groups: shares(groups, 20), functions: shares(functions, 30) };
}

function add(to: Map<string, number>, name: string, us: number): void {
  to.set(name, (to.get(name) ?? 0) + us);
}

function groupOf({ functionName, url }: Frame): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (/^(fill|predict|decodeRow|encodeRow)$/.test(functionName) && url === '') return 'the rest of src/';
  return GROUPS.find(([pattern]) => pattern.test(url))?.[1] ?? 'built-in and native';
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const file = url.replace(/^.*\/(src|node_modules)\//, '$1/');
  return `${functionName === '' ? '(anonymous)' : functionName} ${file}${url === '' ? '' : `:${lineNumber + 1}`}`;
}
