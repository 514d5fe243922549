/**
 * A schema registry in this process, for development and tests: the part of Confluent's REST interface that
 * serializers and command-line tools call. In memory, gone at `close`. It hands out ids and versions and checks that
 * Avro and JSON schemas are JSON, but not that versions are compatible, and it says so: its level is NONE.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RegistryOptions = {
  /** 0 (the default) lets the system choose. */
  readonly port?: number;
  readonly hooks?: { onRequest?(method: string, path: string): RegistryFault | undefined };
};
/** What shall go wrong with one request: an answer with this status instead of the work, a delay before it. */
export type RegistryFault = { readonly status?: number; readonly delayMs?: number };
export type Reference = { readonly name: string; readonly subject: string; readonly version: number };
export type SchemaInput = { readonly schema: string; readonly schemaType?: string; readonly references?: Reference[] };
export type Registry = {
  readonly url: string;
  /** Registers like a POST would and returns the id; throws on a schema that is not valid. */
  register(subject: string, schema: string | SchemaInput): number;
  close(): Promise<void>;
};

type Answer = { readonly status: number; readonly body: unknown };
type Stored = {
  readonly id: number;
  readonly schema: string;
  readonly schemaType: string;
  readonly references: Reference[];
};
const MAX_BODY_BYTES = 4 << 20;

export async function createRegistry({ port = 0, hooks }: RegistryOptions = {}): Promise<Registry> {
  const store = new Store();
  const server = createServer(async (request, response) => {
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').replace(/[?#].*/, '');
    const fault = hooks?.onRequest?.(method, path) ?? {};
    if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs).unref());
    let answer: Answer;
    if (fault.status) answer = failure(fault.status, fault.status, 'Injected fault');
    else answer = route(store, method, path, await readBody(request));
    response.writeHead(answer.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
    response.end(JSON.stringify(answer.body));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    register(subject, schema) {
      const stored = store.register(subject, typeof schema === 'string' ? { schema } : schema);
      if (!stored) throw new Error(`the schema for subject ${subject} is not valid JSON: nothing was registered`);
      return stored.id;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function route(store: Store, method: string, path: string, body: unknown): Answer {
  const [root, first, second, third] = path.split('/').slice(1).map(decodeURIComponent);
  const get = method === 'GET';
  if (get && root === '') return ok({});
  if (get && root === 'config') return ok({ compatibilityLevel: 'NONE' });
  if (get && root === 'schemas' && first === 'types') return ok(['AVRO', 'JSON', 'PROTOBUF']);
  if (get && root === 'schemas' && first === 'ids') {
    const stored = store.byId.get(Number(second));
    return stored ? ok(describe(stored)) : failure(404, 40403, `Schema ${second} not found`);
  }
  if (root !== 'subjects') return failure(404, 404, 'HTTP 404 Not Found');
  if (get && first === undefined) return ok([...store.subjects.keys()]);
  if (method === 'POST' && second === 'versions') {
    const stored = store.register(first, body as SchemaInput);
    return stored ? ok({ id: stored.id }) : failure(422, 42201, 'Invalid schema');
  }
  const versions = store.subjects.get(first);
  if (!versions) return failure(404, 40401, `Subject '${first}' not found.`);
  if (method === 'POST' && second === undefined) {
    const known = store.find(body as SchemaInput);
    const version = known ? versions.indexOf(known) + 1 : 0;
    return known && version
      ? ok({ subject: first, version, ...describe(known), id: known.id })
      : failure(404, 40403, 'Schema not found');
  }
  if (!get || second !== 'versions') return failure(405, 405, 'HTTP 405 Method Not Allowed');
  if (third === undefined) return ok(versions.map((_, index) => index + 1));
  const version = third === 'latest' ? versions.length : Number(third);
  if (!Number.isInteger(version) || version < 1)
    return failure(422, 42202, `The specified version '${third}' is not a valid version id.`);
  const stored = versions[version - 1];
  return stored
    ? ok({ subject: first, version, id: stored.id, ...describe(stored) })
    : failure(404, 40402, `Version ${version} not found.`);
}

class Store {
  readonly subjects = new Map<string, Stored[]>();
  readonly byId = new Map<number, Stored>();
  /** Equal schemas share an id, whatever their subjects and spacing. */
  readonly #byContent = new Map<string, Stored>();

  /** Null where the schema is not valid. */
  register(subject: string, input: SchemaInput): Stored | null {
    const schema = normalize(input);
    if (schema === null) return null;
    const content = contentOf(input, schema);
    let stored = this.#byContent.get(content);
    if (!stored) {
      const { schemaType = 'AVRO', references = [] } = input;
      stored = { id: this.byId.size + 1, schema, schemaType, references };
      this.#byContent.set(content, stored);
      this.byId.set(stored.id, stored);
    }
    const versions = this.subjects.get(subject) ?? [];
    if (!versions.includes(stored)) versions.push(stored);
    this.subjects.set(subject, versions);
    return stored;
  }

  find(input: SchemaInput): Stored | undefined {
    const schema = normalize(input);
    return schema === null ? undefined : this.#byContent.get(contentOf(input, schema));
  }
}

const contentOf = ({ schemaType = 'AVRO', references = [] }: SchemaInput, schema: string): string =>
  JSON.stringify([schemaType, schema, references.map(({ name, subject, version }) => [name, subject, version])]);

/** One spelling of a schema, or null where it is none. */
function normalize(input: SchemaInput | null): string | null {
  if (typeof input?.schema !== 'string') return null;
  if (input.schemaType === 'PROTOBUF') return input.schema;
  const parsed = parseJson(input.schema);
  return parsed === null ? null : JSON.stringify(parsed);
}

/** Null for what is not JSON: neither a schema nor a request is ever the literal null. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString());
}

/** As the registry shows a schema: what is usual — Avro, no references — goes unsaid. */
const describe = ({ schema, schemaType, references }: Stored): Record<string, unknown> => ({
  schema,
  ...(schemaType === 'AVRO' ? {} : { schemaType }),
  ...(references.length === 0 ? {} : { references }),
});
const ok = (body: unknown): Answer => ({ status: 200, body });
const failure = (status: number, error_code: number, message: string): Answer => ({
  status,
  body: { error_code, message },
});
