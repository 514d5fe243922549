import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Message } from 'kafkajs';
import { headerText } from '../fixtures/reader.ts';
import { sluice } from '../fixtures/sluice.ts';
import { decodeRisk } from '../fixtures/upstream.ts';
import { type ExampleBench, flights } from './example-bench.ts';

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const GOOD = 5;
const GARBAGE = Buffer.from([0xff, 0x00, 0x7b]);
const SPOOFED = { '__dlq.errors.reason': 'nothing', note: 'kept' };

interface Listed {
  readonly at: string;
  readonly source: string;
  readonly reason: string;
  readonly stage: string;
  readonly attempts: number;
  readonly firstSeen: string;
  readonly firstAttempt: string;
}

/** An operator finds dead letters, reads one, fixes the cause, replays them, and deletes the rest. */
export function exampleDlq(name: string, bench: () => Promise<ExampleBench>): void {
  describe(`${name}: dead letters as an operator sees them`, () => {
    test('list, show, replay with a link to the first attempt, purge', async () => {
      const { variant, createTopics, upstream, run, answered, read, ends, dir, stack } = await bench();
      const topology = variant('dlq', (yaml) => yaml.replace('onMissing: impute', 'onMissing: dead-letter'));
      await createTopics(topology, 2);
      const dlq = async (...args: string[]) => {
        const [command, ...rest] = args;
        return sluice(['dlq', command, topology.file, ...rest], stack.env);
      };
      const listed = async (...args: string[]): Promise<Listed[]> => {
        const { code, stdout, stderr } = await dlq('list', '--json', ...args);
        assert.equal(code, 0, stderr);
        return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Listed]));
      };

      const producer = await upstream(topology.input);
      const [first, ...others] = flights(EVENTS).slice(0, GOOD);
      // Of no route that has features.
      const stray = producer.message({ ...first, id: 77, origin: 'DQA', destination: 'DQB' });
      const messages: Message[] = [first, ...others].map((flight) => producer.message(flight));
      messages.push({ ...stray, timestamp: '1700000000000' }, { key: 'garbage', value: GARBAGE, headers: SPOOFED });
      await producer.send(messages.map((message, i) => ({ ...message, partition: i % 2 })));
      const before = run(topology.file);
      await answered(before, topology, GOOD + 2);
      assert.equal(await before.stop(), 0);

      const letters = await listed();
      assert.deepEqual(letters.map(({ reason }) => reason).sort(), ['decode-failed', 'feature-missing']);
      const garbage = letters.find(({ reason }) => reason === 'decode-failed') as Listed;
      assert.deepEqual([garbage.stage, garbage.attempts, garbage.firstAttempt], ['decode', 1, garbage.source]);
      assert.deepEqual(await listed('--reason', 'feature-missing', '--since', '1h'), [
        letters.find(({ reason }) => reason === 'feature-missing'),
      ]);
      assert.deepEqual(await listed('--source', 'elsewhere'), []);
      const table = await dlq('list', '--key', 'garbage');
      assert.match(
        table.stdout,
        /^AT +FIRST SEEN +REASON.*\n\d:\d+ .* decode-failed +decode +dlq\.departed\/\d\/\d+ +1 +garbage\n$/,
      );
      assert.match(table.stderr, /1 dead letters: 1 decode-failed/);

      const shown = await dlq('show', garbage.at);
      for (const said of ['decode-failed (stage decode)', garbage.source, 'note: kept', '3 bytes', 'ff 00 7b']) {
        assert.ok(shown.stdout.includes(said), `${said} in\n${shown.stdout}`);
      }
      assert.equal((await dlq('show', '0:999')).code, 1);
      assert.equal((await dlq('show', 'x')).code, 2);
      const whole = JSON.parse((await dlq('show', garbage.at, '--json')).stdout);
      assert.deepEqual(Buffer.from(whole.valueBase64, 'base64'), GARBAGE);

      const bare = await dlq('replay');
      assert.equal(bare.code, 2);
      assert.match(bare.stderr, /say which dead letters, by --reason.* or --all; --dry shows/);
      const inputEnds = await ends(topology.input);
      assert.match((await dlq('replay', '--all', '--dry')).stderr, /2 dead letters would be replayed to dlq\.departed/);
      assert.deepEqual(await ends(topology.input), inputEnds, 'a dry run sends nothing');
      const nowhere = await dlq('replay', '--all', '--dry', '--to', 'nowhere');
      assert.equal(nowhere.code, 1);
      assert.match(nowhere.stderr, /topic "nowhere" does not exist/);

      const features = join(dir, 'dlq-features');
      mkdirSync(features);
      const vector = Array.from({ length: 96 }, () => 0);
      writeFileSync(
        join(features, 'route.jsonl'),
        `${JSON.stringify({ key: 'DQA#DQB', agg: { per_day: 1, late_share: 0.5, mean_delay: 3 }, slots: { n: vector, l: vector } })}\n`,
      );
      writeFileSync(join(features, 'airport.jsonl'), `${JSON.stringify({ key: 'DQA', dep: { late_share: 0.5 } })}\n`);
      const loaded = await sluice(['features', 'load', topology.file, features], stack.env);
      assert.equal(loaded.code, 0, loaded.stderr);
      const replayed = await dlq('replay', '--all');
      assert.equal(replayed.code, 0, replayed.stderr);
      assert.match(replayed.stderr, /^2 dead letters replayed to dlq\.departed\n/);

      const after = run(topology.file);
      await answered(after, topology, GOOD + 4);
      assert.equal(await after.stop(), 0);
      const outputs = await read(topology.output);
      const mended = outputs.find(({ value }) => value !== null && decodeRisk(value).id === 77);
      assert.ok(mended, 'the record with features now is published');
      const back = (await read(topology.input)).find((record) => headerText(record, 'sluice-replay-attempt') !== '');
      assert.ok(back, 'the replayed record says so');

      const again = await listed('--attempts', '2');
      assert.equal(again.length, 1);
      assert.deepEqual(
        [again[0].reason, again[0].attempts, again[0].firstAttempt, again[0].firstSeen],
        ['decode-failed', 2, garbage.source, garbage.firstSeen],
      );
      const { value, headers } = (await read(topology.deadLetter)).find(
        (record) => headerText(record, '__dlq.errors.attempts') === '2',
      ) as Awaited<ReturnType<typeof read>>[number];
      assert.deepEqual([value, String(headers.note)], [GARBAGE, 'kept']);

      assert.match((await dlq('purge', '--all', '--dry')).stderr, /3 dead letters would be deleted/);
      assert.equal((await listed()).length, 3);
      assert.match((await dlq('purge', '--since', '1h')).stderr, /3 dead letters deleted/);
      assert.deepEqual(await listed(), []);
    });
  });
}
