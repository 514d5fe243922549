/**
 * A look-alike of Bigtable on its real wire protocol (gRPC), in memory: development and tests only.
 *
 * Promise: the calls below answer as Google's emulator does, with several rows a message as the real service sends them.
 * Limits: no instances, permissions or app profiles (every name is taken as it comes); other calls are UNIMPLEMENTED.
 */
import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import {
  type Cell,
  compileFilter,
  type Mutation,
  mutate,
  type RowFilter,
  type RowSet,
  selectKeys,
  type Table,
} from './bigtable-table.ts';

export interface BigtableOptions {
  /** 0 (the default): any free one. */
  readonly port?: number;
  /** Dates cells that are written without a time; without it they are refused. */
  readonly wallMs?: () => number;
  /** A message is sent when it holds this much. */
  readonly messageBytes?: number;
  /** Longer values are sent in parts. */
  readonly partBytes?: number;
  /** What is to go wrong with a read; asked once a call. */
  readonly onRead?: (request: ReadRowsRequest) => ReadFault | undefined;
}

export interface ReadFault {
  readonly delayMs?: number;
  /** Rows to send before the rest of the fault; without code and stall the stream then ends well, inside a row. */
  readonly afterRows?: number;
  /** gRPC status to end with. */
  readonly code?: number;
  /** Neither sends more nor ends. */
  readonly stall?: boolean;
}

export interface ReadRowsRequest {
  readonly tableName: string;
  readonly rows: RowSet | null;
  readonly filter: RowFilter | null;
  readonly rowsLimit: number;
}

export interface Bigtable {
  /** As in BIGTABLE_EMULATOR_HOST. */
  readonly host: string;
  readonly stats: { reads: number; rows: number };
  close(): Promise<void>;
}

type Stream<Request> = grpc.ServerWritableStream<Request, object>;
type Entry = { readonly rowKey: Buffer; readonly mutations: readonly Mutation[] };
type Families = Record<string, object>;
type Modification = {
  readonly id: string;
  readonly create?: object;
  readonly update?: object;
  readonly drop?: boolean;
};

