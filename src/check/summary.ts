import { describe, fieldsOf } from '../codecs/avro/fields.ts';
import { fieldAt } from '../codecs/avro/paths.ts';
import { parseAvroRecord } from '../codecs/avro/schema.ts';
import type { FieldSource, KeyTemplate } from '../codecs/types.ts';
import type { Plan } from '../plan/plan.ts';

/** A plan's contract, for people and machines: the model's inputs, the look-ups, the outputs. */
export interface ContractSummary {
  readonly topology: string;
  readonly model: string;
  /** The label of `onOverload.smallerModel`, if there is one; the rest is the contract of `model`. */
  readonly smallerModel?: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly rowShape: readonly number[];
    readonly columns: readonly string[];
  }[];
  readonly event: readonly { readonly field: string; readonly type: string; readonly as: string }[];
  readonly reads: readonly {
    readonly table: string;
    readonly key: string;
    readonly layout: string;
    readonly views: readonly { readonly name: string; readonly family: string; readonly columns: readonly string[] }[];
  }[];
  readonly output: {
    readonly topic: string;
    /** A template, or null for the input's key. */
    readonly key: string | null;
    readonly fields: readonly { readonly name: string; readonly type: string; readonly source: string }[];
  };
}

export function summarize(plan: Plan): ContractSummary {
  const { topology, bundle, inputs, feeds, wants, reads, outputKey, outputFields } = plan;
  const event = parseAvroRecord(topology.source.value.schema);
  const outputTypes = typesOf(topology.output.value.schema);
  return {
    topology: topology.name,
    model: bundle.label,
    ...(plan.smaller && { smallerModel: plan.smaller.bundle.label }),
    inputs: feeds.map((feed, i) => ({ ...feed, columns: inputs.columnNames[i] })),
    event: wants.map(({ field, kind, width }) => {
      const { type } = fieldAt(event, field) ?? {};
      return {
        field,
        type: type === undefined ? '' : describe(type),
        as: kind === 'vector' ? `vector[${width}]` : kind === 'raw' ? 'it is' : kind,
      };
    }),
    reads: reads.map(({ table, key, layout, views }) => ({
      table,
      key: key.source,
      layout,
      views: views.map(({ name, family, columns }) => ({
        name,
        family,
        columns: columns.map((column) => (column.kind === 'vector' ? `${column.name}[${column.width}]` : column.name)),
      })),
    })),
    output: {
      topic: topology.output.topic,
      key: keyText(outputKey),
      fields: outputFields.map(({ name, source }) => ({
        name,
        type: outputTypes.get(name) ?? '',
        source: sourceText(source, plan),
      })),
    },
  };
}

/** As aligned text, a heading for each section. */
export function formatSummary(summary: ContractSummary): string {
  const { output } = summary;
  const sections = [
    `${summary.topology} with ${summary.model}${summary.smallerModel === undefined ? '' : `, when overloaded ${summary.smallerModel}`}`,
    section(
      'event fields',
      summary.event.map(({ field, type, as }) => [field, type, `read as ${as}`]),
    ),
    ...summary.reads.map(({ table, key, layout, views }) =>
      section(
        `look-up ${table} by ${key} (${layout})`,
        views.map((view) => [view.name, view.family, view.columns.join(', ')]),
      ),
    ),
    ...summary.inputs.map(({ name, dtype, rowShape, columns }) =>
      section(
        `model input ${name}: ${dtype} [rows, ${rowShape.join(', ')}]`,
        columnRuns(columns).map((run) => [run]),
      ),
    ),
    section(
      `output ${output.topic}, key ${output.key ?? "the input's"}`,
      output.fields.map(({ name, type, source }) => [name, type, source]),
    ),
  ];
  return `${sections.join('\n\n')}\n`;
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k].length)));
  const lines = rows.map((row) => `  ${row.map((cell, k) => cell.padEnd(widths[k])).join('  ')}`.trimEnd());
  return [title, ...lines].join('\n');
}

/** Runs like `tod[0] … tod[3]` share a line; other names have a line each. */
function columnRuns(columns: readonly string[]): string[] {
  const runs = new Map<string, number>();
  for (const column of columns) {
    const line = column.replace(/\[\d+\]$/, '');
    runs.set(line, (runs.get(line) ?? 0) + 1);
  }
  return [...runs].map(([line, count]) => (count === 1 ? line : `${line}[${count}]`));
}

function typesOf(schema: unknown): ReadonlyMap<string, string> {
  return new Map(fieldsOf(schema).map(({ name, avroType }) => [name, avroType]));
}

function keyText(key: KeyTemplate | undefined): string | null {
  return key?.source ?? null;
}

function sourceText(source: FieldSource, { wants, predictions, details }: Plan): string {
  if (source.from === 'event') return `event.${wants[source.slot].field}`;
  if (source.from === 'prediction') {
    const made = predictions.predictions;
    const detail = details?.columns[source.slot - made.length];
    return detail?.name ?? `prediction.${made[source.slot].name}`;
  }
  return JSON.stringify(source.value);
}
