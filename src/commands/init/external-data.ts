import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A model with external weights is small; a larger file contains its own. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Protobuf fields: ModelProto.graph 7, GraphProto.initializer 5, TensorProto.external_data 13, its key 1 and value 2. */
const GRAPH = 7;
const INITIALIZER = 5;
const EXTERNAL_DATA = 13;

/**
 * Files in which a model keeps weights, by their paths relative to the model's folder. Promise: only existing files in or below that
 * folder; never throws for an invalid model, because the runtime reports that.
 */
export function externalData(model: string): readonly string[] {
  if (statSync(model).size > MOST_BYTES) return [];
  const named = new Set<string>();
  for (const graph of parts(readFileSync(model), GRAPH))
    for (const tensor of parts(graph, INITIALIZER))
      for (const entry of parts(tensor, EXTERNAL_DATA)) {
        const [key, value] = [parts(entry, 1), parts(entry, 2)];
        if (key[0]?.toString() === 'location' && value[0] !== undefined) named.add(normalize(value[0].toString()));
      }
  return [...named].filter((file) => !/^([.][.]|[/\\]|[A-Za-z]:)/.test(file) && existsSync(join(dirname(model), file)));
}

/** The length-delimited values of one field of a message; stops at invalid bytes. */
function parts(message: Buffer, field: number): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      if (!(at + length <= message.length)) break;
      if (Math.floor(tag / 8) === field) found.push(message.subarray(at, at + length));
      at += length;
    } else break;
  }
  return found;
}
