import { parseKeyTemplate } from '../codecs/key-template.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import { checkDevices } from './device-rules.ts';
import { lookUpsIn } from './look-ups.ts';
import { checkOverload } from './overload-rules.ts';
import type { TopologyFile } from './schema.ts';
import { checkStores } from './store-rules.ts';
import { formatDuration } from './units.ts';

/** Rules between keys of a topology. Every combination that cannot work is an error here, never repaired later. */

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/** The key of `connections` for each store, and its possible content. */
const STORE_KEYS = {
  bigtable: ['bigtable', '{ project: …, instance: … }'],
  redis: ['redis', '{ url: "redis://localhost:6379" }'],
  file: ['files', '{ folder: … }'],
} as const;

const RESERVED_NAMES = ['event', 'prediction', 'details', 'model'];

export function checkRules(file: TopologyFile, yaml: YamlDocument): CheckFinding[] {
  const findings: CheckFinding[] = [];
  const report: Report = (path, message, remedy, severity) => findings.push(yaml.at(path, message, remedy, severity));
  checkConnections(file, report);
  checkTopics(file, report);
  checkValue(file, file.source.value, ['source', 'value'], report);
  checkValue(file, file.output.value, ['output', 'value'], report);
  checkViews(file, report);
  checkStores(file, report);
  checkSharedReads(file, report);
  checkCaches(file, report);
  checkFlow(file, report);
  checkOverload(file, report);
  checkModel(file, report);
  checkPlacement(file, report);
  checkDevices(file, report);
  if (file.output.key !== undefined) checkKey(file.output.key, ['output', 'key'], report);
  return findings;
}

function checkConnections(file: TopologyFile, report: Report): void {
  const { connections } = file;
  const lookUps = lookUpsIn(file);
  lookUps.forEach(({ list, i, entry: { from } }, k) => {
    const [key, example] = STORE_KEYS[from];
    if (connections[key] !== undefined || lookUps.findIndex(({ entry }) => entry.from === from) < k) return;
    report(
      [list, i, 'from'],
      `reads from ${from}, and connections ${from === 'file' ? `has no ${key}` : 'names none'}`,
      `add connections.${key}: ${example}; without it only \`batch --features\`${from === 'bigtable' ? ' and `dev`' : ''} can run`,
      'warning',
    );
  });
}

function checkTopics({ source, output, deadLetter }: TopologyFile, report: Report): void {
  source.topics.forEach((topic, i) => {
    if (source.topics.indexOf(topic) < i)
      report(['source', 'topics', i], `topic "${topic}" is named twice`, 'name each topic once');
  });
  if (source.topics.includes(output.topic)) {
    const message = `"${output.topic}" is a source topic too: predictions would be read as events`;
    report(['output', 'topic'], message, 'write predictions to a topic of their own');
  }
  if (source.topics.includes(deadLetter.topic)) {
    const message = `"${deadLetter.topic}" is a source topic too: a record that fails would come back for ever`;
    report(['deadLetter', 'topic'], message, 'write dead letters to a topic of their own');
  }
  if (output.topic === deadLetter.topic) {
    const message = `"${deadLetter.topic}" is the output topic too: readers would take dead letters for predictions`;
    report(['deadLetter', 'topic'], message, 'write dead letters to a topic of their own');
  }
}

function checkValue(file: TopologyFile, value: TopologyFile['source']['value'], path: Path, report: Report): void {
  const registry = file.connections.registry;
  if ((value.avro === undefined) === (value.json === undefined)) {
    const message = value.avro === undefined ? 'names no schema' : 'names both avro and json';
    report(path, message, 'write { avro: FILE.avsc, wire: confluent } or { json: FILE.avsc }');
    return;
  }
  if (value.json !== undefined) {
    if (value.wire !== undefined)
      report(
        [...path, 'wire'],
        'frames Avro, and this value is JSON',
        'leave wire out, or write avro: instead of json:',
      );
    if (value.ids !== undefined)
      report([...path, 'ids'], 'are ids of Avro schemas, and this value is JSON', 'leave ids out');
    return;
  }
  if (value.wire === undefined) {
    report(
      [...path, 'wire'],
      'is missing',
      'write wire: confluent (schema id in front) or wire: plain (nothing in front)',
    );
  } else if (value.wire === 'plain' && value.ids !== undefined) {
    report(
      [...path, 'ids'],
      'mean nothing with wire: plain, which has no ids',
      'leave ids out, or write wire: confluent',
    );
  } else if (value.wire === 'confluent' && registry === undefined && value.ids === undefined) {
    report(
      [...path, 'wire'],
      'is confluent, and neither a registry nor ids say what its schema ids mean',
      'add connections.registry: { url: … }, or ids: [3] here, or write wire: plain',
    );
  } else if (value.ids !== undefined && registry !== undefined) {
    report(
      [...path, 'ids'],
      'are not used: connections.registry knows the ids',
      'leave ids or the registry out',
      'warning',
    );
  }
}

