import { parseKeyTemplate } from '../codecs/key-template.ts';
import type { KeyPart } from '../codecs/types.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path } from '../documents/yaml-document.ts';
import { Secret } from '../kernel/connections/secret.ts';
import { SluiceError } from '../kernel/errors.ts';
import { type LookUpEntry, lookUpsIn } from './look-ups.ts';
import type { TopologyFile } from './schema.ts';
import { buildRedis, type RedisFile } from './store-connections.ts';
import { formatDuration } from './units.ts';

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/** Which layouts, views and number encodings of a look-up may be combined. */
export function checkStores(file: TopologyFile, report: Report): void {
  const { redis } = file.connections;
  if (redis !== undefined) checkRedis(redis, report);
  const encodings = new Map<string, string>();
  for (const { list, i, entry } of lookUpsIn(file)) {
    checkFeast(entry, [list, i], report);
    checkSecondLevel(file, entry, [list, i, 'cache', 'secondLevel'], report);
    if (entry.from === 'file' && entry.cache !== undefined) {
      const message = 'keeps rows that a file has brought into memory already';
      report([list, i, 'cache'], message, 'leave cache out');
    }
    for (const [name, view] of Object.entries(entry.views)) {
      const path = [list, i, 'views', name];
      if (entry.from === 'file' && view.maxAge !== undefined) {
        const message = 'is an age, and feature files do not say when a row was written';
        report([...path, 'maxAge'], message, 'leave maxAge out, or read from a store that knows');
      }
      checkNumbers(entry, view, [...path, 'numbers'], report);
      for (const column of view.columns) {
        const cell = JSON.stringify([entry.from, entry.table, entry.layout, view.family, column.replace(/\[.*/, '')]);
        const numbers = view.numbers ?? 'float-le';
        const other = encodings.get(cell) ?? numbers;
        if (other !== numbers) {
          const message = `says ${numbers}, and another view reads the same cells of ${view.family} as ${other}`;
          report(path, message, 'say the same in both: a cell holds one thing');
        }
        encodings.set(cell, other);
      }
    }
  }
}

function checkSecondLevel({ connections }: TopologyFile, { from, cache }: Entry, path: Path, report: Report): void {
  const second = cache?.secondLevel;
  if (cache === undefined || second === undefined) return;
  if (from === 'redis') {
    const message = 'keeps rows in Redis, and that is where they come from';
    report(path, message, 'leave secondLevel out: it is for stores that answer more slowly than Redis');
    return;
  }
  if (connections.redis === undefined) {
    const message = 'keeps rows in Redis, and connections names none: nothing would be kept';
    report(path, message, 'add connections.redis: { url: "redis://localhost:6379" }, or leave secondLevel out');
    return;
  }
  if (second.ttl < cache.ttl) {
    const message = `is ${formatDuration(second.ttl)}, less than the ttl of the cache, ${formatDuration(cache.ttl)}: it bounds both together`;
    report([...path, 'ttl'], message, 'write a longer one, for example six times the ttl of the cache');
  }
  if (second.negativeTtl < cache.negativeTtl) {
    const message = `is ${formatDuration(second.negativeTtl)}, less than the negativeTtl of the cache, ${formatDuration(cache.negativeTtl)}: it bounds both together`;
    report([...path, 'negativeTtl'], message, 'write as long a one, or a shorter one in the cache');
  }
}

const REDIS: Path = ['connections', 'redis'];
const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

function checkRedis(redis: RedisFile, report: Report): void {
  const { url, nodes, cluster, ssl, username, password, database } = redis;
  const example = 'write url: "redis://localhost:6379", or for a cluster nodes: "a:6379,b:6379" and cluster: true';
  if ((url === undefined) === (nodes === undefined)) {
    report(REDIS, url === undefined ? 'has neither url nor nodes' : 'has both url and nodes', example);
    return;
  }
  const built = buildRedis(redis, ssl === undefined || ssl === false ? undefined : {}, (_, text) => new Secret(text));
  if (built.nodes.length > 1 && !cluster) {
    report(
      [...REDIS, 'nodes'],
      'are several, and without cluster: true there is one',
      'add cluster: true, or name one',
    );
  }
  if (cluster && built.database !== 0) {
    const path = database === undefined ? 'url' : 'database';
    report([...REDIS, path], `is number ${built.database}, and a cluster has 0 only`, 'leave the database out');
  }
  if (url?.startsWith('redis:') && ssl !== undefined && ssl !== false) {
    report([...REDIS, 'ssl'], 'asks for TLS, and url says redis:, which is without', 'write rediss: in url');
  }
  if (url?.startsWith('rediss:') && ssl === false) {
    report([...REDIS, 'ssl'], 'is false, and url says rediss:, which is TLS', 'leave ssl out, or write redis: in url');
  }
  if (username !== undefined && built.password === undefined) {
    report(REDIS, 'has a username and no password', 'add password: by reference');
  }
  if (
    built.password !== undefined &&
    built.ssl === undefined &&
    !built.nodes.every(({ host }) => LOOPBACK.test(host))
  ) {
    report(
      [...REDIS, password === undefined ? 'url' : 'password'],
      'goes over the line as it is, without TLS',
      'add ssl: true, or write rediss: in url',
      'warning',
    );
  }
}

type Entry = LookUpEntry;

function checkFeast({ layout, feast, from, key }: Entry, path: Path, report: Report): void {
  if (layout !== 'feast') {
    if (feast !== undefined) report([...path, 'feast'], `means nothing with layout: ${layout}`, 'write layout: feast');
    return;
  }
  if (from !== 'bigtable') {
    const message = `is feast, as Feast writes into Bigtable, and the store is ${from}`;
    report([...path, 'layout'], message, 'write from: bigtable, or another layout');
  }
  if (feast === undefined) {
    const message = 'is feast, and nothing says of which join keys a row is';
    report([...path, 'layout'], message, 'add feast: { joinKeys: { driver_id: int64 } }');
    return;
  }
  const [fields, names] = [fieldsOf(key), Object.keys(feast.joinKeys)];
  if (fields !== names.length || separatorOf(key) === undefined) {
    const example = names.map((name) => `{${name}}`).join('#');
    const message = `must be ${names.length === 1 ? 'one field' : `${names.length} fields with the same character between`}, the values of ${names.join(', ')}`;
    report([...path, 'key'], message, `write fields of the event, for example "${example}"`);
  }
}

function partsOf(key: string): readonly KeyPart[] {
  try {
    return parseKeyTemplate(key, () => 0).parts;
  } catch (error) {
    // An invalid template is reported where templates are checked.
    if (error instanceof SluiceError) return [];
    throw error;
  }
}

function fieldsOf(key: string): number {
  return partsOf(key).filter((part) => 'slot' in part).length;
}

/** The character between the fields of a key, empty for a single field; undefined if the key is built in another way. */
export function separatorOf(key: string): string | undefined {
  const parts = partsOf(key);
  const texts = parts.flatMap((part) => ('text' in part ? [part.text.toString('utf8')] : []));
  const between = parts.every((part, i) => 'text' in part === (i % 2 === 1)) && parts.length % 2 === 1;
  if (!between || new Set(texts).size > 1) return undefined;
  const [separator = ''] = texts;
  return [...separator].length === (texts.length === 0 ? 0 : 1) ? separator : undefined;
}

function checkNumbers({ layout }: Entry, view: Entry['views'][string], path: Path, report: Report): void {
  const { numbers, columns } = view;
  if (numbers === undefined) return;
  if (layout !== 'cells') {
    const message = `says what cells hold, and with layout: ${layout} they say so themselves`;
    report(path, message, 'leave numbers out, or write layout: cells');
  }
  const vector = columns.find((column) => column.includes('['));
  if (numbers === 'text' && vector !== undefined) {
    const message = `is text, one decimal number a cell, and ${vector} is a vector`;
    report(path, message, 'write numbers: float-le or float-be for a view of vectors');
  }
}
