import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { runHere } from '../fixtures/io.ts';
import { ROOT, read } from './pages.ts';

/** What the file uses of the compose specification; a key that is not here is misspelt, or has to be added. */
const TEXT = { type: 'string', minLength: 1 };
const DURATION = { type: 'string', pattern: '^[0-9]+(ms|s|m)$' };
const COMMAND = { type: 'array', items: { type: 'string' }, minItems: 1 };
const SERVICE = {
  type: 'object',
  required: ['image'],
  additionalProperties: false,
  properties: {
    image: { type: 'string', pattern: '^[^:]+:[^:]+$' },
    build: {
      type: 'object',
      properties: { context: TEXT, dockerfile: TEXT },
      required: ['context', 'dockerfile'],
      additionalProperties: false,
    },
    environment: { type: 'object', additionalProperties: { type: ['string', 'number'] } },
    ports: { type: 'array', items: { type: 'string', pattern: '^[0-9]+:[0-9]+$' } },
    profiles: COMMAND,
    restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
    entrypoint: COMMAND,
    command: COMMAND,
    volumes: COMMAND,
    stop_grace_period: DURATION,
    depends_on: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['condition'],
        additionalProperties: false,
        properties: { condition: { enum: ['service_started', 'service_healthy', 'service_completed_successfully'] } },
      },
    },
    healthcheck: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ...{ test: COMMAND, disable: { const: true }, retries: { type: 'integer' } },
        ...{ interval: DURATION, timeout: DURATION, start_period: DURATION },
      },
    },
  },
};

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly restart?: string;
  readonly stop_grace_period?: string;
}

const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Readonly<Record<string, Service>>;
};

test('each service is what a service may be', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(SERVICE);
  for (const [name, service] of Object.entries(services))
    assert.ok(validate(service), `${name}: ${JSON.stringify(validate.errors)}`);
  assert.ok(!validate({ ...services.kafka, enviroment: {} }), 'a misspelt key is found');
});

test('what is waited for is there, and can become what it is waited for', () => {
  for (const [name, { depends_on = {} }] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const awaited = services[other];
      assert.ok(awaited, `${name} waits for ${other}`);
      if (condition === 'service_healthy') assert.ok(awaited.healthcheck?.test, `${other} has no health check`);
      if (condition === 'service_completed_successfully')
        assert.equal(awaited.restart, 'no', `${other} would begin again`);
    }
  }
});

test('files that are mounted are there', () => {
  const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes);
  for (const mount of mounts) assert.ok(existsSync(join(ROOT, mount.split(':')[0])), mount);
});

test('commands of ours are commands, with the topology’s topics, variables and drain', async () => {
  const own = Object.entries(services).filter(([, { image }]) => image.startsWith('sluice:'));
  assert.deepEqual(
    own.map(([name]) => name),
    ['features', 'sluice'],
  );
  for (const [, { command = [] }] of own) {
    const name = command[0] === 'features' ? command.slice(0, 2) : command.slice(0, 1);
    const { stdout } = await runHere([...name, '--help']);
    assert.ok(stdout.startsWith(`Usage: sluice ${name.join(' ')} `));
    for (const option of command.filter((word) => word.startsWith('--'))) assert.ok(stdout.includes(option), option);
    for (const path of command.filter((word) => word.includes('/'))) assert.ok(existsSync(join(ROOT, path)), path);
  }
  const text = read('topologies/flight-delay.yaml');
  const { source, output, deadLetter, flow } = parse(text);
  const made = services.topics.command?.[0] ?? '';
  for (const topic of [...source.topics, output.topic, deadLetter.topic]) assert.ok(made.includes(topic), topic);
  for (const name of ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL']) {
    assert.ok(text.includes(`\${${name}:-`), name);
    assert.ok(Object.hasOwn(services.sluice.environment ?? {}, name), name);
  }
  const seconds = (duration = ''): number => Number(/^(\d+)s$/.exec(duration)?.[1]);
  assert.ok(seconds(services.sluice.stop_grace_period) >= seconds(flow.drain) + 5);
});
