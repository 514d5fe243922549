import { namesOf } from '../../codecs/avro/paths.ts';
import { parseAvroRecord } from '../../codecs/avro/schema.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Transcode } from '../embedded/feeder.ts';
import { createAvroLines } from './avro-lines.ts';

export interface TranscoderOptions {
  readonly topology: Topology;
  /** Prefix of Avro values in Confluent's wire format. */
  readonly schemaId: number | undefined;
  /** Called for each line that cannot be encoded as an event; the line is left out. */
  readonly refused: (line: number, reason: string) => void;
}

/**
 * JSON lines → records as an upstream team would write them. JSON values are sent unchanged, faulty ones too: the pipeline shows what
 * becomes of them. Avro is written with the topology's own schema, nested types included. The key is the output's, if that is
 * made of event fields; otherwise there is none.
 */
export function createDevTranscoder({ topology, schemaId, refused }: TranscoderOptions): Transcode {
  const { value } = topology.source;
  const keyOf = keyMaker(topology.output.key);
  const write = value.kind === 'avro' ? createAvroLines(parseAvroRecord(value.schema)) : undefined;
  const prefix = schemaId === undefined ? Buffer.alloc(0) : confluentPrefix(schemaId);
  let number = 0;
  return (lines, _pass, each) => {
    for (const line of lines) {
      number++;
      const event = parsed(line);
      let bytes = line;
      try {
        if (write !== undefined) bytes = Buffer.concat([prefix, write(line, event)]);
      } catch (thrown) {
        if (!(thrown instanceof SluiceError)) throw thrown;
        refused(number, thrown.message);
        continue;
      }
      const key = keyOf(event);
      each(key, (slab, timestampMs) => void slab.append(timestampMs, key, bytes, null));
    }
  };
}

/** Undefined for invalid JSON. Integers beyond 2^53 stay exact, as BigInt. */
function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'), exact as (key: string, value: unknown) => unknown);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

function exact(_key: string, value: unknown, { source = '' }: { readonly source?: string } = {}): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

type Json = Readonly<Record<string, unknown>>;

const BRACES = /\{\{|\}\}|\{([^{}]*)\}/g;

/** Fills the output's key template from an event: null if a part of it is missing. */
function keyMaker(template: string | undefined): (event: unknown) => Buffer | null {
  if (template === undefined) return () => null;
  return (event) => {
    let missing = false;
    const key = template.replace(BRACES, (piece, field: string | undefined) => {
      if (field === undefined) return piece[0];
      const value = namesOf(field.trim()).reduce((at, name) => (at as Json | null | undefined)?.[name], event);
      missing ||= value === undefined || value === null || value === '';
      return String(value);
    });
    return missing ? null : Buffer.from(key);
  };
}
