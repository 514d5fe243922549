import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runtimeVersion } from './binding.ts';
import { readDynamicSection } from './elf.ts';
import { createLibrarySearch, type LibraryFound, type LibraryWorld, namesIn } from './library-search.ts';

/** What a provider of NVIDIA's devices needs, and what of it is there. */
export interface CudaReport {
  readonly device: 'cuda' | 'tensorrt';
  readonly version: string;
  /** Where its library must be. */
  readonly provider: string;
  /** The provider's own libraries that are not in the folder of the binding. */
  readonly absent: readonly string[];
  /** The provider's library is not of a kind that can be read here. */
  readonly unreadable: boolean;
  /** CUDA's major version, as the provider's library names it; undefined without one. */
  readonly cudaMajor: number | undefined;
  /** Without these the provider does not load. */
  readonly needed: readonly LibraryFound[];
  /** These it loads when an operator needs them. */
  readonly later: readonly (LibraryFound & { readonly purpose: string })[];
  /** The version of the driver; undefined where there is none, or it does not say. */
  readonly driver: string | undefined;
  /** Device files of GPUs. */
  readonly gpus: readonly string[];
}

/** Of each CUDA: the oldest driver that it runs on, and the libraries that operators load later. Source: NVIDIA's release notes. */
const CUDA: Readonly<Record<number, { readonly driver: number; readonly cudnn: number; readonly cufft: number }>> = {
  12: { driver: 525, cudnn: 9, cufft: 11 },
  13: { driver: 580, cudnn: 9, cufft: 12 },
};
/** Those of every Linux; that they are there is shown by this program. */
const BASE = /^(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)|ld-linux-x86-64)\.so/;
const DRIVER = 'libcuda.so.1';

export function examineCuda(device: 'cuda' | 'tensorrt', world: LibraryWorld, binding: string): CudaReport {
  const own = [...new Set(['shared', 'cuda', device])].map((name) => `libonnxruntime_providers_${name}.so`);
  const absent = own.filter((name) => !existsSync(join(binding, name)));
  const provider = join(binding, `libonnxruntime_providers_${device}.so`);
  const find = createLibrarySearch(world);
  const section = existsSync(provider) ? readDynamicSection(provider) : undefined;
  const names = (section?.needed ?? []).filter((name) => !BASE.test(name));
  const major = /libcudart\.so\.(\d+)/.exec(names.join(' '))?.[1];
  const cudaMajor = major === undefined ? undefined : Number(major);
  const { cudnn, cufft } = CUDA[cudaMajor ?? 0] ?? {};
  const later = (
    [
      [`libcudnn.so.${cudnn}`, 'convolutions and recurrent layers'],
      [`libcufft.so.${cufft}`, 'Fourier transforms'],
    ] as const
  ).filter(([name]) => cudnn !== undefined && !names.includes(name));
  return {
    device,
    version: runtimeVersion(),
    provider,
    absent,
    unreadable: existsSync(provider) && section === undefined,
    cudaMajor,
    needed: names.map((name) => find(name, provider)),
    later: later.map(([name, purpose]) => ({ ...find(name, provider), purpose })),
    driver: driverVersion(world.root),
    gpus: namesIn(join(world.root, 'dev')).filter((name) => /^nvidia\d+$/.test(name)),
  };
}

/** What keeps a provider from loading, with the remedy; undefined where nothing is known to. */
export function problemOf(report: CudaReport): string | undefined {
  const { absent, unreadable, version, provider, needed } = report;
  const folder = dirname(provider);
  if (absent.length > 0) {
    return `${absent.join(', ')} ${absent.length > 1 ? 'are' : 'is'} not in ${folder}; ${howToGetProvider(report)}`;
  }
  if (unreadable) return `${provider} is no library for Linux on x64; put the one of ONNX Runtime ${version} there`;
  const bad = needed.filter(({ state }) => state !== 'loads');
  if (bad.length === 0) return driverProblem(report);
  const missing = bad.filter(({ state }) => state === 'missing');
  const problems = bad.map((found) => problemWith(found, report));
  if (missing.length > 0) problems.push(`looked in ${missing[0].searched.join(', ')}`);
  return problems.join('; ');
}

