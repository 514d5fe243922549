import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { adviceOn, examineCuda, problemOf } from '../../../../src/adapters/onnx/cuda.ts';
import { createLibrarySearch, libraryHints, thisMachine } from '../../../../src/adapters/onnx/library-search.ts';
import { labelOf, onDevice, providersFor } from '../../../../src/adapters/onnx/providers.ts';
import { CUDA_13, elfBytes, put } from '../../../fixtures/elf.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-cuda-'));
after(() => rmSync(folder, { recursive: true }));
let machines = 0;

/** A machine of folders: its loader finds what lies in `loadPath` and in the folders of the system, whole or not. */
function machine({ needed = CUDA_13, device = 'cuda' as 'cuda' | 'tensorrt', provider = true } = {}) {
  const root = join(folder, `machine-${machines++}`);
  const binding = join(root, 'binding');
  const loadPath = [join(root, 'told')];
  const broken = new Set<string>();
  if (provider) {
    for (const name of ['shared', 'cuda', device])
      put(join(binding, `libonnxruntime_providers_${name}.so`), elfBytes(needed));
  }
  const told = (file: string): boolean => loadPath.includes(dirname(file)) || /machine-\d+\/(usr\/)?lib/.test(file);
  const world = {
    root,
    loadPath,
    pythonPrefixes: [join(root, 'venv')],
    tryLoad: (name: string) => {
      if (broken.has(name)) return `${name}: undefined symbol: nowhere`;
      return existsSync(name) && told(name) ? undefined : `${name}: cannot open shared object file`;
    },
  };
  return {
    root,
    binding,
    world,
    broken,
    tell: (...names: readonly string[]) => names.map((name) => put(join(root, 'told', name))),
    examine: () => examineCuda(device, world, binding),
    problem: () => problemOf(examineCuda(device, world, binding)),
  };
}

test('with every library in its place there is no problem', () => {
  const { tell, examine } = machine();
  tell(...CUDA_13, 'libcudnn.so.9', 'libcufft.so.12');
  const report = examine();
  assert.equal(problemOf(report), undefined);
  assert.equal(report.cudaMajor, 13);
  assert.deepEqual(
    [...report.needed, ...report.later].map(({ name, state }) => [name, state]),
    [...CUDA_13, 'libcudnn.so.9', 'libcufft.so.12'].map((name) => [name, 'loads']),
  );
});

