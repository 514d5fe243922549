import type { Clock } from '../../kernel/clock.ts';
import { hideSecrets } from '../../kernel/connections/secret.ts';
import { type TlsSettings, tlsTrouble, tlsWords } from '../../kernel/connections/tls.ts';
import { askWeb } from '../../kernel/connections/web.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { baseOf, type RegistryLogin, refusal, registryHeaders, repeatable } from './address.ts';
import { inlineReferences, MAX_REFERENCED, referencesOf } from './references.ts';

export interface RegistryOptions {
  /** Without credentials. */
  readonly url: string;
  readonly login?: RegistryLogin;
  readonly ssl?: TlsSettings;
  readonly timeoutMs?: number;
  /** Schemas kept, of MAX_SCHEMA_BYTES at most; the one that was not asked for longest is forgotten. */
  readonly maxSchemas?: number;
  /** How long an id that does not exist is not asked for again. */
  readonly unknownForMs?: number;
  /** Look-ups of ids that are not known, a second: a flood of made-up ids must not become a flood of requests. */
  readonly maxLookUpsPerSecond?: number;
}

const MAX_BODY_BYTES = 1024 * 1024;
/** The most text of cached schemas: a thousand of a megabyte each would be a gigabyte. */
export const MAX_SCHEMA_BYTES = 8 * 1024 * 1024;
/** The registry's own code, in the body of a 404. */
const SCHEMA_NOT_FOUND = 40403;
/** No such subject, no such schema in it. */
const NOT_REGISTERED: ReadonlySet<unknown> = new Set([40401, SCHEMA_NOT_FOUND]);
/** No such subject, version or schema. */
const NOT_THERE: ReadonlySet<unknown> = new Set([40401, 40402, SCHEMA_NOT_FOUND]);
/** How much to quote of a registry's reason for refusing a schema. */
const MAX_SAID = 500;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

/**
 * A Confluent-compatible schema registry. Schemas are cached (a schema never changes under its id), unknown ids only for a while, and
 * concurrent look-ups of one id are one request. Referenced schemas are fetched too, and inserted where they are used.
 * Time, size and rate of requests are bounded. Retries are left to the caller.
 */
