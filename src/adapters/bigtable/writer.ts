/**
 * Writes feature rows to Cloud Bigtable: for `features load`, the demo and tests.
 *
 * Promise: `write` resolves when every row is acknowledged. Rows that the store could not accept are written again, with the same
 * cells and timestamps, so that a repetition changes nothing; after `giveUpMs` without success it rejects.
 */
import type { protos } from '@google-cloud/bigtable-api';
import { status } from '@grpc/grpc-js';
import { encodeView } from '../../kernel/cells/feature-cells.ts';
import { FEAST_FAMILY, type FeastEntity } from '../../kernel/cells/views.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { retry } from '../../kernel/retry.ts';
import type { FeatureWrite, FeatureWriter } from '../../ports/feature-store.ts';
import { type BigtableDeps, type Connection, type ConnectionOptions, connect, routing } from './connection.ts';
import { codeOf, translate } from './errors.ts';
import { feastRows } from './feast.ts';
import { createEntityId } from './feast-keys.ts';
import { type BigtableMethods, createMethods, describeTable } from './methods.ts';

export interface BigtableWriterOptions extends ConnectionOptions {
  /** Rows per call at most. */
  readonly callRows?: number;
  readonly callTimeoutMs?: number;
  readonly giveUpMs?: number;
}

type Entry = protos.google.bigtable.v2.MutateRowsRequest.IEntry;

export function createBigtableWriter(deps: BigtableDeps, options: BigtableWriterOptions): FeatureWriter {
  const { clock, random } = deps;
  const { callRows = 200, callTimeoutMs = 20_000, giveUpMs = 60_000 } = options;
  let connecting: Promise<Link> | undefined;

  const linked = (): Promise<Link> => {
    connecting ??= connect(clock, options).then((connection) => ({
      connection,
      methods: createMethods(connection.protos),
    }));
    return connecting;
  };

  /** Until it succeeds, is refused, or `giveUpMs` are over. */
  async function persist<T>(table: string, attempt: () => Promise<T>): Promise<T> {
    const givingUp = new AbortController();
    const timer = clock.after(giveUpMs, () => givingUp.abort());
    const onRetry = (error: SluiceError, tries: number, delayMs: number): void =>
      deps.telemetry.event('feature-write-retried', { table, reason: error.message, attempts: tries, delayMs });
    const waits = { initialMs: 100, maxMs: 5_000, signal: givingUp.signal, onRetry };
    try {
      return await retry({ clock, random }, waits, () =>
        attempt().catch((error) => {
          throw translate(error, table);
        }),
      );
    } finally {
      timer.cancel();
    }
  }

  /** Sends entries; resolves with the positions of those that may be sent again. */
  async function send({ connection, methods }: Link, table: string, entries: readonly Entry[]): Promise<number[]> {
    const name = connection.tableName(table);
    const profile = options.appProfile === undefined ? {} : { appProfileId: options.appProfile };
    const open = new Set(entries.keys());
    const again: number[] = [];
    let refused: unknown;
    const request = { tableName: name, entries: [...entries], ...profile };
    const call = connection.stream(methods.mutateRows, request, routing({ table_name: name }), (message) => {
      for (const { index, status: answer } of message.entries) {
        const position = Number(index);
        open.delete(position);
        const code = answer?.code ?? status.OK;
        if (code === status.OK) continue;
        const error = translate({ code, details: answer?.message }, table);
        if (error.disposition === 'retry') again.push(position);
        else refused ??= error;
      }
    });
    const timer = clock.after(callTimeoutMs, call.cancel);
    try {
      await call.ended;
    } finally {
      timer.cancel();
    }
    if (refused !== undefined) throw refused;
    return [...again, ...open];
  }

  async function writeEntries(table: string, entries: readonly Entry[]): Promise<void> {
    let left = entries;
    await persist(table, async () => {
      const link = await linked();
      const failed = await send(link, table, left);
      left = failed.map((position) => left[position]);
      if (left.length > 0) {
        throw new SluiceError('store-unavailable', `Bigtable did not take ${left.length} rows of table "${table}"`);
      }
    });
  }

  return {
    async ensureTable(table, families) {
      await persist(table, async () => {
        const { connection, methods } = await linked();
        const { instanceName: parent } = connection;
        const name = connection.tableName(table);
        const there = await describeTable(connection, methods, table, callTimeoutMs).catch((error) => {
          if (codeOf(error) === status.NOT_FOUND) return undefined;
          throw error;
        });
        if (there === undefined) {
          const columnFamilies = Object.fromEntries(families.map((family) => [family, ONE_VERSION]));
          const request = { parent, tableId: table, table: { columnFamilies } };
          await connection.admin(methods.createTable, request, routing({ parent }), callTimeoutMs);
          return;
        }
        const modifications = families
          .filter((family) => !there.includes(family))
          .map((id) => ({ id, create: ONE_VERSION }));
        if (modifications.length === 0) return;
        await connection.admin(methods.modifyFamilies, { name, modifications }, routing({ name }), callTimeoutMs);
      });
    },

    async write(write) {
      let entries: Entry[] = [];
      for (let row = 0; row < write.keys.length; row++) {
        entries.push(...entriesOf(write, row));
        if (entries.length < callRows) continue;
        await writeEntries(write.table, entries);
        entries = [];
      }
      if (entries.length > 0) await writeEntries(write.table, entries);
    },

    async close() {
      const made = await connecting?.catch(() => undefined);
      made?.connection.close();
    },
  };
}

interface Link {
  readonly connection: Connection;
  readonly methods: BigtableMethods;
}

/** Readers need only the latest cell; without a rule Bigtable keeps all of them. */
const ONE_VERSION = { gcRule: { maxNumVersions: 1 } };

/** None where nothing of the row is to be written; with Feast's layout one a feature view. */
function entriesOf(write: FeatureWrite, row: number): Entry[] {
  if (write.feast !== undefined) return feastEntries(write, write.feast, row);
  const { views, rowWidth, values, present, layout } = write;
  const timestampMicros = Math.round(write.timestampMs) * 1000;
  const mutations = views.flatMap((view, v) => {
    if (present[row * views.length + v] !== 1) return [];
    const base = row * rowWidth;
    const missing = view.columns.every(({ offset, width }) =>
      values.subarray(base + offset, base + offset + width).every(Number.isNaN),
    );
    if (missing) return [];
    return encodeView(layout, view, values, base).map(({ qualifier, value }) => ({
      setCell: { familyName: view.family, columnQualifier: Buffer.from(qualifier), timestampMicros, value },
    }));
  });
  return mutations.length === 0 ? [] : [{ rowKey: write.keys[row], mutations }];
}

function feastEntries(write: FeatureWrite, entity: FeastEntity, row: number): Entry[] {
  const rows = feastRows(createEntityId(entity), write, row);
  if (rows === undefined) {
    const parts = entity.joinKeys.map(({ name, type }) => `${name} (${type})`).join(`, "${entity.separator}", `);
    throw new SluiceError('file-invalid', `table "${write.table}": the key "${write.keys[row]}" is not ${parts}`);
  }
  const timestampMicros = Math.round(write.timestampMs) * 1000;
  return rows.map(({ rowKey, cells }) => ({
    rowKey,
    mutations: cells.map(({ qualifier, value }) => ({
      setCell: { familyName: FEAST_FAMILY, columnQualifier: Buffer.from(qualifier), timestampMicros, value },
    })),
  }));
}
