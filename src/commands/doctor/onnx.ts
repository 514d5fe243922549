import { type CudaReport, driverProblem, howToGetProvider, problemWith } from '../../adapters/onnx/cuda.ts';
import type { OnnxFacts } from '../../adapters/onnx/onnx-facts.ts';
import type { ModelSettings } from '../../plan/topology.ts';
import { type Diagnosis, note, ok, problem, warning } from './finding.ts';

type Wanted = Pick<ModelSettings, 'device' | 'deviceIds'>;

/** ONNX Runtime and the libraries for GPUs: if missing, a problem where the topology needs them, otherwise a note. */
export function checkOnnx(facts: OnnxFacts, wanted: Wanted | undefined): Diagnosis[] {
  const inside = facts.builtWith.filter((name) => name !== 'cuda' && name !== 'tensorrt');
  const found: Diagnosis[] = [ok('onnx', `ONNX Runtime ${facts.version} with ${inside.join(', ')}`)];
  const device = wanted?.device;
  found.push(...checkProvider(facts.cuda, device === 'cuda', facts.sameVersion));
  if (device === 'tensorrt') found.push(...checkProvider(facts.tensorrt, true, undefined));
  if (device === 'webgpu') found.push(checkVulkan(facts));
  if (device === 'cuda' || device === 'tensorrt') found.push(...checkNumbers(facts.cuda, wanted?.deviceIds ?? [0]));
  return found;
}

function checkProvider(report: CudaReport, wanted: boolean, sameVersion: boolean | undefined): Diagnosis[] {
  const { device, absent, unreadable, provider, version, cudaMajor, needed, later, driver, gpus } = report;
  const say = wanted ? problem : note;
  const cpu = 'or write device: cpu';
  if (absent.length > 0) {
    const what = `${absent.join(', ')} ${absent.length > 1 ? 'are' : 'is'} not beside the binding (${folderOf(provider)})`;
    const remedy = `${howToGetProvider(report)}${wanted ? `, ${cpu}` : ''}`;
    return [say(device, what, wanted ? remedy : `nothing to do on the CPU; for a GPU ${remedy}`)];
  }
  if (unreadable) {
    const remedy = `put the one of ONNX Runtime ${version} there`;
    return [say(device, `${provider} is no library for Linux on x64`, remedy)];
  }
  const found: Diagnosis[] = [ok(device, `${provider}, for CUDA ${cudaMajor ?? 'of a version that it does not tell'}`)];
  if (sameVersion === false) {
    const what = `${provider} does not look like one of ONNX Runtime ${version}`;
    found.push(warning(device, what, `${howToGetProvider(report)}: another version does not load, or crashes`));
  }
  for (const library of needed) {
    if (library.state === 'loads')
      found.push(ok(device, `${library.name} ${library.file ?? 'is found by the loader'}`));
    else found.push(say(device, ...parted(problemWith(library, report))));
  }
  for (const library of later) {
    if (library.state === 'loads')
      found.push(ok(device, `${library.name} ${library.file ?? 'is found by the loader'}`));
    else {
      const [what, remedy] = parted(problemWith(library, report));
      found.push((wanted ? warning : note)(device, what, `${remedy}; ${library.purpose} need it, other models do not`));
    }
  }
  const old = driverProblem(report);
  if (old !== undefined) found.push(say(device, ...parted(old)));
  else if (driver !== undefined) found.push(ok(device, `driver ${driver}, ${gpus.length} GPUs here`));
  else found.push(say(device, 'no driver of NVIDIA is loaded', "install NVIDIA's driver, or give the container a GPU"));
  return found;
}

/** Loading the model shows whether there is a driver behind it. */
function checkVulkan({ vulkan: { name, state, file = 'is found by the loader', why = '' } }: OnnxFacts): Diagnosis {
  if (state === 'loads') return ok('webgpu', `${name} ${file}`);
  const remedy = 'install libvulkan1 and the Vulkan driver of the GPU, or write device: cpu';
  return problem('webgpu', `${name} does not load: ${why}`, remedy);
}

/** Device numbers are the driver's, from 0; CUDA_VISIBLE_DEVICES may hide some, which shows only when the model is loaded. */
function checkNumbers({ gpus }: CudaReport, deviceIds: readonly number[]): Diagnosis[] {
  if (gpus.length === 0) return [];
  return deviceIds
    .filter((id) => id >= gpus.length)
    .map((id) =>
      problem('cuda', `GPU ${id} is asked for, and there are ${gpus.length}`, 'correct model.deviceIds: nvidia-smi -L'),
    );
}

/** Fault and remedy: the text before and after the first colon or semicolon. */
function parted(text: string): [string, string] {
  const [, what, remedy] = /^(.*?)[:;] (.*)$/s.exec(text) ?? [];
  return [what ?? text, remedy ?? 'see what the loader says: ldd on that file'];
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/'));
}
