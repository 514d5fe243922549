import { compileAvroDecoder } from '../../codecs/avro/decoder.ts';
import { isNullable } from '../../codecs/avro/fields.ts';
import { parseAvroRecord } from '../../codecs/avro/schema.ts';
import { columnsOf } from '../../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../codecs/json/decoder.ts';
import type { ColumnWant } from '../../codecs/types.ts';
import { CONFLUENT_PREFIX_BYTES } from '../../codecs/wire.ts';
import type { Column } from '../../kernel/columns.ts';
import { classify } from '../../kernel/errors.ts';
import type { Reason } from '../../kernel/fate.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import { duration } from '../display/format.ts';
import type { ShownView } from '../look/rows.ts';
import { fieldsAtFault, misfitOf } from '../undecodable-fields.ts';
import { brokenLines, type Probe } from './probe.ts';
import type { Scored } from './score.ts';

export interface WhyDeps {
  readonly schemas: SchemaSource;
  readonly probe: Probe;
  /** By read of the plan. */
  readonly views: readonly (readonly ShownView[])[];
}

/** Why a record has this reason: the field, column, view or value at fault, as a sentence with a remedy. */
export async function whyOf(reason: Reason, scored: Scored, deps: WhyDeps): Promise<string> {
  switch (reason) {
    case 'tombstone':
      return 'it has no value; source.onTombstone decides what happens to such records';
    case 'schema-unknown':
    case 'decode-failed':
      return whyUndecoded(scored, deps);
    case 'feature-missing':
    case 'feature-stale':
    case 'details-missing':
    case 'details-stale':
      return whyFeatures(reason, scored, deps);
    case 'feature-not-finite':
      return whyNotFinite(scored, deps);
    case 'model-failed':
      return `the model fails on this row alone: ${String(scored.said.get('row-failed')?.reason ?? 'it does not say why')}`;
    case 'output-not-finite':
      return whyOutput(scored);
    case 'encode-failed':
      return whyEncode(scored);
    case 'stage-failed':
      return `a stage breaks on it: ${String(scored.said.get('stage-failed')?.error ?? '')}; please report this`;
    case 'too-large':
      return 'it is larger than flow.maxInFlight.bytes allows';
    case 'batch-unreadable':
      return 'its record batch cannot be decompressed';
    default:
      return '';
  }
}

async function whyUndecoded({ frame, plan, said }: Scored, { schemas }: WhyDeps): Promise<string> {
  const { value } = plan.topology.source;
  const refused = said.get('schema-refused');
  if (refused !== undefined) return String(refused.reason);
  const confluent = value.kind === 'avro' && value.wire === 'confluent';
  const id = frame.schemaId[0];
  if (confluent && id < 0) return 'its value has no schema id in front: a zero byte and four of the id';
  const bytes = frame.arena.subarray(frame.valueStart[0] + (confluent ? CONFLUENT_PREFIX_BYTES : 0), frame.valueEnd[0]);
  const writer = confluent ? await schemas.writerSchema(id) : value.schema;
  const decodesOrThrows = (wants: readonly ColumnWant[]): boolean => {
    const decoder =
      value.kind === 'json'
        ? compileJsonDecoder({ schema: value.schema, wants })
        : compileAvroDecoder({ writer, reader: value.schema, wants });
    return decoder.bind(bytes, columnsOf(wants, 1, bytes))(0, bytes.length, 0);
  };
  const decodes = (wants: readonly ColumnWant[]): boolean => tried(() => decodesOrThrows(wants));
  const as = confluent ? `schema ${id}, which it names` : value.schemaFile;
  if (!decodes([])) return `its ${bytes.length} bytes are no value of ${as}`;
  const names = fieldsAtFault(plan.wants, decodes);
  const text = value.kind === 'json' ? bytes.toString('utf8') : undefined;
  const found = text === undefined ? [] : names.flatMap((name) => misfitOf(text, name, value.schema) ?? []);
  // Fields of one record have its fault in common.
  const misfits = [...new Set(found)];
  const large = names.filter((name) => isBeyondDouble(name, plan.wants, decodes));
  if (large.length > 0 && large.length === names.length) {
    const what = 'holds an integer beyond ±(2^53−1), which expressions cannot represent exactly';
    return `field ${large.join(', ')} ${what}; use it only in keys and outputs, which keep all of its digits`;
  }
  const which =
    misfits.length > 0 ? misfits.join('; ') : 'another type, null where it allows none, out of range, or not there';
  return `field ${names.join(', ')} is not what ${value.schemaFile} says: ${which}`;
}

/** Whether the field is wanted as a number but holds an integer too large for a double. */
function isBeyondDouble(
  name: string,
  wants: readonly ColumnWant[],
  decodes: (wants: readonly ColumnWant[]) => boolean,
): boolean {
  const want = wants.find(({ field, kind }) => field === name && kind === 'number');
  if (want === undefined) return false;
  try {
    return decodes([{ ...want, kind: 'long' }]);
  } catch {
    // The field's type cannot be read as a long.
    return false;
  }
}

function tried(attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch (thrown) {
    if (classify(thrown).code === 'unexpected') throw thrown;
    return false;
  }
}

