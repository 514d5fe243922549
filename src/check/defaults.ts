import { defaultEntry } from '../codecs/avro/default-entry.ts';
import { parseAvroRecord } from '../codecs/avro/schema.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';

/**
 * Defaults of the event's schema that are no values of their fields, of fields that the plan reads. A decoder needs them where a
 * record, or the schema of its writer, lacks the field (cause) → it is compiled, and fails, when the first such comes (effect) →
 * they are tried here (guard).
 */
export function defaultFindings(plan: Plan, schema: YamlDocument): readonly CheckFinding[] {
  const { fields } = parseAvroRecord(plan.topology.source.value.schema);
  return plan.wants.flatMap((want) => {
    const index = fields.findIndex(({ name }) => name === want.field);
    if (index < 0 || fields[index].default === undefined) return [];
    try {
      defaultEntry(fields[index], want);
      return [];
    } catch (thrown) {
      if (!(thrown instanceof SluiceError)) throw thrown;
      const remedy = 'write a default that is a value of this type, null for ["null", …], or leave it out';
      return [{ ...schema.at(['fields', index, 'default'], thrown.message, remedy), code: 'schema-invalid' as const }];
    }
  });
}
