import { defaultEntry } from '../codecs/avro/default-entry.ts';
import { defaultOf } from '../codecs/avro/records.ts';
import { ResolvedWant } from '../codecs/avro/resolved-want.ts';
import { parseAvroRecord } from '../codecs/avro/schema.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import { pathInSchema } from './schema-place.ts';

/**
 * Findings for invalid defaults in the event's schema, of fields that the plan reads and of records on the way to them. A decoder
 * needs a default only if a record, or its writer's schema, lacks the field (cause) → compiling it fails when the first such
 * record arrives (effect) → they are tried here (guard).
 */
export function defaultFindings(plan: Plan, schema: YamlDocument): readonly CheckFinding[] {
  const json = plan.topology.source.value.schema;
  const record = parseAvroRecord(json);
  const tried = new Set<string>();
  return plan.wants.flatMap((want, slot) => {
    const { way, field } = new ResolvedWant(record, want, slot);
    return way.flatMap((own, depth) => {
      const path = way.slice(0, depth + 1).map(({ name }) => name);
      if (own.default === undefined || tried.has(path.join('.'))) return [];
      try {
        defaultEntry(defaultOf(way.slice(depth), field), want);
        return [];
      } catch (thrown) {
        if (!(thrown instanceof SluiceError)) throw thrown;
        tried.add(path.join('.'));
        const remedy = 'write a default that is a value of this type, null for ["null", …], or leave it out';
        const place = [...pathInSchema(json, path), 'default'];
        return [{ ...schema.at(place, thrown.message, remedy), code: 'schema-invalid' as const }];
      }
    });
  });
}
