import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ValueFormat } from '../plan/topology.ts';

export interface FileValues {
  /** The Avro schema that the input was written with; undefined: it is JSON. */
  readonly writer?: unknown;
  readonly output?: ValueFormat['kind'];
}

/** The same plan with files on both ends: plain JSON, as JSON Lines hold it, or plain Avro, as containers do, typed by the topology's schemas. */
export function asFiles(plan: Plan, { writer, output }: FileValues = {}): Plan {
  const json = ({ schemaFile, schema }: ValueFormat): ValueFormat => ({ kind: 'json', schemaFile, schema });
  const avro = ({ schemaFile, schema }: ValueFormat, written?: unknown): ValueFormat => ({
    ...{ kind: 'avro', schemaFile, schema, wire: 'plain', ids: [] },
    ...(written !== undefined && { writer: written }),
  });
  const { topology } = plan;
  return {
    ...plan,
    topology: {
      ...topology,
      source: {
        ...topology.source,
        value: writer === undefined ? json(topology.source.value) : avro(topology.source.value, writer),
      },
      output: {
        ...topology.output,
        value: output === 'avro' ? avro(topology.output.value) : json(topology.output.value),
      },
      // A file has an end, where its dead letters are counted; held before it, a run would never get there.
      deadLetter: { topic: topology.deadLetter.topic },
    },
  };
}

export const NO_SCHEMAS = {
  writerSchema: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no writer schemas')),
  idFor: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no schema ids')),
};
