import { type CheckFinding, hasErrors, ofKind } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { Plan, ReadPlan } from '../plan/plan.ts';
import type { Topology } from '../plan/topology.ts';
import type { TensorSpec } from '../ports/model.ts';
import type { TopologySource } from '../topology/load.ts';
import { compileBundle } from './bundle-program.ts';
import { compileDetails, detailsPlan, type NamedDetail, namedDetails } from './details.ts';
import { eventScope, readRecordSchema } from './event-schema.ts';
import { compileKey } from './keys.ts';
import { resolveOutputFields } from './output-fields.ts';
import { mergeReads, viewScope } from './reads.ts';
import { createWantList } from './wants.ts';

export interface ContractParts {
  readonly topology: Topology;
  readonly topologySource: TopologySource;
  readonly bundle: Bundle;
  readonly bundleSource: YamlDocument;
  /** What the model file declares. */
  readonly signature: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] };
}

export interface CheckedContract {
  /** Undefined if any finding is an error. */
  readonly plan: Plan | undefined;
  readonly findings: readonly CheckFinding[];
}

/**
 * Proves that Avro schema → expressions → ONNX signature → output schema fit together (names, types, shapes, nulls, widths)
 * and compiles them to a plan. Touches no network and no file; reports everything that is wrong, unless one fault hides another.
 * Limit: a writer's schema that differs from the topology's is checked only when its records arrive.
 */
export function checkContract(parts: ContractParts): CheckedContract {
  const { topology, topologySource, bundle } = parts;
  const { yaml } = topologySource;
  const findings: CheckFinding[] = [];
  const event = readRecordSchema(topology.source.value.schema, topologySource.sourceSchema, findings);
  const output = readRecordSchema(topology.output.value.schema, topologySource.outputSchema, findings);
  ofKind('schema-invalid', findings);
  if (event === undefined || output === undefined) return { plan: undefined, findings };

  const merged = mergeReads(topology.enrich);
  const program = compileBundle(
    {
      bundle,
      source: parts.bundleSource,
      signature: parts.signature,
      scope: { event: eventScope(event.record), views: viewScope(merged) },
      maxBatch: Math.max(topology.flow.maxBatch, topology.onOverload?.largerBatches ?? 0),
    },
    findings,
  );
  ofKind('model-mismatch', findings);
  // The bundle's columns keep the slots that its compiled code uses; keys and output fields follow.
  const wants = createWantList(program.inputs?.wants ?? []);
  const keys = { yaml, event, wants, findings };
  const reads = merged.map(({ entry, ...read }): ReadPlan | undefined => {
    const key = compileKey(read.key, ['enrich', entry, 'key'], keys);
    return key && { ...read, key };
  });
  const outputKey =
    topology.output.key === undefined ? undefined : compileKey(topology.output.key, ['output', 'key'], keys);
  ofKind('key-mismatch', findings);
  const mergedDetails = mergeReads(topology.details ?? []);
  const asked: NamedDetail[] = [];
  const outputFields = resolveOutputFields(topology.output.fields, {
    ...keys,
    output,
    bundle,
    predictions: program.predictions?.predictions,
    details: namedDetails(mergedDetails, merged.length),
    asked,
  });
  ofKind('output-mismatch', findings);
  const looked =
    program.predictions === undefined ? [] : compileDetails(mergedDetails, program.predictions.predictions, keys);

  ofKind('key-mismatch', findings);

  const { inputs, predictions, feeds } = program;
  if (inputs === undefined || predictions === undefined || hasErrors(findings)) return { plan: undefined, findings };
  const plan: Plan = {
    topology,
    bundle,
    wants: Object.freeze([...wants.wants]),
    reads: [...reads, ...looked].filter((read) => read !== undefined),
    ...(looked.length > 0 && { details: detailsPlan(merged.length, asked) }),
    inputs,
    feeds,
    predictions,
    outputKey,
    outputFields,
  };
  return { plan: Object.freeze(plan), findings };
}
