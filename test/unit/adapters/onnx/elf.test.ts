import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { bindingFolder } from '../../../../src/adapters/onnx/binding.ts';
import { readDynamicSection } from '../../../../src/adapters/onnx/elf.ts';
import { CUDA_13, elfBytes, put } from '../../../fixtures/elf.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-elf-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'lib.so');

test('a library says what it needs, in its order, and where to look for it', () => {
  put(file, elfBytes([...CUDA_13, 'libc.so.6'], '$ORIGIN/../lib:/opt/lib'));
  assert.deepEqual(readDynamicSection(file), {
    needed: [...CUDA_13, 'libc.so.6'],
    runPath: ['$ORIGIN/../lib', '/opt/lib'],
  });
});

test('the library of ONNX Runtime that is installed here can be read', { skip: process.platform !== 'linux' }, () => {
  const found = readDynamicSection(join(bindingFolder(), 'libonnxruntime.so.1'));
  assert.ok(found?.needed.includes('libc.so.6'));
  assert.deepEqual(found?.runPath, ['$ORIGIN']);
});

test('what is no library, or is cut off anywhere, is said to be none', () => {
  const whole = elfBytes(CUDA_13);
  for (let bytes = 0; bytes < whole.length - 1; bytes++) {
    put(file, whole.subarray(0, bytes));
    assert.equal(readDynamicSection(file), undefined, `${bytes} bytes`);
  }
  put(file, 'version https://git-lfs.example/spec\n'.repeat(10));
  assert.equal(readDynamicSection(file), undefined);
});

test('whatever stands in a header, reading it ends', () => {
  const whole = elfBytes(CUDA_13);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      put(file, bytes);
      const found = readDynamicSection(file);
      assert.ok(found === undefined || found.needed.length <= 16);
    }),
    { numRuns: 300 },
  );
});
