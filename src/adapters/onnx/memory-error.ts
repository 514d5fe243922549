/**
 * How ONNX Runtime, its CPU and arena allocators, CUDA, cuBLAS, cuDNN and V8 say that there is not enough memory for a run.
 * The runtime has no error code for it, so its texts must do. An unrecognised text counts as an ordinary failure of the model.
 */
const TEXTS = [
  /bad_alloc/,
  /bad allocation/,
  /failed to allocate memory/i,
  /out of memory/i,
  /not enough memory/i,
  /memory of \d+ is smaller than requested/i,
  /(?:CUBLAS|CUDNN|CUSPARSE|CUFFT)\w*_ALLOC(?:ATION)?_FAILED/,
  /cudaErrorMemoryAllocation|CUDA failure 2\b|E_OUTOFMEMORY/,
  /array buffer allocation failed/i,
];

export function isOutOfMemory(text: string): boolean {
  return TEXTS.some((each) => each.test(text));
}
