import { status } from '@grpc/grpc-js';
import { type ChunkedReads, createChunkedReads, type KeyedCall } from '../../kernel/calls/chunked-reads.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type Connection, routing } from './connection.ts';
import { codeOf, translate } from './errors.ts';
import type { RowFilter } from './filter.ts';
import type { BigtableMethods } from './methods.ts';
import { RowMerger, type RowTarget } from './rows.ts';

/** ReadRows over all keys of a read, in calls for some of them each. */
export interface Reads {
  read(table: string, filter: RowFilter, target: RowTarget, timeoutMs: number): Promise<void>;
  /** Ends what is under way. */
  close(): void;
}

export interface ReadsDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly connected: () => Promise<Connection>;
  readonly methods: () => BigtableMethods;
  readonly onDeaf: () => void;
}

export interface ReadsOptions {
  readonly chunkKeys: number;
  readonly maxCalls: number;
  readonly appProfile: string | undefined;
}

export function createReads(deps: ReadsDeps, options: ReadsOptions): Reads {
  const { clock, telemetry, connected, onDeaf } = deps;
  const { appProfile } = options;
  const reads: ChunkedReads<Connection> = createChunkedReads(
    {
      clock,
      connected,
      onDeaf,
      onResult: (result, calls) => telemetry.counter('sluice_store_calls_total', { result }).add(calls),
      failureOf: (thrown, table) => ({
        error: translate(thrown, table),
        result: resultOf(thrown),
        answered: codeOf(thrown) !== status.UNAVAILABLE,
        overloaded: codeOf(thrown) === status.RESOURCE_EXHAUSTED,
      }),
    },
    { ...options, store: 'Bigtable' },
  );
  telemetry.gauge('sluice_store_calls_allowed', { store: 'bigtable' }, () => reads.allowed);

  /** One call for keys[from..to). */
  function readRows(
    over: Connection,
    table: string,
    filter: RowFilter,
    target: RowTarget,
    [from, to]: readonly [number, number],
    isOver: () => boolean,
  ): KeyedCall {
    const { protos, stream, tableName } = over;
    const name = tableName(table);
    const request = new protos.google.bigtable.v2.ReadRowsRequest({
      tableName: name,
      ...(appProfile !== undefined && { appProfileId: appProfile }),
      rows: { rowKeys: target.keys.slice(from, to) },
      filter,
    });
    const merger = new RowMerger(target, from);
    let broken: unknown;
    const call = stream(deps.methods().readRows, request, routeTo(name), (message) => {
      reads.heard();
      // A cancelled call may still hand over what was on its way → numbers in rows that have another owner by then.
      if (isOver() || broken !== undefined) return;
      try {
        merger.add(message.chunks);
      } catch (error) {
        broken = error;
        call.cancel();
      }
    });
    const ended = call.ended.then(
      () => merger.end(),
      (error) => {
        throw broken ?? error;
      },
    );
    return { ended, cancel: call.cancel };
  }

  function routeTo(tableName: string) {
    return routing({
      table_name: tableName,
      ...(appProfile !== undefined && { app_profile_id: appProfile }),
    });
  }

  return {
    read: (table, filter, target, timeoutMs) =>
      reads.read({
        table,
        keys: target.keys.length,
        timeoutMs,
        ask: (over, from, to, isOver) => readRows(over, table, filter, target, [from, to], isOver),
      }),
    close: reads.close,
  };
}

/** A label of few values: what the server, or the channel, said. */
function resultOf(thrown: unknown): string {
  const code = codeOf(thrown);
  return code === undefined ? 'broken' : status[code].toLowerCase().replaceAll('_', '-');
}
