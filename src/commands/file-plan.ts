import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ValueFormat } from '../plan/topology.ts';

export interface FileValues {
  /** The Avro schema that the input was written with; undefined: JSON. */
  readonly writer?: unknown;
  readonly output?: ValueFormat['kind'];
  /** The input is a topic, encoded as the topology says. */
  readonly fromTopic?: boolean;
  /** The topic that outputs go to instead of a file, encoded as the topology says. */
  readonly toTopic?: string | undefined;
}

/** Adapts a plan to files as input, output or both: plain JSON, or plain Avro as in containers, typed by the topology's schemas. */
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
  // A bounded input cannot be late, so nothing is given up.
  const { onOverload: _, ...rest } = topology;
  return {
    ...plan,
    topology: {
      ...rest,
      source: { ...source, value: values.fromTopic ? source.value : input },
      output: toTopic === undefined ? { ...output, value } : { ...output, topic: toTopic },
      flow: { ...topology.flow, order: 'partition' },
      // A limit would hold the run before the end of the file; dead letters are counted at the end instead.
      deadLetter: { topic: topology.deadLetter.topic },
    },
  };
}

export const NO_SCHEMAS = {
  writerSchema: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no writer schemas')),
  idFor: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no schema ids')),
};