function whyFeatures(reason: Reason, { plan, heard }: Scored, { views }: WhyDeps): string {
  const { from = plan.reads.length } = plan.details ?? {};
  const [ofDetails, ofStale] = [reason.startsWith('details-'), reason.endsWith('-stale')];
  const found = plan.reads.flatMap(({ table, onMissing, key }, k) =>
    (views[k] ?? []).flatMap((view, v) => {
      if (k >= from !== ofDetails) return [];
      const row = heard[k];
      const where =
        row === undefined ? `no key: a part of ${key.source} is missing` : `row ${row.key.toString('utf8')}`;
      const stale = view.stale
        ? `is ${duration(view.ageMs ?? 0)} old, and maxAge is ${duration(view.maxAgeMs ?? 0)}`
        : undefined;
      if (ofStale) {
        return stale && view.onStale === 'dead-letter' ? [`view ${view.view} ${stale} (table ${table}, ${where})`] : [];
      }
      const isMissing = !view.found || (view.stale && view.onStale === 'missing');
      if (!isMissing || onMissing[v] === 'impute') return [];
      return [`view ${view.view} is missing (table ${table}, ${where}${stale === undefined ? '' : `; it ${stale}`})`];
    }),
  );
  const remedy = !ofStale
    ? `load it, or set onMissing to ${ofDetails ? 'null' : 'impute, with the default in the bundle'}`
    : 'load it again, or set onStale to use or missing';
  return `${found.join('; ')}; ${remedy}`;
}

async function whyNotFinite(scored: Scored, { probe, views }: WhyDeps): Promise<string> {
  const broken = await brokenLines(scored.plan, probe);
  if (broken.length === 0) return 'a value of its row is not finite';
  const { file } = scored.plan.bundle;
  const said = broken.map(({ line, value }) => {
    const absent = missingIn(line.expression, scored, views);
    const because = absent.length === 0 ? '' : `; ${absent.join(', ')} ${absent.length === 1 ? 'is' : 'are'} missing`;
    return `column ${line.name} (${line.expression}) is ${value}${because}; ${file}:${line.line}`;
  });
  return `${said.join(' | ')}; give a default, as in: X ?? 0`;
}

/** Names in an expression, and in the `let` values it uses, that have no value. */
function missingIn(
  expression: string,
  { plan, frame }: Scored,
  views: readonly (readonly ShownView[])[],
): readonly string[] {
  const absent = new Set<string>();
  const seen = new Set<string>();
  const columns = new Map(
    views
      .flat()
      .flatMap((view) => Object.entries(view.columns).map(([name, value]) => [`${view.view}.${name}`, value])),
  );
  const look = (text: string): void => {
    for (const [name] of text.matchAll(/[A-Za-z_]\w*(?:\.\w+)*/g)) {
      if (seen.has(name)) continue;
      seen.add(name);
      const [, field] = /^event\.(.+)$/.exec(name) ?? [];
      const slot = plan.wants.findIndex((want) => want.field === field);
      if (slot >= 0 && isMissing(frame.columns[slot])) absent.add(name);
      if (columns.get(name) === null) absent.add(name);
      const inner = plan.bundle.let.find((each) => each.name === name);
      if (inner !== undefined) look(inner.expression);
    }
  };
  look(expression);
  return [...absent];
}

/** Whether entry 0 is missing. */
export function isMissing(column: Column): boolean {
  switch (column.kind) {
    case 'number':
      return Number.isNaN(column.values[0]);
    case 'string':
    case 'raw':
      return column.start[0] < 0;
    case 'label':
      return column.codes[0] < 0;
    default:
      return column.present[0] === 0;
  }
}

function whyOutput({ frame, plan }: Scored): string {
  const bad = plan.predictions.fetches.flatMap((name, k) => {
    const values = frame.outputs[k] ?? new Float64Array(0);
    const at = values.findIndex((value) => !Number.isFinite(value));
    return at < 0 ? [] : [`output "${name}" of the model is ${values[at]} at [${at}]`];
  });
  return `${bad.join('; ')}; check the row above for values far from the training data`;
}

function whyEncode({ frame, plan }: Scored): string {
  const { topology, outputKey, outputFields } = plan;
  const { value } = topology.output;
  for (const part of outputKey?.parts ?? []) {
    if ('slot' in part && isMissing(frame.columns[part.slot])) {
      return `output.key ${outputKey?.source} has no value: event.${plan.wants[part.slot].field} is missing`;
    }
  }
  const types = new Map(parseAvroRecord(value.schema).fields.map(({ name, type }) => [name, type]));
  const found = outputFields.flatMap(({ name, source }) => {
    const column =
      source.from === 'event'
        ? frame.columns[source.slot]
        : source.from === 'prediction'
          ? frame.predictions[source.slot]
          : undefined;
    const type = types.get(name);
    return column !== undefined && type !== undefined && isMissing(column) && !isNullable(type) ? [name] : [];
  });
  if (found.length > 0)
    return `output field ${found.join(', ')} is missing, and ${value.schemaFile} allows no null there`;
  return `a value does not fit ${value.schemaFile}: out of the range of its field`;
}