function checkViews(file: TopologyFile, report: Report): void {
  const seen = new Map<string, string>();
  for (const { list, i, entry } of lookUpsIn(file)) {
    checkKey(entry.key, [list, i, 'key'], report);
    for (const [name, view] of Object.entries(entry.views)) {
      const path = [list, i, 'views', name];
      const other = seen.get(name);
      if (RESERVED_NAMES.includes(name)) {
        report(
          path,
          `"${name}" means something else in expressions`,
          `choose another view name than ${RESERVED_NAMES.join(', ')}`,
        );
      } else if (other !== undefined) {
        report(path, `view "${name}" exists already, in ${other}`, 'give each view a name of its own');
      }
      seen.set(name, `${list}[${i}]`);
      if (view.onStale !== undefined && view.maxAge === undefined) {
        report(
          [...path, 'onStale'],
          'says what becomes of stale rows, and no maxAge says what is stale',
          'add maxAge, for example maxAge: 7d',
        );
      }
      const names = view.columns.map((column) => column.replace(/\[.*/, ''));
      names.forEach((column, k) => {
        if (names.indexOf(column) < k)
          report([...path, 'columns', k], `column "${column}" is named twice`, 'name each column once');
      });
    }
  }
}

function checkSharedReads(file: TopologyFile, report: Report): void {
  const lookUps = lookUpsIn(file);
  for (const { list, i, entry } of lookUps) {
    const shared = lookUps.find(
      ({ list: owner, entry: other }) =>
        owner === list &&
        other.from === entry.from &&
        other.table === entry.table &&
        other.key === entry.key &&
        other.layout === entry.layout,
    );
    if (shared === undefined || shared.i === i || entry.cache === undefined) continue;
    if (JSON.stringify(shared.entry.cache) !== JSON.stringify(entry.cache)) {
      const message = `shares one read with ${list}[${shared.i}] (same table and key), which says otherwise about its cache`;
      report([list, i, 'cache'], message, 'say the same in both, or in the first only');
    }
  }
}

function checkCaches(file: TopologyFile, report: Report): void {
  const { output, deadLetter } = file;
  for (const { list, i, entry } of lookUpsIn(file)) {
    if (entry.cache === undefined) continue;
    const { refreshAfter, ttl, invalidateBy } = entry.cache;
    if (refreshAfter !== undefined && refreshAfter >= ttl) {
      const message = `is ${formatDuration(refreshAfter)}, and a row is gone after its ttl, ${formatDuration(ttl)}: none would ever be read ahead`;
      report([list, i, 'cache', 'refreshAfter'], message, 'write less than the ttl, for example four fifths of it');
    }
    if (invalidateBy !== undefined && (invalidateBy === output.topic || invalidateBy === deadLetter.topic)) {
      const message = `"${invalidateBy}" is written by this topology: its keys are no row keys`;
      report([list, i, 'cache', 'invalidateBy'], message, 'name the topic that says which rows have changed');
    }
  }
}

function checkFlow({ flow, connections }: TopologyFile, report: Report): void {
  if (flow.maxBatch !== undefined && flow.maxBatch > flow.maxInFlight.records) {
    report(
      ['flow', 'maxBatch'],
      `is ${flow.maxBatch}, and only ${flow.maxInFlight.records} records may be in flight: a batch could never fill`,
      'lower flow.maxBatch, or raise flow.maxInFlight.records',
    );
  }
  if (flow.delivery === 'exactly-once' && flow.order === 'none') {
    report(
      ['flow', 'order'],
      'is none, and exactly-once delivery stores the offset with the outputs before it: in order',
      'write order: partition, or delivery: at-least-once',
    );
  }
  if (flow.delivery === 'exactly-once' && connections.kafka?.client === 'stock') {
    report(
      ['connections', 'kafka', 'client'],
      "is stock, and exactly-once delivery is written by Sluice: the client's own transactions cannot tell what became of one",
      'write client: columnar, or delivery: at-least-once',
    );
  }
  if (flow.drain < flow.latencyBudget) {
    report(
      ['flow', 'drain'],
      `is ${flow.drain} ms, less than the latencyBudget of ${flow.latencyBudget} ms: a shutdown would leave records behind`,
      'give drain several times the latencyBudget, for example 20s',
    );
  }
}

function checkModel({ model }: TopologyFile, report: Report): void {
  if (model.runTimeout !== undefined && model.isolation !== 'process') {
    report(
      ['model', 'runTimeout'],
      'ends a run that hangs, and with isolation: none nothing can: the run holds the only thread there is',
      'add isolation: process, or leave runTimeout out',
    );
  }
  if (model.memory !== undefined && model.isolation !== 'process') {
    report(
      ['model', 'memory'],
      'limits the process of the model, and with isolation: none it has none of its own',
      'add isolation: process, or leave memory out and limit the container',
    );
  }
}

/** Placement may be given in one way only. */
function checkPlacement({ model }: TopologyFile, report: Report): void {
  if (model.isolation === 'process' && model.placement !== 'auto') {
    report(
      ['model', 'placement'],
      `is ${model.placement}, and with isolation: process the model runs in a process of its own`,
      'leave placement out, or isolation; a process keeps the pipeline free as well',
    );
  }
  if (model.sessions === 'auto') return;
  if (model.isolation === 'process' || model.placement === 'inline') {
    const where = model.isolation === 'process' ? 'isolation: process' : 'placement: inline';
    report(
      ['model', 'sessions'],
      `are threads of the model, and with ${where} it has none`,
      'leave sessions out, or write placement: thread',
    );
  }
}

/** Whether the fields exist is checked with the contract, which has the schemas. */
function checkKey(key: string, path: Path, report: Report): void {
  const remedy = 'name a field in braces, for example "{id}"';
  let fields = 0;
  try {
    parseKeyTemplate(key, () => fields++);
    if (fields === 0) report(path, `"${key}" names no field, so every record would have the same key`, remedy);
  } catch (error) {
    report(path, error instanceof Error ? error.message : String(error), remedy);
  }
}
