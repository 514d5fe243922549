import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { carriesText, onnxFacts } from '../../../../src/adapters/onnx/onnx-facts.ts';
import type { Diagnosis } from '../../../../src/commands/doctor/finding.ts';
import { checkOnnx } from '../../../../src/commands/doctor/onnx.ts';
import { CUDA_13, elfBytes, put } from '../../../fixtures/elf.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-doctor-onnx-'));
after(() => rmSync(folder, { recursive: true }));
let machines = 0;

/** A machine with a driver and a number of GPUs; `libraries` are where the loader looks. */
function machine({ libraries = [] as readonly string[], gpus = 1, driver = '580.65.06', version = '1.30.0' } = {}) {
  const root = join(folder, `machine-${machines++}`);
  const binding = join(root, 'binding');
  const told = join(root, 'told');
  const provider = Buffer.concat([elfBytes(CUDA_13), Buffer.from(`\0${version}\0`)]);
  for (const name of ['shared', 'cuda']) put(join(binding, `libonnxruntime_providers_${name}.so`), provider);
  for (const name of libraries) put(join(told, name));
  for (let n = 0; n < gpus; n++) put(join(root, `dev/nvidia${n}`));
  put(join(root, 'dev/nvidiactl'));
  if (driver !== '') put(join(root, 'proc/driver/nvidia/version'), `NVRM version: x  Kernel Module  ${driver}  Sat`);
  const world = {
    root,
    loadPath: [told],
    pythonPrefixes: [],
    tryLoad: (name: string) => (existsSync(name) && dirname(name) === told ? undefined : `${name}: cannot open`),
  };
  return { facts: () => onnxFacts(world, binding), binding, told };
}

const ALL = [...CUDA_13, 'libcudnn.so.9', 'libcufft.so.12'];
const of = (found: readonly Diagnosis[], status: Diagnosis['status']): string[] =>
  found.filter((each) => each.status === status).map(({ what }) => what);

test('a machine with all libraries, a driver and a GPU has nothing to do', () => {
  const { facts } = machine({ libraries: ALL });
  const found = checkOnnx(facts(), { device: 'cuda', deviceIds: [0] });
  assert.ok(
    found.every(({ status }) => status === 'ok'),
    JSON.stringify(found),
  );
  for (const name of ALL) assert.equal(found.filter(({ what }) => what.startsWith(`${name} /`)).length, 1, name);
});

for (const missing of CUDA_13) {
  test(`without ${missing}: a problem with device: cuda, a note without`, () => {
    const { facts } = machine({ libraries: ALL.filter((name) => name !== missing) });
    const [wanted, ...others] = checkOnnx(facts(), { device: 'cuda' }).filter(({ status }) => status !== 'ok');
    assert.deepEqual([wanted.status, wanted.check, wanted.what], ['problem', 'cuda', `${missing} is missing`]);
    assert.match(wanted.remedy ?? '', /install/);
    assert.deepEqual(others, []);
    for (const device of ['auto', 'cpu'] as const)
      assert.deepEqual(of(checkOnnx(facts(), { device }), 'note'), [`${missing} is missing`]);
    assert.deepEqual(of(checkOnnx(facts(), undefined), 'problem'), []);
  });
}

test('what only some operators need is a warning that says which', () => {
  const { facts } = machine({ libraries: CUDA_13 });
  const found = checkOnnx(facts(), { device: 'cuda' }).filter(({ status }) => status === 'warning');
  assert.deepEqual(
    found.map(({ what }) => what),
    ['libcudnn.so.9 is missing', 'libcufft.so.12 is missing'],
  );
  assert.match(found[0].remedy ?? '', /nvidia-cudnn-cu13\); convolutions and recurrent layers need it, other models/);
});

test('the provider’s libraries of another version are warned of', () => {
  const { facts } = machine({ libraries: ALL, version: '1.29.0' });
  const [found] = of(checkOnnx(facts(), { device: 'cuda' }), 'warning');
  assert.match(found, /does not look like one of ONNX Runtime 1\.30\.0/);
});

test('no provider libraries, an old driver, no driver, too few GPUs: a problem each, by its name', () => {
  const bare = machine({ libraries: ALL });
  rmSync(join(bare.binding, 'libonnxruntime_providers_cuda.so'));
  assert.match(
    of(checkOnnx(bare.facts(), { device: 'cuda' }), 'problem')[0],
    /^libonnxruntime_providers_cuda\.so is not/,
  );
  const old = machine({ libraries: ALL, driver: '535.1.1' });
  assert.match(
    of(checkOnnx(old.facts(), { device: 'cuda' }), 'problem')[0],
    /driver is 535\.1\.1, and CUDA 13 needs 580/,
  );
  const none = machine({ libraries: ALL, driver: '', gpus: 0 });
  assert.deepEqual(of(checkOnnx(none.facts(), { device: 'cuda' }), 'problem'), ['no driver of NVIDIA is loaded']);
  const two = machine({ libraries: ALL, gpus: 2 });
  const asked = checkOnnx(two.facts(), { device: 'cuda', deviceIds: [0, 1, 2] });
  assert.deepEqual(of(asked, 'problem'), ['GPU 2 is asked for, and there are 2']);
});

test('TensorRT is looked at where it is asked for', () => {
  const { facts } = machine({ libraries: ALL });
  const asked = checkOnnx(facts(), { device: 'tensorrt' });
  assert.match(of(asked, 'problem')[0], /^libonnxruntime_providers_tensorrt\.so is not beside the binding/);
});

test('WebGPU is looked at where it is asked for', () => {
  assert.match(of(checkOnnx(machine().facts(), { device: 'webgpu' }), 'problem')[0], /^libvulkan\.so\.1 does not load/);
  const { facts } = machine({ libraries: ['libvulkan.so.1'] });
  assert.deepEqual(of(checkOnnx(facts(), { device: 'webgpu' }), 'problem'), []);
});

test('a text is found wherever it lies in a file, and no part of another one for it', () => {
  const file = join(folder, 'large');
  const four = 4 * 1024 * 1024;
  for (const at of [0, 100, four - 8, four - 4, four - 1, four, 2 * four - 3]) {
    const bytes = Buffer.alloc(2 * four + 64, 65);
    bytes.write('\x001.30.0\0', at, 'latin1');
    put(file, bytes);
    assert.equal(carriesText(file, '1.30.0'), true, String(at));
    assert.equal(carriesText(file, '1.30'), false);
  }
});
