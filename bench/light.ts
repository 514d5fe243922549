/** The light workload for benches without a broker: its topology with another batch size or key, and readings of its schema. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import avsc from 'avsc';
import { confluentPrefix } from '../src/codecs/wire.ts';
import type { Feed } from './ends.ts';

const FOLDER = 'bench/workloads/light';
const DEVICES = 1_000;

export interface LightVariant {
  /** Rows a model run at most, in place of the default. */
  readonly maxBatch?: number;
  /** `input`: the key of the input, as in the workload; `template`: made from the same field of the event. */
  readonly key?: 'input' | 'template';
}

export function lightTopology({ maxBatch, key = 'input' }: LightVariant): string {
  let text = readFileSync(join(FOLDER, 'topology.yaml'), 'utf8');
  if (maxBatch !== undefined) text = text.replace(/^flow:$/m, `flow:\n  maxBatch: ${maxBatch}`);
  if (key === 'template') text = text.replace(/^( *)fields: /m, '$1key: "{device}"\n$1fields: ');
  // The copy lies in another folder.
  return text.replaceAll(/models\/light|[\w-]+\.avsc/g, (file) => join(process.cwd(), FOLDER, file));
}

/** Keys and values as an upstream producer makes them. */
export function lightFeed(records: number, schemaId: number): Feed {
  const schema = JSON.parse(readFileSync(join(FOLDER, 'sensor-reading.avsc'), 'utf8'));
  const type = avsc.Type.forSchema(schema);
  const numbers = (schema.fields as readonly { readonly name: string }[]).slice(2).map(({ name }) => name);
  const prefix = confluentPrefix(schemaId);
  const keys: Buffer[] = [];
  const values: Buffer[] = [];
  for (let i = 0; i < records; i++) {
    // Scattered, and the same in every run.
    const device = `device-${String(Math.imul(i, 0x9e3779b1) >>> 0)
      .padStart(10, '0')
      .slice(-6, -3)}${i % DEVICES}`;
    const reading: Record<string, unknown> = { device, at: 1_760_000_000_000 + i * 250 };
    for (const [k, name] of numbers.entries()) reading[name] = Math.sin(i * (k + 1)) * 10;
    keys.push(Buffer.from(device));
    values.push(Buffer.concat([prefix, type.toBuffer(reading)]));
  }
  return { keys, values };
}
