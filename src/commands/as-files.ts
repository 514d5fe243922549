import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ValueFormat } from '../plan/topology.ts';

/** The same plan with plain JSON on both ends: what a file of JSON Lines holds, typed by the topology's schemas. */
export function asFiles(plan: Plan): Plan {
  const json = ({ schemaFile, schema }: ValueFormat): ValueFormat => ({ kind: 'json', schemaFile, schema });
  const { topology } = plan;
  return {
    ...plan,
    topology: {
      ...topology,
      source: { ...topology.source, value: json(topology.source.value) },
      output: { ...topology.output, value: json(topology.output.value) },
      // A file has an end, where its dead letters are counted; held before it, a run would never get there.
      deadLetter: { topic: topology.deadLetter.topic },
    },
  };
}

export const NO_SCHEMAS = {
  writerSchema: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no writer schemas')),
  idFor: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no schema ids')),
};
