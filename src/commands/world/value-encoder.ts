import { compileAvroEncoder } from '../../codecs/avro/encoder.ts';
import { compileJsonEncoder } from '../../codecs/json/encoder.ts';
import type { ValueEncoder } from '../../codecs/types.ts';
import { predictedColumns } from '../../plan/look-ups.ts';
import type { Plan } from '../../plan/plan.ts';

/** Encodes outputs as the topology says; Avro after `prefix`, by default empty, as in files. */
export function encoderOf(plan: Plan, prefix: Buffer = Buffer.alloc(0)): ValueEncoder {
  const { value } = plan.topology.output;
  const shape = {
    schema: value.schema,
    fields: plan.outputFields,
    wants: plan.wants,
    predictions: predictedColumns(plan),
  };
  return value.kind === 'json' ? compileJsonEncoder(shape) : compileAvroEncoder({ ...shape, prefix });
}
