/** The typed array that holds a tensor, by dtype: those that a bundle may feed to a model. */
export const TENSOR_ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;
