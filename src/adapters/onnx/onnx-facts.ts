import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { listSupportedBackends } from 'onnxruntime-node';
import { bindingFolder, runtimeVersion } from './binding.ts';
import { type CudaReport, examineCuda } from './cuda.ts';
import { createLibrarySearch, type LibraryFound, type LibraryWorld } from './library-search.ts';

/** What is known of ONNX Runtime on this machine without a model. */
export interface OnnxFacts {
  readonly version: string;
  /** What the binding says that it was built with; that providers can load it does not say. */
  readonly builtWith: readonly string[];
  readonly cuda: CudaReport;
  readonly tensorrt: CudaReport;
  /** What WebGPU goes through on Linux. */
  readonly vulkan: LibraryFound;
  /** Whether the CUDA provider's library is of the runtime's version; undefined where there is none. */
  readonly sameVersion: boolean | undefined;
}

export function onnxFacts(world: LibraryWorld, binding: string = bindingFolder()): OnnxFacts {
  const cuda = examineCuda('cuda', world, binding);
  const version = runtimeVersion();
  return {
    version,
    builtWith: listSupportedBackends().map(({ name }) => name),
    cuda,
    tensorrt: examineCuda('tensorrt', world, binding),
    vulkan: createLibrarySearch(world)('libvulkan.so.1'),
    sameVersion: existsSync(cuda.provider) && !cuda.unreadable ? carriesText(cuda.provider, version) : undefined,
  };
}

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Whether a text of its own, with a zero before and behind, is in a file of any size: so the version stands in the libraries of ONNX Runtime. */
export function carriesText(file: string, text: string): boolean {
  const wanted = Buffer.from(`\0${text}\0`);
  const chunk = Buffer.alloc(CHUNK_BYTES + wanted.length);
  const fd = openSync(file, 'r');
  try {
    let kept = 0;
    for (;;) {
      const bytes = readSync(fd, chunk, kept, CHUNK_BYTES, null);
      if (bytes === 0) return false;
      const filled = kept + bytes;
      if (chunk.subarray(0, filled).includes(wanted)) return true;
      kept = Math.min(filled, wanted.length - 1);
      chunk.copy(chunk, 0, filled - kept, filled);
    }
  } finally {
    closeSync(fd);
  }
}
