import type { DisplayState } from '../../../../src/commands/display/state.ts';

export function sampleState(changes: Partial<DisplayState> = {}): DisplayState {
  return {
    elapsedMs: 83_000,
    topology: 'flight-delay',
    model: 'flight-delay@1',
    device: 'cpu',
    records: 1_234_567,
    published: 1_234_555,
    deadLettered: { 'feature-missing': 3, 'decode-failed': 9 },
    dropped: 0,
    batches: 5812,
    rows: 1_234_500,
    p50Ms: 12.34,
    p99Ms: 48.2,
    ageP50Ms: 30,
    ageP99Ms: 92,
    lagRecords: 1204,
    lagSeconds: 0.42,
    inflightRecords: 8192,
    maxInflightRecords: 20_000,
    inflightBytes: 12 * 1024 * 1024,
    maxInflightBytes: 64 * 1024 * 1024,
    cacheHits: 982,
    cacheMisses: 18,
    busy: [
      { stage: 'decode', ratio: 0.31 },
      { stage: 'infer', ratio: 0.92 },
      { stage: 'deliver', ratio: 0.02 },
    ],
    bottleneck: 'infer',
    samples: ['DEN→SFO 0.54 high', 'ATL→ORD 0.12 low'],
    phase: 'running',
    ...changes,
  };
}
