/**
 * Authenticated gRPC channels to one Bigtable instance, and calls on them without retries, defaults or swallowed statuses.
 *
 * The vendor's generated client only makes channel and credentials (`initialize()` resolves to a plain grpc-js stub).
 * Calls go through that stub with the vendor's static protos, because the layers between are costly and hide errors (docs/adr/0002):
 *   the veneer turns 8-byte cells into numbers → bytes are lost in a split cell → it is not used;
 *   its time-out applies to each attempt, so retries run seconds beyond it → the caller retries;
 *   on CANCELLED it succeeds with the rows it has → lost rows look like missing keys → here every status but OK rejects.
 */
import type { BigtableClient, protos as Protos } from '@google-cloud/bigtable-api';
import { type Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

export interface BigtableDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1): spreads retries of the writer. */
  readonly random: () => number;
}

export interface ConnectionOptions {
  readonly project: string;
  readonly instance: string;
  /** HOST:PORT of an emulator: no credentials, no TLS, nothing else is dialled. */
  readonly emulatorHost?: string | undefined;
  readonly appProfile?: string | undefined;
  /** A connection that carries calls and is silent this long is pinged, and given up after `keepaliveTimeoutMs` more. */
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
}

/** What is encoded into a request, or decoded from a response, of one method. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly encode: (request: Request) => Buffer;
  readonly decode: (bytes: Buffer) => Response;
}

export interface Call {
  /** Resolves when the server ended with OK and everything was handed over; rejects with a ServiceError otherwise. */
  readonly ended: Promise<void>;
  cancel(): void;
}

export interface Connection {
  readonly protos: typeof Protos;
  readonly instanceName: string;
  tableName(table: string): string;
  stream<Q, R>(method: Method<Q, R>, request: Q, routing: Metadata, onMessage: (message: R) => void): Call;
  /** Rejects with a ServiceError; CANCELLED after `timeoutMs`. */
  admin<Q, R>(method: Method<Q, R>, request: Q, routing: Metadata, timeoutMs: number): Promise<R>;
  close(): void;
}

export async function connect(clock: Clock, options: ConnectionOptions): Promise<Connection> {
  // Loaded here: it takes 200 ms and 50 MB, which commands without a store need not pay.
  const api = await import('@google-cloud/bigtable-api');
  const settings = clientOptions(options);
  const dataClient = new api.BigtableClient(settings);
  let adminClient: InstanceType<typeof api.BigtableTableAdminClient> | undefined;
  const data = await stub(options, dataClient.initialize());
  const instanceName = `projects/${options.project}/instances/${options.instance}`;
  return {
    protos: api.protos,
    instanceName,
    tableName: (table) => `${instanceName}/tables/${table}`,
    stream(method, request, routing, onMessage) {
      const call = data.makeServerStreamRequest(method.path, method.encode, method.decode, request, routing, {});
      const ended = new Promise<void>((resolve, reject) => {
        // Messages after a status are still handed over: resolve on the end of the data, which follows an OK only.
        call.on('data', onMessage).on('error', reject).on('end', resolve);
      });
      return { ended, cancel: () => call.cancel() };
    },
    async admin(method, request, routing, timeoutMs) {
      adminClient ??= new api.BigtableTableAdminClient(clientOptions(options));
      const client = await stub(options, adminClient.initialize());
      return new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          method.path,
          method.encode,
          method.decode,
          request,
          routing,
          {},
          (error, answer) => {
            timer.cancel();
            if (error) reject(error);
            else resolve(answer!);
          },
        );
        const timer = clock.after(timeoutMs, () => call.cancel());
      });
    },
    close() {
      data.close();
      // A client that is being made when the program ends has nothing to give back.
      adminClient?.close().catch((error: ServiceError) => error.code);
    },
  };
}

/** Bigtable routes by this header, not by the request's body. */
export function routing(params: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  metadata.set('x-goog-request-params', new URLSearchParams(params).toString());
  return metadata;
}

async function stub(options: ConnectionOptions, made: Promise<unknown>): Promise<Client> {
  try {
    return (await made) as Client;
  } catch (error) {
    const at = `instance "${options.instance}" of project "${options.project}"`;
    const why = error instanceof Error ? error.message : String(error);
    throw new SluiceError(
      'store-refused',
      `no credentials for Bigtable ${at}: ${why}; set GOOGLE_APPLICATION_CREDENTIALS, or BIGTABLE_EMULATOR_HOST for an emulator`,
      error,
    );
  }
}

type ClientOptions = NonNullable<ConstructorParameters<typeof BigtableClient>[0]>;

function clientOptions(options: ConnectionOptions): ClientOptions {
  const common = {
    projectId: options.project,
    // Without it the metadata server is asked → seconds lost off Google Cloud before the first read.
    universeDomain: 'googleapis.com',
    fallback: false,
    // A black-holed connection → reads fail for as long as the kernel retransmits → ping it.
    'grpc.keepalive_time_ms': options.keepaliveMs ?? 30_000,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs ?? 5_000,
    // The default of two minutes → a store that is back stays unused for that long.
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Channels to one address share their connections → a new channel would get the dead one → each has its own.
    'grpc.use_local_subchannel_pool': 1,
    // A DNS TXT look-up that could bring a retry policy from outside.
    'grpc.service_config_disable_resolution': 1,
  };
  const host = options.emulatorHost;
  if (host === undefined) return common;
  const colon = host.lastIndexOf(':');
  const port = Number(host.slice(colon + 1));
  if (colon < 1 || !(port > 0)) {
    throw new SluiceError('usage-invalid', `emulator host "${host}" is not HOST:PORT; correct BIGTABLE_EMULATOR_HOST`);
  }
  return {
    ...common,
    servicePath: host.slice(0, colon),
    port,
    sslCreds: credentials.createInsecure(),
    // http_proxy in the environment → even 127.0.0.1 would be asked for through the proxy.
    'grpc.enable_http_proxy': 0,
  };
}