/** Starts a server on 127.0.0.1. Rejects when the port is taken. */
export async function createBigtable(options: BigtableOptions = {}): Promise<Bigtable> {
  const { wallMs } = options;
  const { messageBytes = 65_536, partBytes = 1_048_576 } = options;
  const tables = new Map<string, Table>();
  const stats = { reads: 0, rows: 0 };
  const delays = new Set<NodeJS.Timeout>();

  const tableOf = (name: string): Table => {
    const table = tables.get(name);
    if (table === undefined) throw failure(grpc.status.NOT_FOUND, `table "${name}" not found`);
    return table;
  };
  const describe = (name: string): object => ({ name, columnFamilies: Object.fromEntries(tableOf(name).families) });

  async function readRows(call: Stream<ReadRowsRequest>): Promise<void> {
    const { tableName, rows, filter, rowsLimit } = call.request;
    const table = tableOf(tableName);
    const keep = orInvalid(() => compileFilter(filter));
    stats.reads++;
    const fault = options.onRead?.(call.request);
    if (fault?.delayMs !== undefined) await new Promise((resolve) => delays.add(setTimeout(resolve, fault.delayMs)));
    const broken = fault?.code !== undefined || fault?.stall === true || fault?.afterRows !== undefined;
    const limit = broken ? (fault.afterRows ?? 0) : rowsLimit || Number.POSITIVE_INFINITY;
    let chunks: object[] = [];
    let bytes = 0;
    let sent = 0;
    for (const key of selectKeys(table, rows)) {
      if (sent >= limit || call.cancelled) break;
      const cells = keep(table.rows.get(key) as Cell[]);
      if (cells.length > 0) sent++;
      bytes += appendRow(chunks, key, cells, partBytes);
      if (bytes < messageBytes) continue;
      const ready = call.write({ chunks });
      chunks = [];
      bytes = 0;
      if (!ready) await new Promise((resolve) => call.once('drain', resolve).once('cancelled', resolve));
    }
    stats.rows += sent;
    if (broken && !fault.stall && fault.code === undefined) chunks.push(BEGUN_ROW);
    if (chunks.length > 0) call.write({ chunks });
    if (fault?.code !== undefined) throw failure(fault.code, 'a fault that was asked for');
    if (!fault?.stall) call.end();
  }

  const data = {
    ReadRows: (call: Stream<ReadRowsRequest>) => void readRows(call).catch((error) => call.emit('error', error)),
    MutateRow: unary<Entry & { tableName: string }>(({ tableName, rowKey, mutations }) => {
      const wrong = mutate(tableOf(tableName), rowKey, mutations, wallMs?.());
      if (wrong !== undefined) throw failure(grpc.status.UNKNOWN, wrong);
      return {};
    }),
    MutateRows: streaming<{ tableName: string; entries: readonly Entry[] }>((request) => {
      const table = tableOf(request.tableName);
      if (request.entries.some(({ mutations }) => mutations.length === 0)) {
        throw failure(grpc.status.INVALID_ARGUMENT, 'No mutations provided');
      }
      const entries = request.entries.map(({ rowKey, mutations }, index) => {
        const message = mutate(table, rowKey, mutations, wallMs?.());
        return { index, status: message === undefined ? {} : { code: grpc.status.INTERNAL, message } };
      });
      return { entries };
    }),
    SampleRowKeys: streaming<{ tableName: string }>(({ tableName }) => {
      tableOf(tableName);
      return { offsetBytes: 0 };
    }),
    PingAndWarm: unary(() => ({})),
  };

  const admin = {
    CreateTable: unary<{ parent: string; tableId: string; table: { columnFamilies: Families } | null }>((request) => {
      const name = `${request.parent}/tables/${request.tableId}`;
      if (tables.has(name)) throw failure(grpc.status.ALREADY_EXISTS, `table "${name}" already exists`);
      tables.set(name, { families: new Map(Object.entries(request.table?.columnFamilies ?? {})), rows: new Map() });
      return describe(name);
    }),
    ListTables: unary<{ parent: string }>(({ parent }) => ({
      tables: [...tables.keys()].filter((name) => name.startsWith(`${parent}/tables/`)).map((name) => ({ name })),
    })),
    GetTable: unary<{ name: string }>(({ name }) => describe(name)),
    DeleteTable: unary<{ name: string }>(({ name }) => {
      tableOf(name);
      tables.delete(name);
      return {};
    }),
    ModifyColumnFamilies: unary<{ name: string; modifications: Modification[] }>(({ name, modifications }) => {
      const { families, rows } = tableOf(name);
      for (const { id, create, update, drop } of modifications) {
        if (create && families.has(id)) throw failure(grpc.status.ALREADY_EXISTS, `family "${id}" already exists`);
        if (!create && !families.has(id)) throw failure(grpc.status.UNKNOWN, `unknown family "${id}"`);
        families.set(id, create ?? update ?? {});
        if (!drop) continue;
        families.delete(id);
        for (const [key, cells] of rows)
          rows.set(
            key,
            cells.filter((cell) => cell.family !== id),
          );
      }
      return describe(name);
    }),
  };

  const json = createRequire(import.meta.url)('@google-cloud/bigtable-api/build/protos/protos.json');
  const loaded = fromJSON(json, { longs: Number, enums: String, defaults: true, oneofs: true });
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(loaded['google.bigtable.v2.Bigtable'] as grpc.ServiceDefinition, data);
  server.addService(loaded['google.bigtable.admin.v2.BigtableTableAdmin'] as grpc.ServiceDefinition, admin);
  const port = await new Promise<number>((resolve, reject) => {
    const address = `127.0.0.1:${options.port ?? 0}`;
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    host: `127.0.0.1:${port}`,
    stats,
    async close() {
      for (const timer of delays) clearTimeout(timer);
      server.forceShutdown();
    },
  };
}

/** Appends a row as chunks; what did not change since the chunk before is left out. Returns about how many bytes. */
function appendRow(chunks: object[], key: string, cells: readonly Cell[], partBytes: number): number {
  let bytes = 0;
  cells.forEach(({ family, qualifier, timestampMicros, value }, i) => {
    const before = cells[i - 1];
    const sameFamily = before?.family === family;
    for (let at = 0; at === 0 || at < value.length; at += partBytes) {
      const end = at + partBytes >= value.length;
      chunks.push({
        ...(at === 0 && { timestampMicros }),
        ...(at === 0 && i === 0 && { rowKey: Buffer.from(key, 'latin1') }),
        ...(at === 0 && !sameFamily && { familyName: { value: family } }),
        ...(at === 0 &&
          !(sameFamily && before.qualifier === qualifier) && {
            qualifier: { value: Buffer.from(qualifier, 'latin1') },
          }),
        value: value.subarray(at, at + partBytes),
        valueSize: end ? 0 : value.length,
        ...(end && i === cells.length - 1 && { commitRow: true }),
      });
    }
    bytes += value.length + 64;
  });
  return bytes;
}

const BEGUN_ROW = { rowKey: Buffer.from([255]), familyName: { value: 'f' }, qualifier: { value: Buffer.of(113) } };

function failure(code: grpc.status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

function orInvalid<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw failure(grpc.status.INVALID_ARGUMENT, (error as Error).message);
  }
}

function unary<Request>(answer: (request: Request) => object) {
  return (call: grpc.ServerUnaryCall<Request, object>, done: grpc.sendUnaryData<object>): void => {
    try {
      done(null, answer(call.request));
    } catch (error) {
      done(error as grpc.ServiceError);
    }
  };
}

function streaming<Request>(answer: (request: Request) => object) {
  return (call: Stream<Request>): void => {
    try {
      call.write(answer(call.request));
      call.end();
    } catch (error) {
      call.emit('error', error);
    }
  };
}
