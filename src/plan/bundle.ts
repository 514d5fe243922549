import type { Transforms } from '../features/transforms.ts';

/** A bundle folder, parsed and verified: complete and frozen. Made only by src/bundle. Expressions are still text. */
export interface Bundle {
  readonly name: string;
  readonly version: string;
  /** The folder, MODELS/NAME/VERSION. */
  readonly folder: string;
  /** Its bundle.yaml, which findings point at. */
  readonly file: string;
  /** Absolute path of the ONNX file. */
  readonly modelFile: string;
  /** Hex sha256 over the sorted (file, sha256) of the folder. */
  readonly digest: string;
  /** Every file that the model may be read from, with its hex sha256 at the time of the digest. */
  readonly modelFiles: readonly FileDigest[];
  /** NAME@VERSION#first 12 hex of the digest, as in the `sluice-model` header. */
  readonly label: string;
  /** Named intermediate values, in order: name → expression. */
  readonly let: readonly NamedExpression[];
  readonly inputs: readonly BundleInput[];
  /** Named outputs for the topology, in order. */
  readonly prediction: readonly NamedExpression[];
  /** Exports of the bundle's files that expressions name with `use`. */
  readonly transforms: Transforms;
  /** Absolute path of the golden records, if the bundle has them. */
  readonly goldenFile: string | undefined;
}

export interface FileDigest {
  /** Absolute path. */
  readonly file: string;
  readonly sha256: string;
}

export interface NamedExpression {
  readonly name: string;
  readonly expression: string;
  /** Its place in bundle.yaml, 1-based. */
  readonly line: number;
  readonly column: number;
}

export interface BundleInput {
  /** The ONNX input's name. */
  readonly name: string;
  /** Shape of one row, if the file states it; otherwise one axis as wide as the lines. */
  readonly shape: readonly number[] | undefined;
  /** Lines in tensor order. */
  readonly lines: readonly NamedExpression[];
}
