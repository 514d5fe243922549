import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { METRICS } from '../../src/telemetry/catalogue.ts';
import { createAuthority } from '../fixtures/certificates.ts';
import { runHere } from '../fixtures/io.ts';
import { KINDS } from '../fixtures/kubernetes.ts';
import { ROOT, read } from './pages.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests are looked at by path, after their schema has held.
type Manifest = any;

const FOLDER = 'deploy/kubernetes';
const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
const files = readdirSync(join(ROOT, FOLDER), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml') && file !== 'base/topology.yaml')
  .sort();
const manifests = new Map<string, Manifest>(files.map((file) => [file, parse(read(join(FOLDER, file)))]));
const folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const base = (name: string): Manifest => manifests.get(`base/${name}.yaml`);
const pod = (): Manifest => base('deployment').spec.template.spec;
const container = (): Manifest => pod().containers[0];

for (const [file, manifest] of manifests) {
  test(`${FOLDER}/${file} is what its kind may be`, () => {
    const schema = KINDS[manifest.kind];
    assert.ok(schema, `no schema for ${manifest.kind}`);
    const validate = ajv.compile(schema);
    assert.ok(validate(manifest), ajv.errorsText(validate.errors, { separator: '\n' }));
  });
}

test('a misspelt key, a wrong type and a container without limits are found', () => {
  const validate = ajv.compile(KINDS.Deployment);
  const broken = (change: (manifest: Manifest) => void): boolean => {
    const copy = structuredClone(base('deployment'));
    change(copy);
    return !validate(copy);
  };
  assert.ok(!broken(() => undefined));
  assert.ok(broken(({ spec }) => Object.assign(spec, { replica: 2 })));
  assert.ok(broken(({ spec }) => Object.assign(spec, { replicas: '2' })));
  assert.ok(broken(({ spec }) => Object.assign(spec.template.spec.securityContext, { runAsUser: 0 })));
  assert.ok(broken(({ spec }) => delete spec.template.spec.containers[0].resources));
});

test('what kustomizations name is there, and all that is there is named', () => {
  const listed = new Set<string>();
  for (const part of ['base', 'keda']) {
    const { resources, configMapGenerator = [] } = manifests.get(`${part}/kustomization.yaml`);
    const named = [...resources, ...configMapGenerator.flatMap(({ files: own = [] }: Manifest) => own)];
    for (const name of named) {
      assert.ok(existsSync(join(ROOT, FOLDER, part, name)), `${part}/${name}`);
      listed.add(`${part}/${name}`);
    }
  }
  const alone = files.filter((file) => !/kustomization|example/.test(file) && !listed.has(file));
  assert.deepEqual(alone, []);
});

test('selectors, ports, config maps and secrets lead to something', () => {
  const { labels } = base('deployment').spec.template.metadata;
  const selectors = [
    base('deployment').spec.selector.matchLabels,
    base('service').spec.selector,
    base('disruption-budget').spec.selector.matchLabels,
    base('network-policy').spec.podSelector.matchLabels,
  ];
  for (const selector of selectors) assert.deepEqual(selector, labels);
  const [port] = container().ports;
  assert.equal(base('service').spec.ports[0].targetPort, port.name);
  assert.equal(base('network-policy').spec.ingress[0].ports[0].port, port.name);
  assert.equal(base('deployment').spec.template.metadata.annotations['prometheus.io/port'], String(port.containerPort));
  for (const probe of [container().livenessProbe, container().readinessProbe])
    assert.equal(probe.httpGet.port, port.name);
  assert.deepEqual(
    [container().livenessProbe.httpGet.path, container().readinessProbe.httpGet.path],
    ['/live', '/ready'],
  );
  const maps = base('kustomization').configMapGenerator.map(({ name }: Manifest) => name);
  const volumes = new Map<string, Manifest>(pod().volumes.map((volume: Manifest) => [volume.name, volume]));
  assert.ok(maps.includes(volumes.get('topology').configMap.name));
  assert.ok(maps.includes(container().envFrom[0].configMapRef.name));
  assert.equal(volumes.get('credentials').secret.secretName, base('secret.example').metadata.name);
  for (const { name } of container().volumeMounts) assert.ok(volumes.has(name), name);
  assert.equal(pod().serviceAccountName, base('service-account').metadata.name);
  const scaled = manifests.get('keda/scaled-object.yaml');
  assert.equal(scaled.spec.scaleTargetRef.name, base('deployment').metadata.name);
  const [, metric] = /(sluice_\w+)/.exec(scaled.spec.triggers[0].metadata.query) ?? [];
  assert.ok(Object.hasOwn(METRICS, metric ?? ''), metric);
});

test('the topology in it holds; the drain fits the grace period, the bound of memory its limit, and what it reads is mounted', async () => {
  const text = read(`${FOLDER}/base/topology.yaml`);
  const mounted = container().volumeMounts.find(({ name }: Manifest) => name === 'credentials').mountPath;
  const secrets = Object.keys(base('secret.example').stringData);
  for (const [, file] of text.matchAll(new RegExp(`${mounted}/([\\w.-]+)`, 'g')))
    assert.ok(secrets.includes(file), file);
  for (const secret of secrets)
    writeFileSync(join(folder, secret), secret.endsWith('.pem') ? createAuthority('cluster').cert : 'secret\n');
  const literals = base('kustomization').configMapGenerator.flatMap(({ literals: own = [] }: Manifest) => own);
  const env = Object.fromEntries(literals.map((literal: string) => literal.split(/=(.*)/s).slice(0, 2)));
  const topology = join(folder, 'topology.yaml');
  writeFileSync(topology, text.replaceAll(mounted, folder));
  const { code, stdout, stderr } = await runHere(['check', topology, '--json'], { env });
  assert.equal(code, 0, stdout + stderr);
  const { memory } = JSON.parse(stdout);
  const [, mebibytes] = /^(\d+)Mi$/.exec(container().resources.limits.memory) ?? [];
  assert.ok(memory.bytes <= Number(mebibytes) * 2 ** 20, `${memory.bytes} bytes do not fit ${mebibytes} MiB`);
  const [, drainSeconds] = /drain: (\d+)s/.exec(text) ?? [];
  assert.ok(pod().terminationGracePeriodSeconds >= Number(drainSeconds) + 5);
});
