/**
 * Feature store on Cloud Bigtable.
 *
 * Promise: a read answers for every key or rejects, within its time-out over all calls together, counted from the start of the first
 * call; waiting for a free call before that is back pressure, not an outage, and ends because every earlier read ends. Nothing is
 * retried here, and while a table does not answer, only one read at a time is sent to it (kernel/calls/pace.ts). A connection on
 * which read after read times out and nothing arrives is replaced: its keepalive would take half a minute to notice.
 * Limits: at most `concurrency` calls in flight for the whole store, fewer as it answers more slowly (kernel/calls/call-limit.ts); a family is known to exist only where the
 * credentials may read the table's description, because reading from one that does not is no error to Bigtable.
 */
import { status } from '@grpc/grpc-js';
import { type CellPlan, familiesOf, planFamilies } from '../../kernel/cells/feature-cells.ts';
import type { FeastEntity, Layout, ViewSpec } from '../../kernel/cells/views.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import { type BigtableDeps, type Connection, type ConnectionOptions, connect } from './connection.ts';
import { codeOf, translate, unknownFamily } from './errors.ts';
import { feastTargets, planFeast } from './feast.ts';
import { filterOf, type RowFilter } from './filter.ts';
import { type BigtableMethods, createMethods, describeTable } from './methods.ts';
import { createReads } from './reads.ts';
import type { RowTarget } from './rows.ts';

export interface BigtableStoreOptions extends ConnectionOptions {
  /** Keys per call at most. */
  readonly chunkKeys?: number;
  /** Calls in flight at most, over all reads. */
  readonly concurrency?: number;
  readonly openTimeoutMs?: number;
}

/** What is worked out once for the views of a look-up. */
interface ReadShape {
  readonly table: string;
  readonly layout: Layout;
  /** Requests for these keys, and where their rows go; none of them is without keys. */
  readonly targets: (read: FeatureRead, onCorrupt: RowTarget['onCorrupt']) => readonly Target[];
}

interface Target {
  readonly filter: RowFilter;
  readonly target: RowTarget;
}

export function createBigtableStore(deps: Omit<BigtableDeps, 'random'>, options: BigtableStoreOptions): FeatureStore {
  const { clock, telemetry } = deps;
  const { chunkKeys = 128, concurrency = 32, openTimeoutMs = 10_000 } = options;
  const shapes = new WeakMap<readonly ViewSpec[], ReadShape>();
  /** Families of each table; undefined where the credentials do not let us know. */
  const knownFamilies = new Map<string, ReadonlySet<string> | undefined>();
  let connecting: Promise<Connection> | undefined;
  let connection: Connection | undefined;
  let methods: BigtableMethods;
  let closed = false;

  const reads = createReads(
    { clock, telemetry, connected, methods: () => methods, onDeaf: () => reconnect() },
    { chunkKeys, maxCalls: concurrency, appProfile: options.appProfile },
  );

  async function connected(): Promise<Connection> {
    if (closed) throw new SluiceError('invariant-broken', 'the feature store is closed; nothing may be read from it');
    connecting ??= connect(clock, options);
    const mine = connecting;
    try {
      // Credentials come over the network too, and nothing bounds how long they take.
      const inTime = await within(clock, deadlineIn(clock, openTimeoutMs), mine);
      if (!inTime)
        throw new SluiceError('store-unavailable', 'no credentials for Bigtable yet: nobody answers for them');
      const made = await mine;
      methods ??= createMethods(made.protos);
      if (connecting === mine) connection = made;
      return made;
    } catch (error) {
      if (connecting === mine) connecting = undefined;
      throw error;
    }
  }

  function reconnect(): void {
    if (connection === undefined || closed) return;
    telemetry.counter('sluice_store_reconnects_total').add(1);
    telemetry.event('store-reconnecting', { instance: options.instance });
    const deaf = connection;
    connection = undefined;
    connecting = undefined;
    deaf.close();
  }

  function shapeOf({ table, layout, feast, views }: FeatureRead): ReadShape {
    const kept = shapes.get(views);
    if (kept !== undefined && kept.table === table && kept.layout === layout) return kept;
    const shape = {
      table,
      layout,
      targets: feast === undefined ? cellTargets(table, layout, views) : feastOf(feast, views),
    };
    checkFamilies(table, familiesOf(layout, views));
    shapes.set(views, shape);
    return shape;
  }

  function cellTargets(table: string, layout: Layout, views: readonly ViewSpec[]): ReadShape['targets'] {
    const families = planFamilies(layout, views, (family, qualifier, problem) => {
      telemetry.event('feature-cell-unreadable', { table, family, qualifier, problem });
    });
    const filter = filterOf(layout, views);
    return ({ keys, rowWidth, into }, onCorrupt) => [
      { filter, target: { families, keys, viewCount: views.length, rowWidth, into, onCorrupt } },
    ];
  }

  function feastOf(entity: FeastEntity, views: readonly ViewSpec[]): ReadShape['targets'] {
    const shape = planFeast(entity, views);
    return (read, onCorrupt) => feastTargets(shape, read, onCorrupt).filter(({ target }) => target.keys.length > 0);
  }

  function checkFamilies(table: string, wanted: readonly string[]): void {
    const known = knownFamilies.get(table);
    const unknown = wanted.filter((family) => known?.has(family) === false);
    if (unknown.length > 0) {
      throw unknownFamily(table, `"${unknown.join('", "')}" asked for, "${[...known!].join('", "')}" there`);
    }
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
    await reads.read(table, { blockAllFilter: true }, nothing, openTimeoutMs);
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
      const { targets } = shapeOf(read);
      const { into, table } = read;
      let corrupt: { plan: CellPlan; bytes: number } | undefined;
      let corruptCells = 0;
      const onCorrupt = (plan: CellPlan, bytes: number): void => {
        corrupt ??= { plan, bytes };
        corruptCells++;
      };
      const timeoutMs = Math.max(0, read.timeoutMs - (clock.monotonicMs() - started));
      try {
        const asked = targets(read, onCorrupt).map(({ filter, target }) =>
          reads.read(table, filter, target, timeoutMs),
        );
        // One that goes on after another has failed would write into rows that have another owner by then.
        const ended = await Promise.allSettled(asked);
        for (const each of ended) if (each.status === 'rejected') throw each.reason;
      } catch (error) {
        into.values.fill(Number.NaN);
        into.writtenAtMs.fill(Number.NaN);
        throw error;
      }
      if (corrupt === undefined) return;
      const { qualifier, expected } = corrupt.plan;
      telemetry.counter('sluice_feature_cells_unreadable_total', { table }).add(corruptCells);
      telemetry.event('feature-cell-corrupt', {
        table,
        qualifier,
        bytes: corrupt.bytes,
        expected,
        cells: corruptCells,
      });
    },

    async close() {
      closed = true;
      reads.close();
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
