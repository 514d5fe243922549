import { type RecordSchema, readRecordSchema } from '../../check/event-schema.ts';
import { compileKey } from '../../check/keys.ts';
import type { MergedRead } from '../../check/reads.ts';
import { createWantList } from '../../check/wants.ts';
import { columnsOf } from '../../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../codecs/json/decoder.ts';
import type { KeyTemplate } from '../../codecs/types.ts';
import { type CheckFinding, formatFindings } from '../../documents/finding.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import { KeyTable } from '../../stages/features/keys.ts';
import type { LoadedTopology } from '../../topology/load.ts';

type Loaded = Extract<LoadedTopology, { ok: true }>;

/** JSON event → the key of each look-up, as the path would make it; undefined: a part is missing. */
export type EventKeys = (event: Buffer, place: string) => readonly (Buffer | undefined)[];

/** Compiles the topology's key templates; throws `topology-invalid` with the findings. */
export function createEventKeys({ topology, source }: Loaded, reads: readonly MergedRead[]): EventKeys {
  const findings: CheckFinding[] = [];
  const { schema, schemaFile } = topology.source.value;
  const event = readRecordSchema(schema, source.sourceSchema, findings);
  const list = createWantList([]);
  const templates = reads.map(({ key, entry }) => event && compileKey(key, ['enrich', entry, 'key'], contextOf(event)));
  function contextOf(record: RecordSchema) {
    return { yaml: source.yaml, event: record, wants: list, findings };
  }
  if (findings.length > 0) {
    throw new SluiceError('topology-invalid', `${topology.file} cannot be used:\n${formatFindings(findings)}`);
  }
  const { wants } = list;
  const decoder = compileJsonDecoder({ schema, wants });
  const tables = templates.map((template) => new KeyTable(template as KeyTemplate));
  return (value, place) => {
    const builder = new FrameBuilder({ topic: place, partition: 0, epoch: 0 }, 1, value.length);
    builder.append(0, 0, null, value, null);
    const frame = builder.build(1, 0, 0);
    frame.columns = columnsOf(wants, 1, frame.arena);
    if (!decoder.bind(frame.arena, frame.columns)(frame.valueStart[0], frame.valueEnd[0], 0)) {
      throw new SluiceError('file-invalid', `${place}: is no event of ${schemaFile}, as JSON; correct the line`);
    }
    return tables.map((table) => {
      table.gather(frame);
      return table.distinct === 0 ? undefined : table.copyKey(0);
    });
  };
}
