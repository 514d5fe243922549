import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOutOfMemory } from '../../../../src/adapters/onnx/memory-error.ts';

const SHORT_OF_MEMORY = [
  'std::bad_alloc',
  'Non-zero status code returned while running Conv node. Status Message: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 939524096',
  'Non-zero status code returned while running ReduceSum node. Available memory of 1048576 is smaller than requested bytes of 4194304',
  'CUDA failure 2: out of memory ; GPU=0 ; hostname=x',
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0',
  'CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0',
  'cudaErrorMemoryAllocation',
  'Array buffer allocation failed',
];

const OTHERS = [
  'CUDA failure 700: an illegal memory access was encountered',
  'CUDA failure 999: unknown error',
  'CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED',
  'Got invalid dimensions for input: x',
  'indices element out of data bounds, idx=7 must be within the inclusive range [-1,0]',
];

test('what says that memory was short is told from what says something else', () => {
  for (const text of SHORT_OF_MEMORY) assert.ok(isOutOfMemory(text), text);
  for (const text of OTHERS) assert.ok(!isOutOfMemory(text), text);
});
