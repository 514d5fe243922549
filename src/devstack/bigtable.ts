/**
 * An imitation of Bigtable with its real wire protocol (gRPC), in memory, for development and tests only.
 *
 * Promise: the calls that Sluice makes answer as Google's emulator does, but with several rows per message, as the real service
 * sends them: ReadRows by keys, MutateRows, and creating tables and families. All other calls are UNIMPLEMENTED.
 * Limits: no instances, permissions or app profiles (every name is accepted); each answer is computed at once, as a whole.
 */
import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { type Cell, type Mutation, type RowFilter, sameColumn, Table } from './bigtable-table.ts';

export interface BigtableOptions {
  readonly port?: number; // 0 (the default) lets the system choose
  /** A message is sent when it reaches this size. */
  readonly messageBytes?: number;
  /** Longer values are sent in parts. */
  readonly partBytes?: number;
  /** The fault to inject into a read; called once per call. */
  readonly onRead?: (request: ReadRowsRequest) => ReadFault | undefined;
}

export interface ReadFault {
  /** Rows to send before the rest of the fault; without code and stall the stream then ends normally, in the middle of a row. */
  readonly afterRows?: number;
  /** gRPC status to end with. */
  readonly code?: number;
  /** Neither send more nor end. */
  readonly stall?: boolean;
}

export interface ReadRowsRequest {
  readonly tableName: string;
  readonly rows: { readonly rowKeys: readonly Buffer[]; readonly rowRanges: readonly object[] } | null;
  readonly filter: RowFilter | null;
}

export interface Bigtable {
  /** Host and port, in the form of BIGTABLE_EMULATOR_HOST. */
  readonly host: string;
  /** Removes cells written before a time from the table with this id, in whatever instance. */
  dropBefore(tableId: string, timestampMs: number): void;
  close(): Promise<void>;
}

type Stream<Request> = grpc.ServerWritableStream<Request, object>;
type Entry = { readonly rowKey: Buffer; readonly mutations: readonly Mutation[] };
type CreateTable = { parent: string; tableId: string; table: { columnFamilies: Record<string, object> } | null };
type ModifyFamilies = { name: string; modifications: readonly { id: string; create?: object }[] };

/** Starts a server on a free port of 127.0.0.1. */
export async function createBigtable(options: BigtableOptions = {}): Promise<Bigtable> {
  const { port: wish = 0, messageBytes = 65_536, partBytes = 1_048_576 } = options;
  const tables = new Map<string, Table>();

  const tableOf = (name: string): Table => {
    const table = tables.get(name);
    if (table === undefined) throw failure(grpc.status.NOT_FOUND, `table "${name}" not found`);
    return table;
  };
  const describe = (name: string): object => ({ name, columnFamilies: tableOf(name).families });

  async function readRows(call: Stream<ReadRowsRequest>): Promise<void> {
    const { tableName, rows, filter } = call.request;
    const table = tableOf(tableName);
    if (rows?.rowRanges.length) throw failure(grpc.status.UNIMPLEMENTED, 'this look-alike has no row ranges');
    const fault = options.onRead?.(call.request);
    const limit = fault === undefined ? Number.POSITIVE_INFINITY : (fault.afterRows ?? 0);
    let chunks: object[] = [];
    let bytes = 0;
    for (const { key, cells } of table.read(rows?.rowKeys ?? [], filter).slice(0, limit)) {
      for (const chunk of chunksOf(key, cells, partBytes)) {
        chunks.push(chunk);
        bytes += chunk.value.length + 64;
      }
      if (bytes < messageBytes) continue;
      call.write({ chunks });
      chunks = [];
      bytes = 0;
    }
    if (fault && !fault.stall && fault.code === undefined) chunks.push(BEGUN_ROW);
    if (chunks.length > 0) call.write({ chunks });
    if (fault?.code !== undefined) throw failure(fault.code, 'a fault that was asked for');
    if (!fault?.stall) call.end();
  }

  async function mutateRows(call: Stream<{ tableName: string; entries: readonly Entry[] }>): Promise<void> {
    const table = tableOf(call.request.tableName);
    const entries = call.request.entries.map(({ rowKey, mutations }, index) => {
      const message = table.mutate(rowKey, mutations);
      return { index, status: message === undefined ? {} : { code: grpc.status.INTERNAL, message } };
    });
    call.write({ entries });
    call.end();
  }

  const data = { ReadRows: streaming(readRows), MutateRows: streaming(mutateRows) };
  const admin = {
    CreateTable: unary<CreateTable>(async ({ parent, tableId, table }) => {
      const name = `${parent}/tables/${tableId}`;
      if (tables.has(name)) throw failure(grpc.status.ALREADY_EXISTS, `table "${name}" already exists`);
      tables.set(name, new Table(table?.columnFamilies ?? {}));
      return describe(name);
    }),
    GetTable: unary<{ name: string }>(async ({ name }) => describe(name)),
    ModifyColumnFamilies: unary<ModifyFamilies>(async ({ name, modifications }) => {
      const { families } = tableOf(name);
      for (const { id, create } of modifications) {
        if (!create) throw failure(grpc.status.UNIMPLEMENTED, 'this look-alike only creates families');
        if (Object.hasOwn(families, id)) throw failure(grpc.status.ALREADY_EXISTS, `family "${id}" already exists`);
        families[id] = create;
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
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${wish}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    host: `127.0.0.1:${port}`,
    dropBefore(tableId, timestampMs) {
      for (const [name, table] of tables) if (name.endsWith(`/tables/${tableId}`)) table.dropBefore(timestampMs * 1000);
    },
    close: async () => server.forceShutdown(),
  };
}

/** The chunks of a row; what equals the previous chunk is left out. */
function* chunksOf(key: string, cells: readonly Cell[], partBytes: number) {
  for (const [i, cell] of cells.entries()) {
    const { family, qualifier, timestampMicros, value } = cell;
    const head = {
      timestampMicros,
      ...(i === 0 && { rowKey: Buffer.from(key, 'latin1') }),
      ...(cells[i - 1]?.family !== family && { familyName: { value: family } }),
      ...(!sameColumn(cells[i - 1], cell) && { qualifier: { value: Buffer.from(qualifier, 'latin1') } }),
    };
    for (let at = 0; at === 0 || at < value.length; at += partBytes) {
      const isLast = at + partBytes >= value.length;
      yield {
        ...(at === 0 && head),
        value: value.subarray(at, at + partBytes),
        valueSize: isLast ? 0 : value.length,
        ...(isLast && i === cells.length - 1 && { commitRow: true }),
      };
    }
  }
}

const BEGUN_ROW = { rowKey: Buffer.from([255]), familyName: { value: 'f' }, qualifier: { value: Buffer.of(113) } };

function failure(code: grpc.status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

function unary<Request>(answer: (request: Request) => Promise<object>) {
  return ({ request }: grpc.ServerUnaryCall<Request, object>, done: grpc.sendUnaryData<object>): void =>
    void answer(request).then((response) => done(null, response), done);
}

function streaming<Request>(answer: (call: Stream<Request>) => Promise<void>) {
  return (call: Stream<Request>): void => {
    // Any error that is not Bigtable's own comes from an unintelligible request, such as a bad filter.
    const invalid = { code: grpc.status.INVALID_ARGUMENT };
    answer(call).catch((error) => call.emit('error', { ...invalid, details: error.message, ...error }));
  };
}