/** What is wrong with one library, and what to do about it. */
export function problemWith(found: LibraryFound, { cudaMajor, device }: CudaReport): string {
  const { name, state, file = '', other, why = '' } = found;
  if (state === 'off-path') {
    return `${name} is in ${dirname(file)}, which the loader does not search: start with LD_LIBRARY_PATH=${dirname(file)} (folders are separated by colons)`;
  }
  if (state === 'broken') return `${file} does not load: ${why}`;
  if (name === DRIVER) {
    return `${name} is missing: it comes with NVIDIA's driver; install it, or give the container the GPU (docker run --gpus all)`;
  }
  const have = other === undefined ? '' : ` (${other} is another version)`;
  return `${name} is missing${have}: install ${packageOf(name, cudaMajor, device)}`;
}

export function howToGetProvider({ device, version }: CudaReport): string {
  const names = device === 'cuda' ? 'shared and cuda' : 'shared, cuda and tensorrt';
  return `copy those of ONNX Runtime ${version} there (libonnxruntime_providers_*.so: ${names}); the Python package onnxruntime-gpu==${version} has them in onnxruntime/capi`;
}

export function driverProblem({ cudaMajor, driver }: CudaReport): string | undefined {
  const least = CUDA[cudaMajor ?? 0]?.driver;
  if (least === undefined || driver === undefined || Number.parseInt(driver, 10) >= least) return undefined;
  return `the driver is ${driver}, and CUDA ${cudaMajor} needs ${least} or newer: update the driver, or take provider libraries of an older CUDA`;
}

/** What ONNX Runtime or CUDA say when everything was there and it failed all the same, in words that help. */
export function adviceOn(said: string, report: CudaReport | undefined): string {
  const advice: string[] = [];
  if (/CUDA failure (35|100)\b|no CUDA-capable device|driver version is insufficient/i.test(said)) {
    advice.push('there is no GPU, or its driver is too old: nvidia-smi shows both');
  }
  if (/CUDA failure 101\b|invalid device ordinal|Invalid device ID/i.test(said)) {
    advice.push('there is no GPU of that number: nvidia-smi -L lists them, and CUDA_VISIBLE_DEVICES hides some');
  }
  if (/WebGPU adapter|libvulkan/i.test(said)) {
    advice.push(
      'WebGPU needs Vulkan here: libvulkan.so.1, and a driver of the GPU for it (vulkaninfo --summary lists them)',
    );
  }
  for (const found of report?.later ?? []) {
    if (found.state !== 'loads') advice.push(`${problemWith(found, report!)} (${found.purpose} need it)`);
  }
  return advice.length === 0 ? said : `${said}; ${advice.join('; ')}`;
}

const PACKAGES: readonly (readonly [RegExp, (cuda: string) => string])[] = [
  [/^libcudnn/, (cuda) => `cuDNN for CUDA ${cuda} (Python package nvidia-cudnn-cu${cuda})`],
  [/^libcublas/, (cuda) => `cuBLAS of CUDA ${cuda} (Python package nvidia-cublas${suffix(cuda)})`],
  [/^libcudart/, (cuda) => `the CUDA ${cuda} runtime (Python package nvidia-cuda-runtime${suffix(cuda)})`],
  [/^libcufft/, (cuda) => `cuFFT of CUDA ${cuda} (Python package nvidia-cufft${suffix(cuda)})`],
  [/^libcurand/, (cuda) => `cuRAND of CUDA ${cuda} (Python package nvidia-curand${suffix(cuda)})`],
  [/^libnv(infer|onnxparser)/, (cuda) => `TensorRT 10 (Python package tensorrt-cu${cuda})`],
];

function packageOf(name: string, cudaMajor: number | undefined, device: string): string {
  const known = PACKAGES.find(([pattern]) => pattern.test(name));
  return known?.[1](String(cudaMajor ?? '')) ?? `it (${device} needs it)`;
}

/** NVIDIA's Python packages name their CUDA up to 12, and no longer from 13 on. */
function suffix(cuda: string): string {
  return Number(cuda) >= 13 ? '' : `-cu${cuda}`;
}

function driverVersion(root: string): string | undefined {
  const file = join(root, 'proc/driver/nvidia/version');
  if (!existsSync(file)) return undefined;
  return /Kernel Module\D*\s(\d+\.\d+[.\d]*)/.exec(readFileSync(file, 'utf8'))?.[1];
}