export function createRegistrySchemas(
  deps: { readonly clock: Clock; readonly telemetry: Telemetry },
  options: RegistryOptions,
): SchemaSource {
  const { clock, telemetry } = deps;
  const { timeoutMs = 3_000, maxSchemas = 1_000, unknownForMs = 60_000, maxLookUpsPerSecond = 50 } = options;
  const base = baseOf(options.url);
  const schemas = new Map<number, Kept>();
  let keptBytes = 0;
  const unknown = new Map<number, number>();
  const asking = new Map<number, Promise<unknown>>();
  let secondStartedMs = Number.NEGATIVE_INFINITY;
  let lookUps = 0;

  async function ask(method: 'GET' | 'POST', path: string, body?: string): Promise<{ status: number; json: unknown }> {
    const whoWeAre = registryHeaders(options.login);
    let status: number;
    let text: string;
    try {
      ({ status, text } = await askWeb({
        method,
        url: `${base}${path}`,
        headers: {
          accept: CONTENT_TYPE,
          ...(body === undefined ? {} : { 'content-type': CONTENT_TYPE }),
          ...whoWeAre,
        },
        body,
        tls: options.ssl,
        timeoutMs,
        maxBytes: MAX_BODY_BYTES,
      }));
    } catch (thrown) {
      const why = (thrown as Error).message;
      const trouble = tlsTrouble((thrown as NodeJS.ErrnoException).code, 'connections.registry');
      if (trouble !== undefined) {
        const message = `schema registry ${base} is not talked to: ${trouble.what} (${tlsWords(why)}); ${trouble.remedy}`;
        throw new SluiceError('peer-untrusted', message, thrown);
      }
      throw new SluiceError(
        'registry-unavailable',
        `schema registry ${base} does not answer: ${why}; check connections.registry.url, and that it runs`,
        thrown,
      );
    }
    if (status === 401) {
      throw new SluiceError(
        'login-refused',
        `schema registry ${base} refuses ${method} ${path}: ${refusal(options.login)}`,
      );
    }
    if (status === 403) {
      throw new SluiceError(
        'registry-refused',
        `schema registry ${base} refuses ${method} ${path} (HTTP 403): give this user the right to do it`,
      );
    }
    if (status === 429 || status >= 500) {
      throw new SluiceError(
        'registry-unavailable',
        `schema registry ${base} answers HTTP ${status} to ${method} ${path}`,
      );
    }
    return { status, json: parsed(text) };
  }

  async function lookUp(id: number): Promise<unknown> {
    admitLookUp(id);
    const { status, json } = await ask('GET', `/schemas/ids/${id}`);
    const answer = json as
      | { schema?: unknown; schemaType?: unknown; references?: unknown; error_code?: unknown }
      | undefined;
    // A gateway in front of a registry that is down answers 404 as well → whole topics would be dead-lettered → only the
    // registry's own word that there is no such schema counts.
    if (status === 404 && answer?.error_code === SCHEMA_NOT_FOUND) {
      unknown.set(id, clock.monotonicMs() + unknownForMs);
      if (unknown.size > maxSchemas) unknown.delete(unknown.keys().next().value as number);
      throw unknownSchema(id, `schema registry ${base} has no schema with id ${id}`);
    }
    if (status !== 200 || typeof answer?.schema !== 'string') {
      throw new SluiceError(
        'registry-unavailable',
        `schema registry ${base} answers HTTP ${status} without a schema to id ${id}`,
      );
    }
    if (answer.schemaType !== undefined && answer.schemaType !== 'AVRO') {
      throw unknownSchema(id, `schema ${id} is ${String(answer.schemaType)}, not Avro`);
    }
    const schema = parsed(answer.schema);
    if (schema === undefined) throw unknownSchema(id, `schema ${id} of ${base} is not JSON`);
    const references = await fetchReferences(id, answer.references);
    const whole = references.length === 0 ? schema : inlineReferences(schema, references);
    keep(id, { schema: whole, bytes: references.length === 0 ? answer.schema.length : JSON.stringify(whole).length });
    telemetry.event('schema-fetched', { id });
    return whole;
  }

  /** All schemas that a schema refers to, and those that they refer to; each is asked for once, so a circle ends. */
  async function fetchReferences(id: number, listed: unknown): Promise<readonly unknown[]> {
    const found = new Map<string, unknown>();
    const open = [listed];
    while (open.length > 0) {
      const references = referencesOf(open.pop());
      if (references === undefined) throw unknownSchema(id, `schema ${id} of ${base} has references that are none`);
      for (const { subject, version } of references) {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
        if (found.has(path)) continue;
        if (found.size >= MAX_REFERENCED) {
          throw unknownSchema(id, `schema ${id} of ${base} refers to more than ${MAX_REFERENCED} others`);
        }
        const { status, json } = await ask('GET', path);
        const answer = json as { schema?: unknown; references?: unknown; error_code?: unknown } | undefined;
        if (status === 404 && NOT_THERE.has(answer?.error_code)) {
          throw unknownSchema(
            id,
            `schema ${id} of ${base} refers to version ${version} of ${subject}, which is not there`,
          );
        }
        const schema = typeof answer?.schema === 'string' ? parsed(answer.schema) : undefined;
        if (status !== 200 || schema === undefined) {
          throw new SluiceError(
            'registry-unavailable',
            `schema registry ${base} answers HTTP ${status} without a schema to GET ${path}`,
          );
        }
        found.set(path, schema);
        open.push(answer?.references);
      }
    }
    return [...found.values()];
  }

  function keep(id: number, kept: Kept): void {
    schemas.set(id, kept);
    keptBytes += kept.bytes;
    // The one that came last stays, however large.
    for (const [oldest, { bytes }] of schemas) {
      if (oldest === id || (schemas.size <= maxSchemas && keptBytes <= MAX_SCHEMA_BYTES)) return;
      schemas.delete(oldest);
      keptBytes -= bytes;
    }
  }

  /** Throws when too many ids were looked up within this second. */
  function admitLookUp(id: number): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - secondStartedMs >= 1_000) {
      secondStartedMs = nowMs;
      lookUps = 0;
    }
    if (++lookUps <= maxLookUpsPerSecond) return;
    telemetry.event('registry-throttled', { id });
    throw new SluiceError(
      'registry-unavailable',
      `more than ${maxLookUpsPerSecond} schema ids a second are new: look-ups are limited, ${id} has to wait`,
    );
  }

  return {
    async writerSchema(id) {
      const known = schemas.get(id);
      if (known !== undefined) {
        schemas.delete(id);
        schemas.set(id, known);
        return known.schema;
      }
      if ((unknown.get(id) ?? 0) > clock.monotonicMs())
        throw unknownSchema(id, `schema registry ${base} has no schema with id ${id}`);
      let flight = asking.get(id);
      if (flight === undefined) {
        flight = lookUp(id).finally(() => asking.delete(id));
        asking.set(id, flight);
      }
      return flight;
    },
    async idFor(subject, schema, { register } = { register: true }) {
      const body = JSON.stringify({ schema: JSON.stringify(schema) });
      const path = `/subjects/${encodeURIComponent(subject)}${register ? '/versions' : ''}`;
      const { status, json } = await ask('POST', path, body);
      const { id, message, error_code } = (json ?? {}) as { id?: unknown; message?: unknown; error_code?: unknown };
      if (!register && status === 404 && NOT_REGISTERED.has(error_code)) return -1;
      if (status === 200 && typeof id === 'number') {
        if (register) telemetry.event('schema-registered', { subject, id });
        return id;
      }
      const why =
        status === 409
          ? 'it is not compatible with the versions before it'
          : hideSecrets(String(message ?? `HTTP ${status}`), repeatable(options.login)).slice(0, MAX_SAID);
      throw new SluiceError(
        'registry-refused',
        `schema registry ${base} does not take the schema of ${subject}: ${why}; change the schema or the subject's compatibility`,
      );
    },
  };
}

interface Kept {
  readonly schema: unknown;
  /** Of its text. */
  readonly bytes: number;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw classify(thrown);
  }
}

function unknownSchema(id: number, message: string): SluiceError {
  return new SluiceError('schema-unknown', `${message}; records that name ${id} are dead-lettered`);
}
