import { Session } from 'node:inspector/promises';

/** V8's sampled allocations, summed by function. */
interface ProfileNode {
  readonly id: number;
  readonly selfSize: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children: readonly ProfileNode[];
}

interface AllocationProfile {
  readonly head: ProfileNode;
  readonly samples: readonly { readonly size: number; readonly nodeId: number }[];
}

export interface Allocations {
  /** `function file:line`. */
  readonly where: string;
  bytes: number;
  objects: number;
}

/** Functions of this project, generated ones included, as `where` shows them. */
export const OWN_CODE = / src\/|<generated>/;

/** Samples every heap allocation until the function that this resolves with is called, including those collected meanwhile. */
export async function startSampling(leastBytes = 0): Promise<() => Promise<Allocations[]>> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 1,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  return async () => {
    const { profile } = await session.post('HeapProfiler.stopSampling');
    session.disconnect();
    return byFunction(profile as unknown as AllocationProfile, leastBytes);
  };
}

export function total(rows: readonly Allocations[], of: 'bytes' | 'objects'): number {
  return rows.reduce((sum, row) => sum + row[of], 0);
}

/**
 * Most bytes first. Counts are exact only with a sampling interval of one byte. `leastBytes` above 16 leaves out numbers that V8
 * boxes (16 bytes): code that is not yet optimised boxes numbers that the optimised code does not.
 */
function byFunction(profile: AllocationProfile, leastBytes: number): Allocations[] {
  const places = new Map<number, string>();
  const visit = (node: ProfileNode, caller: string): void => {
    const where = placeOf(node, caller);
    places.set(node.id, where);
    for (const child of node.children) visit(child, where);
  };
  visit(profile.head, '');
  const found = new Map<string, Allocations>();
  for (const { size, nodeId } of profile.samples) {
    if (size < leastBytes) continue;
    const where = places.get(nodeId) ?? 'unknown';
    let row = found.get(where);
    if (row === undefined) {
      row = { where, bytes: 0, objects: 0 };
      found.set(where, row);
    }
    row.bytes += size;
    row.objects++;
  }
  return [...found.values()].sort((one, other) => other.bytes - one.bytes);
}

/** Built-ins have no file: they are shown with their caller. */
function placeOf({ callFrame }: ProfileNode, caller: string): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url !== '')
    return `${name} ${url.replace(/^file:\/\/.*?\/((src|bench|test|node_modules)\/)/, '$1')}:${lineNumber + 1}`;
  if (/^(fill|predict|bind|decodeRow|encodeRow)$/.test(name)) return `${name} <generated>:${lineNumber + 1}`;
  return caller === '' ? name : `${name} ← ${caller}`;
}
