/**
 * A schema registry in this process, for development and tests: the part of Confluent's REST API that serializers and command-line tools
 * use. In memory, gone after `close`. It assigns ids and versions, and checks that Avro and JSON schemas are valid JSON. It does
 * not check compatibility, and reports its level as NONE.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unescape as decode } from 'node:querystring'; // unlike decodeURIComponent it never throws

export type RegistryOptions = {
  /** 0 (the default) lets the system choose. */
  readonly port?: number;
  readonly hooks?: { onRequest?(method: string, path: string): RegistryFault | undefined };
};
/** The fault to inject into a request: this status instead of the work, or a delay before it. */
export type RegistryFault = { readonly status?: number; readonly delayMs?: number };
export type Reference = { readonly name: string; readonly subject: string; readonly version: number };
export type SchemaInput = { readonly schema: string; readonly schemaType?: string; readonly references?: Reference[] };
export type Registry = {
  readonly url: string;
  /** Registers like a POST and returns the id; throws if the schema is invalid. */
  register(subject: string, schema: string | SchemaInput): number;
  close(): Promise<void>;
};

type Answer = { readonly status: number; readonly body: unknown };
type Stored = { readonly id: number; readonly shown: object };

export async function createRegistry({ port = 0, hooks }: RegistryOptions = {}): Promise<Registry> {
  const store = new Store();
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').replace(/[?#].*/, '');
    const { delayMs, status } = hooks?.onRequest?.(method, path) ?? {};
    if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
    return status ? fail(status, status, 'Injected fault') : route(store, method, path, await readBody(request));
  };
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
        response.end(JSON.stringify(body));
      },
      (error) => response.destroy(error), // the client hung up during its request
    );
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
      server.close().closeAllConnections();
      await once(server, 'close');
    },
  };
}

function route(store: Store, method: string, path: string, body: unknown): Answer {
  const [root, first, second, third] = path.split('/').slice(1).map(decode);
  const [get, post] = [method === 'GET', method === 'POST'];
  if (get && root === 'config') return ok({ compatibilityLevel: 'NONE' });
  if (get && root === 'schemas' && first === 'ids') {
    const stored = store.byId.get(Number(second));
    return stored ? ok(stored.shown) : fail(404, 40403, `Schema ${second} not found`);
  }
  if (root !== 'subjects' || !(get || post)) return fail(404, 404, 'HTTP 404 Not Found');
  if (get && first === undefined) return ok([...store.subjects.keys()]);
  if (post && second === 'versions') {
    const stored = store.register(first, body);
    return stored ? ok({ id: stored.id }) : fail(422, 42201, 'Invalid schema');
  }
  const versions = store.subjects.get(first);
  if (!versions) return fail(404, 40401, `Subject '${first}' not found.`);
  const show = (stored: Stored): Answer =>
    ok({ subject: first, version: versions.indexOf(stored) + 1, id: stored.id, ...stored.shown });
  if (post) {
    const stored = store.find(body);
    return stored && versions.includes(stored) ? show(stored) : fail(404, 40403, 'Schema not found');
  }
  if (third === undefined) return ok(versions.map((_, index) => index + 1));
  const version = third === 'latest' ? versions.length : Number(third);
  if (!(version >= 1)) return fail(422, 42202, `The specified version '${third}' is not a valid version id.`);
  const stored = versions[version - 1];
  return stored ? show(stored) : fail(404, 40402, `Version ${third} not found.`);
}

class Store {
  readonly subjects = new Map<string, Stored[]>();
  readonly byId = new Map<number, Stored>();
  /** Equal schemas share an id, whatever their subject and formatting. */
  readonly #byContent = new Map<string, Stored>();

  /** Null for an invalid schema. */
  register(subject: string, input: unknown): Stored | null {
    const shown = normalize(input);
    if (shown === null) return null;
    const content = JSON.stringify(shown);
    const stored = this.#byContent.get(content) ?? { id: this.byId.size + 1, shown };
    this.#byContent.set(content, stored);
    this.byId.set(stored.id, stored);
    const versions = this.subjects.get(subject) ?? [];
    if (!versions.includes(stored)) versions.push(stored);
    this.subjects.set(subject, versions);
    return stored;
  }

  find(input: unknown): Stored | undefined {
    return this.#byContent.get(JSON.stringify(normalize(input)));
  }
}

/** A schema as the registry returns it, in a normal form; defaults (Avro, no references) are omitted. */
function normalize(input: unknown): object | null {
  const { schema, schemaType = 'AVRO', references = [] } = (input ?? {}) as Partial<SchemaInput>;
  const parsed = typeof schema === 'string' && schemaType !== 'PROTOBUF' ? parseJson(schema) : schema;
  if (parsed === null || parsed === undefined) return null;
  return {
    schema: schemaType === 'PROTOBUF' ? parsed : JSON.stringify(parsed),
    ...(schemaType === 'AVRO' ? {} : { schemaType }),
    ...(references.length === 0 ? {} : { references }),
  };
}

/** Null for invalid JSON: no schema or request is ever the literal null. */
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
  for await (const chunk of request) chunks.push(chunk);
  return parseJson(Buffer.concat(chunks).toString());
}

const ok = (body: unknown): Answer => ({ status: 200, body });
const fail = (status: number, error_code: number, message: string): Answer => ({
  status,
  body: { error_code, message },
});
