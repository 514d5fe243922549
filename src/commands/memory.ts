import { statSync } from 'node:fs';
import { KEPT_REQUEST_BYTES } from '../adapters/kafka/produce/request-buffers.ts';
import { FETCH_MAX_BYTES, MAX_FETCH_BYTES, MAX_FETCH_RECORDS } from '../adapters/kafka/record-batch/read.ts';
import { WIRES } from '../adapters/kafka/transactions.ts';
import { MAX_SCHEMA_BYTES } from '../adapters/registry/registry.ts';
import { type MemoryBound, memoryBound, mib } from '../check/memory.ts';
import type { Plan } from '../plan/plan.ts';
import { MOST_KEYS } from '../stages/features/second-level.ts';
import { MOST_QUEUED_BYTES } from '../stages/features/second-level-writes.ts';
import { sessionsOf } from './world/placement.ts';

/** The memory bound of a plan, given the limits of the adapters that `run` uses. The number of brokers is the topology's. */
export function memoryOf(plan: Plan, cores = 1): MemoryBound {
  const { kafka, registry } = plan.topology.connections;
  // With exactly-once delivery, each of several connections has data of its own to send.
  const senders = plan.topology.flow.delivery === 'exactly-once' ? WIRES : 1;
  const files = [...plan.bundle.modelFiles, ...(plan.smaller?.bundle.modelFiles ?? [])];
  return memoryBound(plan, {
    brokers: Math.max(1, kafka?.brokers.length ?? 1),
    fetchMaxBytes: FETCH_MAX_BYTES,
    inflatedMaxBytes: MAX_FETCH_BYTES,
    fetchMaxRecords: MAX_FETCH_RECORDS,
    requestBytes: kafka?.client === 'stock' ? 0 : KEPT_REQUEST_BYTES * senders,
    modelSessions: sessionsOf(plan, cores),
    modelBytes: files.reduce((sum, { file }) => sum + statSync(file).size, 0),
    schemaBytes: registry === undefined ? 0 : MAX_SCHEMA_BYTES,
    secondLevel: { queuedBytes: MOST_QUEUED_BYTES, keys: MOST_KEYS },
  });
}

/** `base 256 MiB + …`, for a log line. */
export function memoryTerms({ terms }: MemoryBound): string {
  return terms.map(({ name, bytes }) => `${name} ${mib(bytes)}`).join(' + ');
}
