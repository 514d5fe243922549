/**
 * Real Apache Kafka and the real Bigtable emulator for tests: on free ports, with throw-away data, without Docker.
 * Promise: what `startServices` resolves with is ready to use; what cannot start is an error that says what to install,
 * never a skip; nothing outlives the process that started it, even one that is killed.
 * Limits: Linux; needs Java 17, Maven and unzip, and the network the first time (services/*.sh cache what they fetch).
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('./services/', import.meta.url));
/** A first start fetches 105 MB; the machine may be slow. */
const START_TIMEOUT_MS = 10 * 60_000;
const STOP_TIMEOUT_MS = 60_000;
/** Another process may take a port between our look and Kafka's start. */
const ATTEMPTS = 3;
/** From 32768 on, Linux hands ports to outgoing connections, and a listener may find its own taken. */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;
/** kafka.sh puts the controller of the node on port P at P + 100, and secure listeners above. */
const OFFSETS = [0, 100, 200, 300, 400];

export interface ServiceOptions {
  /** Nodes of the Kafka cluster: 1 (default), or 3 for what needs leaders to move. */
  readonly kafkaNodes?: 1 | 3;
  /** A folder with server.pem, ca.pem and users: kafka.sh says what listens then, and where. */
  readonly kafkaSecure?: string;
  /** False: Kafka alone. */
  readonly bigtable?: boolean;
  /** More lines for Kafka's server.properties. */
  readonly kafkaSettings?: Readonly<Record<string, string>>;
}

export interface Services {
  /** `host:port,…`, as KAFKA_BROKERS takes it. */
  readonly brokers: string;
  /** `host:port`, as BIGTABLE_EMULATOR_HOST takes it. */
  readonly bigtableEmulatorHost: string;
  /** SIGKILLs a Kafka node, counted from 1. */
  killKafkaNode(node: number): Promise<void>;
  /** SIGTERM: the node hands its leaderships over first; resolves when it is gone. */
  endKafkaNode(node: number): Promise<void>;
  /** SIGSTOP: the node hangs, its sockets stay open. */
  freezeKafkaNode(node: number): Promise<void>;
  thawKafkaNode(node: number): Promise<void>;
  /** Starts a killed node again on its old data; resolves when it serves. */
  bootKafkaNode(node: number): Promise<void>;
  /** Stops both and deletes their data. */
  stop(): Promise<void>;
}

export async function startServices(options: ServiceOptions = {}): Promise<Services> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-services-'));
  const kafkaDir = join(dir, 'kafka');
  const bigtableDir = join(dir, 'bigtable');
  spawn(join(SCRIPTS, 'reap.sh'), [String(process.pid), dir], { detached: true, stdio: 'ignore' }).unref();

  const stop = async (): Promise<void> => {
    await Promise.all([
      script('kafka.sh', ['stop', '--dir', kafkaDir], STOP_TIMEOUT_MS),
      script('bigtable.sh', ['stop', '--dir', bigtableDir], STOP_TIMEOUT_MS),
    ]);
    await rm(dir, { recursive: true, force: true });
  };
  const nodes = options.kafkaNodes ?? 1;
  const settings = Object.entries(options.kafkaSettings ?? {}).flatMap(([name, value]) => [
    '--set',
    `${name}=${value}`,
  ]);
  const secure = options.kafkaSecure === undefined ? [] : ['--secure', options.kafkaSecure];
  const startKafka = (port: number) =>
    script(
      'kafka.sh',
      ['start', '--brokers', String(nodes), '--port', String(port), '--dir', kafkaDir, ...secure, ...settings],
      START_TIMEOUT_MS,
    );
  const startBigtable = (port: number) =>
    script('bigtable.sh', ['start', '--port', String(port), '--dir', bigtableDir], START_TIMEOUT_MS);

  const onNode = (command: string, node: number, ...more: string[]) =>
    script('kafka.sh', [command, String(node), '--dir', kafkaDir, ...more], START_TIMEOUT_MS);

  try {
    const brokers = await onFreePort(nodes, startKafka);
    const bigtableEmulatorHost = options.bigtable === false ? '' : await onFreePort(1, startBigtable);
    return {
      brokers,
      bigtableEmulatorHost,
      killKafkaNode: async (node) => void (await onNode('kill', node)),
      endKafkaNode: async (node) => void (await onNode('kill', node, '--graceful')),
      freezeKafkaNode: async (node) => void (await onNode('freeze', node)),
      thawKafkaNode: async (node) => void (await onNode('thaw', node)),
      bootKafkaNode: async (node) => void (await onNode('boot', node)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The script's standard output, trimmed; its messages go to ours. */
function script(name: string, args: readonly string[], timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(SCRIPTS, name), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let output = '';
    let messages = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      messages += text;
      process.stderr.write(text);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output.trim());
      else reject(new Error(`${name} ${args[0]} ended with ${signal ?? code}\n${messages.trim()}`));
    });
  });
}

async function onFreePort(nodes: number, start: (port: number) => Promise<string>): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort(nodes));
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes('is taken')) throw error;
    }
  }
}

let nextPort = FIRST_PORT + ((process.pid * 211) % (LAST_PORT - FIRST_PORT));

/** A port P with P…P+nodes−1 and, for Kafka's controllers, P+100… free. Processes begin to look at different places. */
async function freePort(nodes: number): Promise<number> {
  for (let tried = FIRST_PORT; tried < LAST_PORT; tried++) {
    const port = nextPort;
    nextPort = port + 1 < LAST_PORT ? port + 1 : FIRST_PORT;
    const wanted = Array.from({ length: nodes }, (_, i) => OFFSETS.map((offset) => port + i + offset)).flat();
    const free = await Promise.all(wanted.map(isFree));
    if (!free.includes(false)) {
      nextPort = port + nodes < LAST_PORT ? port + nodes : FIRST_PORT;
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
