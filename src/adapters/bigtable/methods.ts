import type { protos as Protos } from '@google-cloud/bigtable-api';
import { type Connection, type Method, routing } from './connection.ts';

type Data = typeof Protos.google.bigtable.v2;
type Admin = typeof Protos.google.bigtable.admin.v2;

/** The calls that Sluice makes, with the vendor's static codecs. */
export interface BigtableMethods {
  readonly readRows: Method<InstanceType<Data['ReadRowsRequest']>, InstanceType<Data['ReadRowsResponse']>>;
  readonly mutateRows: Method<Protos.google.bigtable.v2.IMutateRowsRequest, InstanceType<Data['MutateRowsResponse']>>;
  readonly getTable: Method<Protos.google.bigtable.admin.v2.IGetTableRequest, InstanceType<Admin['Table']>>;
  readonly createTable: Method<Protos.google.bigtable.admin.v2.ICreateTableRequest, InstanceType<Admin['Table']>>;
  readonly modifyFamilies: Method<
    Protos.google.bigtable.admin.v2.IModifyColumnFamiliesRequest,
    InstanceType<Admin['Table']>
  >;
}

export function createMethods(protos: typeof Protos): BigtableMethods {
  const data = protos.google.bigtable.v2;
  const admin = protos.google.bigtable.admin.v2;
  return {
    readRows: method('google.bigtable.v2.Bigtable/ReadRows', data.ReadRowsRequest, data.ReadRowsResponse),
    mutateRows: method('google.bigtable.v2.Bigtable/MutateRows', data.MutateRowsRequest, data.MutateRowsResponse),
    getTable: method(`${TABLE_ADMIN}/GetTable`, admin.GetTableRequest, admin.Table),
    createTable: method(`${TABLE_ADMIN}/CreateTable`, admin.CreateTableRequest, admin.Table),
    modifyFamilies: method(`${TABLE_ADMIN}/ModifyColumnFamilies`, admin.ModifyColumnFamiliesRequest, admin.Table),
  };
}

const TABLE_ADMIN = 'google.bigtable.admin.v2.BigtableTableAdmin';

/** Names of a table's column families. Rejects with a ServiceError. */
export async function describeTable(
  connection: Connection,
  methods: BigtableMethods,
  table: string,
  timeoutMs: number,
): Promise<string[]> {
  const name = connection.tableName(table);
  const answer = await connection.admin(methods.getTable, { name, view: 'SCHEMA_VIEW' }, routing({ name }), timeoutMs);
  return Object.keys(answer.columnFamilies);
}

interface Encoder<Q> {
  encode(message: Q): { finish(): Uint8Array };
}
interface Decoder<R> {
  decode(bytes: Uint8Array): R;
}

function method<Q, R>(path: string, request: Encoder<Q>, response: Decoder<R>): Method<Q, R> {
  return {
    path: `/${path}`,
    encode: (message) => request.encode(message).finish() as Buffer,
    decode: (bytes) => response.decode(bytes),
  };
}
