/** The workloads by name. Sizes are such that the fastest contestant takes some seconds. */
export type Codec = 'light' | 'avro' | 'json' | 'enriched';

export interface Workload {
  readonly name: string;
  readonly what: string;
  readonly topology: string;
  /** A Bigtable table of features, with its keys. */
  readonly features?: { readonly table: string; readonly keys: number };
  readonly model: string;
  readonly input: string;
  readonly output: string;
  /** Floats of one row. */
  readonly width: number;
  /** Row's shape, where it is not [width]. */
  readonly shape?: readonly number[];
  readonly codec: Codec;
  /** Of the generator's distinct records, which are repeated. */
  readonly pool: number;
  readonly records: number;
  /** Of `--quick`. */
  readonly quickRecords: number;
  /** Intended records a second of paced mode. */
  readonly rate: number;
  readonly arrivals: 'steady' | 'burst';
  /** Share of the records that go to partition 0, beside its even share. */
  readonly skew: number;
  /**
   * Rows a model run, for the peers that batch. Tried for `light` only, with `--batch`: 1,024 and 2,048 are the best of 256 to 4,096 for
   * Java, Python and kafkajs alike, and no further apart than rounds are. The others' are estimates.
   */
  readonly batch: number;
}

const vectors = (name: string) => `bench/workloads/vectors/models/${name}/1/model.onnx`;

const light: Workload = {
  name: 'light',
  what: 'Avro 116 B → MLP 16-32-1',
  topology: 'bench/workloads/light/topology.yaml',
  model: 'bench/workloads/light/models/light/1/model.onnx',
  input: 'features',
  output: 'score',
  width: 16,
  codec: 'light',
  pool: 50_000,
  records: 12_000_000,
  quickRecords: 1_000_000,
  rate: 20_000,
  arrivals: 'steady',
  skew: 0,
  batch: 2_048,
};

const ffnn: Workload = {
  ...light,
  name: 'ffnn-avro',
  what: 'Avro 3 KB of floats → FFNN 784-32-32-32-32-10',
  topology: 'bench/workloads/vectors/ffnn-avro.yaml',
  model: vectors('ffnn'),
  input: 'input',
  output: 'probabilities',
  width: 784,
  codec: 'avro',
  pool: 2_000,
  records: 2_500_000,
  quickRecords: 100_000,
  rate: 3_000,
  batch: 256,
};

const ALL: readonly Workload[] = [
  light,
  ffnn,
  {
    ...ffnn,
    name: 'ffnn-json',
    what: 'JSON 7 KB of floats → FFNN 784-32-32-32-32-10',
    topology: 'bench/workloads/vectors/ffnn-json.yaml',
    codec: 'json',
    records: 300_000,
    quickRecords: 40_000,
    rate: 1_500,
  },
  {
    ...ffnn,
    name: 'trees',
    what: 'Avro of 27 floats → gradient-boosted trees',
    topology: 'bench/workloads/vectors/trees.yaml',
    model: vectors('trees'),
    input: 'features',
    width: 27,
    pool: 20_000,
    records: 1_500_000,
    quickRecords: 300_000,
    rate: 10_000,
  },
  {
    ...ffnn,
    name: 'heavy',
    what: 'Avro 8 KB of floats → 1-D CNN, 0.15 ms a row',
    topology: 'bench/workloads/vectors/heavy.yaml',
    model: vectors('cnn'),
    width: 2_048,
    shape: [4, 512],
    pool: 500,
    records: 60_000,
    quickRecords: 20_000,
    rate: 1_000,
    batch: 32,
  },
  {
    ...light,
    name: 'enriched',
    what: 'light, 12 of 16 numbers from the store: 3 views, 100,000 keys, Zipf 0.99, cached',
    topology: 'bench/workloads/enriched/topology.yaml',
    model: 'bench/workloads/enriched/models/enriched/1/model.onnx',
    features: { table: 'bench_devices', keys: 100_000 },
    codec: 'enriched',
    pool: 400_000,
    records: 4_000_000,
    quickRecords: 1_000_000,
  },
  { ...light, name: 'burst', what: 'light; ten times the rate for a tenth of each second', arrivals: 'burst' },
  { ...light, name: 'skew', what: 'light; 80 % of the records in one of four partitions', skew: 0.8 },
];

export const WORKLOADS: ReadonlyMap<string, Workload> = new Map(ALL.map((workload) => [workload.name, workload]));
