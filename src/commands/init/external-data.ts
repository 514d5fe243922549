import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A model whose weights lie elsewhere is small; a larger one holds its own. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Where protobuf keeps them: ModelProto.graph 7, GraphProto.initializer 5, TensorProto.external_data 13, its key 1 and value 2. */
const GRAPH = 7;
const INITIALIZER = 5;
const EXTERNAL_DATA = 13;

/**
 * Files in which a model keeps weights, as it names them, relative to its own folder. Promise: those alone that are there and lie in
 * that folder or below it; nothing is thrown for a file that is no model, the runtime says what is wrong with it.
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

/** The values of one field of a message, where they have a length; stops where the bytes are no message. */
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
