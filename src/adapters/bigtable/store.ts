/**
 * Feature store on Cloud Bigtable.
 *
 * Promise: a read answers for every key or rejects, within its time-out over all calls together, counted from the start
 * of the first; to wait for a free call before that is back pressure, not an outage, and ends because every read ahead
 * does. Nothing is retried here. Limits: at most `concurrency` calls in flight for the whole store; a family is known to exist only where the
 * credentials may read the table's description, because reading from one that does not is no error to Bigtable.
 */
import { status } from '@grpc/grpc-js';
import pLimit from 'p-limit';
import type { Timer } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Layout, ViewSpec } from '../../kernel/views.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import {
  type BigtableDeps,
  type Call,
  type Connection,
  type ConnectionOptions,
  connect,
  routing,
} from './connection.ts';
import { codeOf, translate, unknownFamily } from './errors.ts';
import { filterOf, type RowFilter } from './filter.ts';
import { type CellPlan, type FamilyPlan, planFamilies } from './layout.ts';
import { type BigtableMethods, createMethods, describeTable } from './methods.ts';
import { RowMerger, type RowTarget } from './rows.ts';

export interface BigtableStoreOptions extends ConnectionOptions {
  /** Keys a call at most. */
  readonly chunkKeys?: number;
  /** Calls in flight at most, over all reads. */
  readonly concurrency?: number;
  readonly openTimeoutMs?: number;
}

/** What is worked out once for the views of a look-up. */
interface ReadShape {
  readonly table: string;
  readonly layout: Layout;
  readonly families: ReadonlyMap<string, FamilyPlan>;
  readonly filter: RowFilter;
}

/** A read under way, over all its calls. */
interface Reading {
  readonly table: string;
  readonly filter: RowFilter;
  readonly target: RowTarget;
  over: boolean;
}

/** Something a time-out, a failure or `close` can end before its time. */
type Abort = (error: SluiceError) => void;

