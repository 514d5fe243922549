import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';

const HEAD_BYTES = 64;

/**
 * Why ONNX Runtime cannot load a file, in terms of whoever exported it. Native messages name places in its own source (cause) → the
 * actual problem comes at the end of three lines of C++ (effect) → known messages are rephrased, others stripped of those places (guard).
 */
export function loadProblem(file: string, native: string): string {
  const kind = otherKind(file);
  if (kind !== undefined) return kind;
  const opset = /Opset (\d+) is under development.*support for domain (\S+) is till opset (\d+)/s.exec(native);
  if (opset !== null)
    return `it has opset ${opset[1]} of ${opset[2]}, and this ONNX Runtime reads them to ${opset[3]}: export it with target opset ${opset[3]} or lower`;
  const ir = /Unsupported model IR version: (\d+), max supported IR version: (\d+)/.exec(native);
  if (ir !== null)
    return `it has IR version ${ir[1]}, and this ONNX Runtime reads them to ${ir[2]}: export it with an older version of the onnx package, or set ir_version`;
  const external = /External data path does not exist: "([^"]+)"/.exec(native);
  if (external !== null)
    return `its weights are in a file of their own, ${basename(external[1])}: put that beside it, into ${dirname(file)}`;
  if (/Protobuf parsing failed/.test(native)) return 'it is no ONNX, or was cut off (Protobuf parsing failed)';
  return native
    .trim()
    .replace(/^Load model from .*? failed:\s*/s, '')
    .replace(/\S*onnxruntime\/core\/\S+?:\d+ .*?\)(?: const)? (?=[A-Z[])/s, '')
    .trim();
}

/** What the file is, where its first bytes show that it is no model. */
function otherKind(file: string): string | undefined {
  const head = Buffer.alloc(HEAD_BYTES);
  let read = 0;
  try {
    const opened = openSync(file, 'r');
    try {
      read = readSync(opened, head, 0, HEAD_BYTES, 0);
    } finally {
      closeSync(opened);
    }
  } catch {
    return undefined; // The native message says what is wrong with reading it.
  }
  if (read === 0) return 'it is empty';
  const text = head.toString('latin1', 0, read);
  if (text.startsWith('version https://git-lfs'))
    return 'it is a pointer of Git LFS, not the model: fetch it with git lfs pull';
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return 'it is a web page, not a model: download the file itself';
  if (text.startsWith('PK')) return 'it is a zip archive, as PyTorch saves weights: export the model to ONNX';
  if (text.startsWith('\x80') && head[1] >= 2 && head[1] <= 5)
    return 'it is a pickle of Python: export the model to ONNX';
  if (text.startsWith('\x89HDF')) return 'it is HDF5, as Keras saves models: export the model to ONNX';
  return undefined;
}
