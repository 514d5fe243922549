import { branchesOf, describe, serves } from '../codecs/avro/fields.ts';
import { fieldAt, insteadOf, recordIn } from '../codecs/avro/paths.ts';
import { parseKeyTemplate } from '../codecs/key-template.ts';
import type { KeyTemplate } from '../codecs/types.ts';
import { didYouMean } from '../documents/did-you-mean.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import { noField, type RecordSchema } from './event-schema.ts';
import type { WantList } from './wants.ts';

export interface KeyContext {
  readonly yaml: YamlDocument;
  readonly event: RecordSchema;
  readonly wants: WantList;
  readonly findings: CheckFinding[];
}

/** The slot of a name that is not one of the event's; undefined if it is not such a name. */
export type OwnSlot = (name: string, report: (message: string, remedy: string) => number) => number | undefined;

/** Compiles a key template over fields of the event. Keys can be made of text and whole numbers; anything else is a finding. */
export function compileKey(
  text: string,
  path: Path,
  context: KeyContext,
  ownSlot: OwnSlot = notKnownYet,
): KeyTemplate | undefined {
  const { yaml, event, wants, findings } = context;
  const before = findings.length;
  const report = (message: string, remedy: string): number => {
    findings.push(yaml.at(path, message, remedy));
    return 0;
  };

  function slotOf(field: string): number {
    const own = ownSlot(field, report);
    if (own !== undefined) return own;
    const known = fieldAt(event.record, field);
    if (known === undefined) {
      const { message, remedy } = noField(event.record, field, '');
      const inside = field.includes('.') ? `: ${message}` : didYouMean(field, [...event.fields.keys()]);
      return report(`{${field}} names no field of ${event.document.file}${inside}`, remedy);
    }
    const values = branchesOf(known.type).filter((branch) => branch.type !== 'null');
    if (values.every((branch) => serves(branch, 'string'))) return wants.slotOf(field, 'string');
    if (values.every((branch) => serves(branch, 'long'))) return wants.slotOf(field, 'long');
    return report(
      `{${field}} is ${describe(known.type)}, which cannot be part of a key`,
      recordIn(known.type) === undefined
        ? 'use fields that are string, enum, int or long'
        : `${insteadOf(known.type)}; keys are made of string, enum, int and long`,
    );
  }

  try {
    const template = parseKeyTemplate(text, slotOf);
    return findings.length === before ? template : undefined;
  } catch (error) {
    report(
      error instanceof Error ? error.message : String(error),
      'write text and {field}, for example "{origin}#{destination}"',
    );
    return undefined;
  }
}

const notKnownYet: OwnSlot = (name, report) =>
  name.startsWith('prediction.')
    ? report(`{${name}} is known only after the model`, 'use fields of the event, or look it up under details')
    : undefined;
