import { eventScope } from '../../check/event-schema.ts';
import { mergeReads, viewScope } from '../../check/reads.ts';
import { parseAvroRecord } from '../../codecs/avro/schema.ts';
import { compileInputs } from '../../features/inputs.ts';
import type { Line, Scope } from '../../features/types.ts';
import { OPEN } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { InputDType, Plan } from '../../plan/plan.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import { createDecode } from '../../stages/decode.ts';
import type { StageDeps } from '../../stages/types.ts';

/** Value of one line of the bundle for one record. */
export interface Probed {
  readonly values: readonly number[];
  /** False: not finite in the requested dtype. */
  readonly isFinite: boolean;
}

/**
 * Evaluates single lines of a bundle on a record that has gone through the path. Each is compiled alone, by the same compiler, to find
 * the one at fault. Undefined for a line that is not a number by itself (text, or possibly missing).
 */
export type Probe = (line: Line, dtype: InputDType) => Promise<Probed | undefined>;

export function createProbe(
  deps: StageDeps & { readonly schemas: SchemaSource; readonly fresh: () => Frame },
  plan: Plan,
  scored: Frame,
): Probe {
  const { topology, bundle } = plan;
  const event = eventScope(parseAvroRecord(topology.source.value.schema));
  const scope: Scope = { event, views: viewScope(mergeReads(topology.enrich)) };

  return async (line, dtype) => {
    const at = bundle.let.findIndex(({ name }) => name === line.name);
    const above = bundle.let.slice(0, at < 0 || line.expression !== line.name ? bundle.let.length : at + 1);
    const spec = { name: 'probe', dtype, lines: [line] };
    const compiled = compileInputs({ let: above, inputs: [spec], scope, transforms: bundle.transforms });
    if (!compiled.ok) return undefined;
    const { wants, widths, fill } = compiled.program;
    const frame = deps.fresh();
    await createDecode(deps, { ...plan, wants })(frame);
    if (frame.fate[0] !== OPEN) return undefined;
    frame.reads = scored.reads;
    const slab = SLABS[dtype](widths[0]);
    fill(frame, { slab: () => slab, recordOf: new Int32Array(1) });
    return { values: Array.from(slab as ArrayLike<number | bigint>, Number), isFinite: frame.fate[0] === OPEN };
  };
}

const SLABS: Readonly<Record<InputDType, (width: number) => Frame['inputs'][number]>> = {
  float32: (width) => new Float32Array(width),
  float64: (width) => new Float64Array(width),
  int32: (width) => new Int32Array(width),
  int64: (width) => new BigInt64Array(width),
  uint8: (width) => new Uint8Array(width),
  bool: (width) => new Uint8Array(width),
};

/** The `let` values that are numbers by themselves, in order. */
export async function letsOf({ bundle }: Plan, probe: Probe): Promise<Record<string, number | readonly number[]>> {
  const found: [string, number | readonly number[]][] = [];
  for (const { name, line, column } of bundle.let) {
    const probed = await probe({ name, expression: name, line, column }, 'float64');
    if (probed !== undefined) found.push([name, probed.values.length === 1 ? probed.values[0] : probed.values]);
  }
  return Object.fromEntries(found);
}

/** Lines of the model's inputs that are not finite in their dtype, with their values. */
export async function brokenLines({ bundle, feeds }: Plan, probe: Probe): Promise<{ line: Line; value: string }[]> {
  const broken: { line: Line; value: string }[] = [];
  for (const { name, lines } of bundle.inputs) {
    const dtype = feeds.find((feed) => feed.name === name)?.dtype ?? 'float32';
    for (const line of lines) {
      const probed = await probe(line, dtype);
      if (probed === undefined || probed.isFinite) continue;
      const values = (await probe(line, 'float64'))?.values ?? [];
      const k = values.findIndex((value) => !Number.isFinite(value));
      const value =
        k < 0 ? `no ${dtype}: ${values[0]}` : Number.isNaN(values[k]) ? 'missing, or not a number' : String(values[k]);
      broken.push({ line, value: values.length > 1 && k >= 0 ? `${value} at [${k}]` : value });
    }
  }
  return broken;
}