export function createBigtableStore(deps: Omit<BigtableDeps, 'random'>, options: BigtableStoreOptions): FeatureStore {
  const { clock, telemetry } = deps;
  const { chunkKeys = 128, concurrency = 4, openTimeoutMs = 10_000 } = options;
  const limit = pLimit(concurrency);
  const shapes = new WeakMap<readonly ViewSpec[], ReadShape>();
  /** Families of each table; undefined where the credentials do not let us know. */
  const knownFamilies = new Map<string, ReadonlySet<string> | undefined>();
  const running = new Set<Abort>();
  let connecting: Promise<Connection> | undefined;
  let connection: Connection | undefined;
  let methods: BigtableMethods;
  let closed = false;

  async function connected(): Promise<Connection> {
    if (closed) throw new SluiceError('invariant-broken', 'the feature store is closed; nothing may be read from it');
    connecting ??= connect(clock, options);
    try {
      const made = await connecting;
      methods ??= createMethods(made.protos);
      connection = made;
    } catch (error) {
      connecting = undefined;
      throw error;
    }
    return connection;
  }

  function shapeOf({ table, layout, views }: FeatureRead): ReadShape {
    const kept = shapes.get(views);
    if (kept !== undefined && kept.table === table && kept.layout === layout) return kept;
    const families = planFamilies(layout, views, (family, qualifier, problem) => {
      telemetry.event('feature-cell-unreadable', { table, family, qualifier, problem });
    });
    const known = knownFamilies.get(table);
    const unknown = [...families.keys()].filter((family) => known?.has(family) === false);
    if (unknown.length > 0) {
      throw unknownFamily(table, `"${unknown.join('", "')}" asked for, "${[...known!].join('", "')}" there`);
    }
    const shape = { table, layout, families, filter: filterOf(layout, views) };
    shapes.set(views, shape);
    return shape;
  }

  /** One call for keys[from..to). */
  function readChunk(read: Reading, from: number, to: number): Call {
    const { table, filter, target } = read;
    const { protos, stream, tableName } = connection!;
    const name = tableName(table);
    const request = new protos.google.bigtable.v2.ReadRowsRequest({
      tableName: name,
      ...(options.appProfile !== undefined && { appProfileId: options.appProfile }),
      rows: { rowKeys: target.keys.slice(from, to) },
      filter,
    });
    const merger = new RowMerger(target, from);
    let broken: unknown;
    const call = stream(methods.readRows, request, routeTo(name), (message) => {
      // A cancelled call may still hand over what was on its way → numbers in rows that have another owner by then.
      if (read.over || broken !== undefined) return;
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
      ...(options.appProfile !== undefined && { app_profile_id: options.appProfile }),
    });
  }

  /** Runs calls over all keys; ends when every one ended, or with the first that failed, having cancelled the others. */
  function readAll(table: string, filter: RowFilter, target: RowTarget, timeoutMs: number): Promise<void> {
    const { keys } = target;
    const count = Math.ceil(keys.length / chunkKeys);
    return new Promise((resolve, reject) => {
      const calls = new Set<Call>();
      const reading: Reading = { table, filter, target, over: false };
      let open = count;
      let timer: Timer | undefined;
      const finish = (): void => {
        reading.over = true;
        timer?.cancel();
        running.delete(abort);
      };
      const abort: Abort = (error) => {
        if (reading.over) return;
        finish();
        for (const call of calls) call.cancel();
        reject(error);
      };
      running.add(abort);
      const late = (): void => {
        const text = `Bigtable did not answer for ${keys.length} keys of table "${table}" within ${Math.round(timeoutMs)} ms`;
        abort(new SluiceError('store-unavailable', text));
      };
      const one = async (i: number): Promise<void> => {
        if (reading.over) return;
        // From the first call on: with many reads at once, most of the time goes by in the queue, where no server is late.
        timer ??= clock.after(timeoutMs, late);
        const from = Math.floor((i * keys.length) / count);
        const to = Math.floor(((i + 1) * keys.length) / count);
        const call = readChunk(reading, from, to);
        calls.add(call);
        await call.ended;
        calls.delete(call);
        if (--open > 0 || reading.over) return;
        finish();
        resolve();
      };
      for (let i = 0; i < count; i++) limit(one, i).catch((error) => abort(translate(error, table)));
    });
  }

  async function openTable(table: string): Promise<void> {
    const made = await connected();
    try {
      const families = await describeTable(made, methods, table, openTimeoutMs);
      knownFamilies.set(table, new Set(families));
    } catch (error) {
      if (!MAY_NOT_DESCRIBE.has(codeOf(error) ?? -1)) throw translate(error, table);
      knownFamilies.set(table, undefined);
      telemetry.event('feature-families-unchecked', { table, reason: status[codeOf(error)!] });
    }
    // Proves that data may be read, and brings the channel and the table's servers up.
    const into = { values: new Float64Array(0), writtenAtMs: new Float64Array(0) };
    const nothing: RowTarget = {
      families: new Map(),
      keys: [PROBE_KEY],
      viewCount: 0,
      rowWidth: 0,
      into,
      onCorrupt: () => {},
    };
    await readAll(table, { blockAllFilter: true }, nothing, openTimeoutMs);
  }

  return {
    async open(tables) {
      await Promise.all([...new Set(tables)].map(openTable));
    },

    async read(read) {
      // Without keys Bigtable reads the whole table.
      if (read.keys.length === 0) return;
      const started = clock.monotonicMs();
      await connected();
      const { families, filter } = shapeOf(read);
      const { keys, rowWidth, into, table } = read;
      let corrupt: { plan: CellPlan; bytes: number } | undefined;
      let corruptCells = 0;
      const onCorrupt = (plan: CellPlan, bytes: number): void => {
        corrupt ??= { plan, bytes };
        corruptCells++;
      };
      const target = { families, keys, viewCount: read.views.length, rowWidth, into, onCorrupt };
      try {
        await readAll(table, filter, target, Math.max(0, read.timeoutMs - (clock.monotonicMs() - started)));
      } catch (error) {
        into.values.fill(Number.NaN);
        into.writtenAtMs.fill(Number.NaN);
        throw error;
      }
      if (corrupt === undefined) return;
      const { qualifier, bytesAsF32, bytesAsF64 } = corrupt.plan;
      telemetry.event('feature-cell-corrupt', {
        table,
        qualifier,
        bytes: corrupt.bytes,
        expectedBytes: Math.max(bytesAsF32, bytesAsF64),
        cells: corruptCells,
      });
    },

    async close() {
      closed = true;
      for (const abort of [...running]) {
        abort(new SluiceError('store-unavailable', 'the feature store was closed while a read was under way'));
      }
      connection?.close();
    },
  };
}

/** Statuses of the admin call with which the data may still be readable. */
const MAY_NOT_DESCRIBE: ReadonlySet<number> = new Set([
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.UNIMPLEMENTED,
]);

const PROBE_KEY = Buffer.from('\0sluice');
