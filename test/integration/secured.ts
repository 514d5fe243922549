import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../fixtures/certificates.ts';
import { type ServiceOptions, type Services, startServices } from './services.ts';

/** In every secret of these tests: it must come out nowhere. */
export const CANARY = 'canary-4711';
export const PASSWORD = `${CANARY}-password`;
const DAY_MS = 86_400_000;

/** A broker with TLS and logins, and in `dir` what its clients need: ca.pem, other.pem, client.pem, client.key, password, wrong. */
export interface Secured {
  readonly dir: string;
  readonly services: Services;
  /** `host:port` of a listener of kafka.sh --secure. */
  readonly saslSsl: string;
  readonly mutual: string;
  readonly expired: string;
  /** An https server with a certificate of the same authority; closed at the end. */
  serve(listener: Parameters<typeof createServer>[1]): Promise<string>;
  stop(): Promise<void>;
}

export async function startSecured(options: ServiceOptions = {}): Promise<Secured> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-secured-'));
  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  const authority = createAuthority('sluice tests');
  const server = authority.issue({ name: 'kafka', hosts: ['127.0.0.1'] });
  const [from, to] = [3, 1].map((days) => new Date(Date.now() - days * DAY_MS));
  const expired = authority.issue({ name: 'kafka', hosts: ['127.0.0.1'], from, to });
  const client = authority.issue({ name: 'sluice' });
  write('ca.pem', authority.cert);
  write('other.pem', createAuthority('somebody else').cert);
  write('server.pem', server.key + server.cert);
  write('expired.pem', expired.key + expired.cert);
  write('client.pem', client.cert);
  write('client.key', client.key);
  write('users', `alice ${PASSWORD}\ncarol ${PASSWORD}\n`);
  write('password', `${PASSWORD}\n`);
  write('wrong', `${CANARY}-wrong\n`);
  const services = await startServices({ ...options, kafkaSecure: dir });
  const [host, port] = services.brokers.split(':');
  const at = (offset: number): string => `${host}:${Number(port) + offset}`;
  const servers: Server[] = [];
  return {
    ...{ dir, services, saslSsl: at(200), mutual: at(300), expired: at(400) },
    async serve(listener) {
      const made = createServer(server, listener);
      servers.push(made);
      await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
      return `https://127.0.0.1:${(made.address() as AddressInfo).port}`;
    },
    async stop() {
      for (const each of servers) each.close().closeAllConnections();
      await services.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A token as Kafka's validator for tests takes it: signed by nobody. */
export function unsignedToken(subject: string, lifeSeconds: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Date.now() / 1000;
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + lifeSeconds, canary: CANARY })}.`;
}
