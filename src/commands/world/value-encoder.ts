import { compileAvroEncoder } from '../../codecs/avro/encoder.ts';
import { compileJsonEncoder } from '../../codecs/json/encoder.ts';
import type { ValueEncoder } from '../../codecs/types.ts';
import { predictedColumns } from '../../plan/look-ups.ts';
import type { Plan } from '../../plan/plan.ts';

/** Outputs as the topology says; in Avro behind `prefix`: nothing, if not given, as in files and where the value alone counts. */
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
