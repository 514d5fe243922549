import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ValueFormat } from '../plan/topology.ts';

export interface FileValues {
  /** The Avro schema that the input was written with; undefined: it is JSON. */
  readonly writer?: unknown;
  readonly output?: ValueFormat['kind'];
  /** An input that is no file is as the topology says. */
  readonly fromTopic?: boolean;
  /** The topic that outputs go to in place of a file, as the topology says. */
  readonly toTopic?: string | undefined;
}

/** The same plan with files on both ends, or on one: plain JSON, as JSON Lines hold it, or plain Avro, as containers do, typed by the topology's schemas. */
export function asFiles(plan: Plan, values: FileValues = {}): Plan {
  const { writer, toTopic } = values;
  const json = ({ schemaFile, schema }: ValueFormat): ValueFormat => ({ kind: 'json', schemaFile, schema });
  const avro = ({ schemaFile, schema }: ValueFormat, written?: unknown): ValueFormat => ({
    ...{ kind: 'avro', schemaFile, schema, wire: 'plain', ids: [] },
    ...(written !== undefined && { writer: written }),
  });
  const { topology } = plan;
  const { source, output } = topology;
  const input = writer === undefined ? json(source.value) : avro(source.value, writer);
  const value = values.output === 'avro' ? avro(output.value) : json(output.value);
  // What has an end is not late, and gives nothing up for it.
  const { onOverload: _, ...rest } = topology;
  return {
    ...plan,
    topology: {
      ...rest,
      source: { ...source, value: values.fromTopic ? source.value : input },
      output: toTopic === undefined ? { ...output, value } : { ...output, topic: toTopic },
      flow: { ...topology.flow, order: 'partition' },
      // A file has an end, where its dead letters are counted; held before it, a run would never get there.
      deadLetter: { topic: topology.deadLetter.topic },
    },
  };
}

export const NO_SCHEMAS = {
  writerSchema: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no writer schemas')),
  idFor: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no schema ids')),
};