for (const missing of CUDA_13) {
  test(`without ${missing} exactly that is said to be missing, where was looked, and what to install`, () => {
    const { tell, problem, root } = machine();
    tell(...CUDA_13.filter((name) => name !== missing));
    const said = problem() ?? '';
    assert.ok(said.startsWith(`${missing} is missing: `), said);
    for (const other of CUDA_13) assert.equal(said.includes(`${other} `), other === missing, other);
    assert.match(said, missing === 'libcuda.so.1' ? /NVIDIA's driver.*--gpus all/ : /install .*CUDA 13/);
    assert.ok(said.includes(`looked in ${join(root, 'told')}, `), said);
  });
}

test('the provider’s own libraries must lie beside the binding: which do not, and where they are to be had', () => {
  const { problem, binding, tell } = machine({ provider: false });
  tell(...CUDA_13);
  put(join(binding, 'libonnxruntime_providers_shared.so'), elfBytes([]));
  assert.equal(
    problem(),
    `libonnxruntime_providers_cuda.so is not in ${binding}; copy those of ONNX Runtime 1.30.0 there (libonnxruntime_providers_*.so: shared and cuda); the Python package onnxruntime-gpu==1.30.0 has them in onnxruntime/capi`,
  );
});

test('a provider’s library that is no library is said to be none', () => {
  const { problem, binding } = machine();
  put(join(binding, 'libonnxruntime_providers_cuda.so'), 'a pointer to a large file');
  assert.match(problem() ?? '', /is no library for Linux on x64; put the one of ONNX Runtime 1\.30\.0 there/);
});

for (const [where, path] of [
  ['a Python package', 'venv/lib/python3.12/site-packages/nvidia/cu13/lib'],
  ['a package of the system’s Python', 'usr/lib/python3/dist-packages/nvidia/cuda_runtime/lib'],
  ['CUDA’s own folder', 'usr/local/cuda-13.0/lib64'],
] as const) {
  test(`a library in ${where}, of which the loader is not told, is named with the path to tell`, () => {
    const { problem, tell, root } = machine();
    tell(...CUDA_13.filter((name) => name !== 'libcudart.so.13'));
    const file = put(join(root, path, 'libcudart.so.13'));
    assert.equal(
      problem(),
      `libcudart.so.13 is in ${dirname(file)}, which the loader does not search: start with LD_LIBRARY_PATH=${dirname(file)} (folders are separated by colons)`,
    );
  });
}

test('libraries of another CUDA are told from none', () => {
  const { problem, tell, root } = machine();
  tell(...CUDA_13.filter((name) => !name.startsWith('libcublas.')), 'libcublas.so.12');
  assert.match(
    problem() ?? '',
    new RegExp(
      `^libcublas.so.13 is missing \\(${join(root, 'told', 'libcublas.so.12')} is another version\\): install`,
    ),
  );
});

test('a library that is there and does not load is named with what the loader says', () => {
  const { problem, tell, broken } = machine();
  const files = tell(...CUDA_13);
  broken.add(files[0]);
  assert.equal(problem(), `${files[0]} does not load: ${files[0]}: undefined symbol: nowhere`);
});

test('what the provider needs is read from itself: a build for CUDA 12 asks for CUDA 12', () => {
  const needed = ['libcudart.so.12', 'libcuda.so.1', 'libc.so.6', 'libstdc++.so.6'];
  const { tell, examine } = machine({ needed });
  tell('libcuda.so.1');
  const report = examine();
  assert.equal(report.cudaMajor, 12);
  assert.match(problemOf(report) ?? '', /^libcudart\.so\.12 is missing: install .*nvidia-cuda-runtime-cu12/);
  assert.deepEqual(
    report.later.map(({ name, state }) => [name, state]),
    [
      ['libcudnn.so.9', 'missing'],
      ['libcufft.so.11', 'missing'],
    ],
    'which only some operators need',
  );
});

test('TensorRT asks for its own libraries too', () => {
  const { tell, problem } = machine({ device: 'tensorrt', needed: [...CUDA_13, 'libnvinfer.so.10', 'libcudnn.so.9'] });
  tell(...CUDA_13, 'libcudnn.so.9');
  assert.match(problem() ?? '', /^libnvinfer\.so\.10 is missing: install TensorRT 10 /);
});

test('a driver that is too old for the CUDA of the provider is a problem, one that is new enough is none', () => {
  const { tell, problem, root } = machine();
  tell(...CUDA_13);
  const version = (number: string): string =>
    put(
      join(root, 'proc/driver/nvidia/version'),
      `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${number}  Sat Jan 1 00:00:00 UTC 2022\nGCC version: gcc 12.2.0\n`,
    );
  version('550.54.15');
  assert.match(problem() ?? '', /^the driver is 550\.54\.15, and CUDA 13 needs 580 or newer/);
  version('580.65.06');
  assert.equal(problem(), undefined);
});

test('what fails all the same is explained as far as it is known', () => {
  const { tell, examine } = machine();
  tell(...CUDA_13, 'libcufft.so.12');
  const report = examine();
  assert.match(adviceOn('CUDA failure 35: …', report), /there is no GPU, or its driver is too old: nvidia-smi/);
  assert.match(adviceOn('Invalid device ID: 3', undefined), /there is no GPU of that number: nvidia-smi -L/);
  assert.match(adviceOn('CUDNN_FE failure', report), /libcudnn\.so\.9 is missing: .*convolutions and recurrent layers/);
  assert.match(adviceOn('Failed to get a WebGPU adapter', undefined), /needs Vulkan here: libvulkan\.so\.1/);
  assert.equal(adviceOn('another thing', undefined), 'another thing');
});

test('auto passes over CUDA where it cannot load, and says whether it was meant to', () => {
  const { world, binding } = machine();
  const [cuda, cpu] = providersFor('auto', world, binding);
  assert.deepEqual([cuda.device, cuda.available, cuda.meant], ['cuda', false, true]);
  assert.match(cuda.why, /libcudart\.so\.13 is missing/);
  assert.deepEqual([cpu.device, cpu.available], ['cpu', true]);
  const bare = machine({ provider: false });
  assert.equal(providersFor('auto', bare.world, bare.binding)[0].meant, false);
});

test('a device has a number, and a load for it goes to the same again', () => {
  assert.deepEqual(
    [labelOf('cuda'), labelOf('cuda', [1, 0]), labelOf('tensorrt', [2]), labelOf('cpu'), labelOf('webgpu')],
    ['cuda:0', 'cuda:1', 'tensorrt:2', 'cpu', 'webgpu'],
  );
  const load = { file: 'm', device: 'auto', feeds: [], fetches: [], deviceIds: [0, 1] } as const;
  assert.deepEqual(onDevice(load, 'cuda:1'), { file: 'm', device: 'cuda', feeds: [], fetches: [], deviceIds: [1] });
  assert.deepEqual(onDevice(load, 'cpu'), { file: 'm', device: 'cpu', feeds: [], fetches: [] });
});

test('the system’s loader is believed: what it loads is not missing', { skip: process.platform !== 'linux' }, () => {
  const find = createLibrarySearch(thisMachine());
  assert.equal(find('libc.so.6').state, 'loads');
  const nowhere = find('libsluice-nowhere.so.1');
  assert.equal(nowhere.state, 'missing');
  assert.match(nowhere.why ?? '', /cannot open shared object file/);
});

test('hints come from the environment that is given', () => {
  assert.deepEqual(libraryHints({ LD_LIBRARY_PATH: '/a:/b:', VIRTUAL_ENV: '/v', HOME: '/home/me' }), {
    loadPath: ['/a', '/b'],
    pythonPrefixes: ['/v', '/home/me/.local'],
  });
  assert.deepEqual(libraryHints({}), { loadPath: [], pythonPrefixes: [] });
});
