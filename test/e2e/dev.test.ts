import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { watchFiles } from '../../src/commands/dev/watch.ts';
import type { SluiceError } from '../../src/kernel/errors.ts';
import { EVENTS, project, start, type Told } from '../fixtures/dev.ts';
import { ROOT, Sluice } from '../fixtures/sluice.ts';
import { until } from '../fixtures/until.ts';

describe('dev', { concurrency: 2 }, () => {
  test('an edit starts the pipeline again in the same broker; one that does not work leaves it as it was', async () => {
    const mine = project();
    const run = start(mine.file);
    const { env } = (await run.until('listening')) as unknown as { env: Record<string, string> };
    assert.match(env.KAFKA_BROKERS, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual((await run.until('topics')).topics, ['hello.flights', 'hello.late', 'hello.dead-letter']);
    const first = await run.until('prediction');
    assert.match(String(first.source), /^hello\.flights\/\d\/\d+$/);
    const { id, probability } = first.value as { id: number; probability: number };
    assert.ok(id > 2_000_000 && probability > 0 && probability < 1, JSON.stringify(first));
    assert.deepEqual(pick(await run.until('settled')), { sent: 30, published: 30, deadLettered: 0 });

    mine.edit('prediction.probability', 'prediction.probabilty');
    run.notice(mine.file);
    const { findings } = (await run.until('findings')) as unknown as { findings: { line: number; message: string }[] };
    assert.match(findings[0].message, /no "probabilty"; did you mean "probability"/);
    await until('it says that the old one goes on', () =>
      run.told().some(({ event, text }) => event === 'note' && /goes on as it was/.test(String(text))),
    );
    assert.equal(run.told().filter(({ event }) => event === 'running').length, 1);

    mine.edit('prediction.probabilty', 'prediction.probability');
    mine.edit('topic: hello.late', 'topic: hello.later');
    run.notice(mine.file);
    const again = await run.until('running', 2);
    assert.equal(again.again, true);
    assert.deepEqual((await run.until('topics', 2)).topics, ['hello.later'], 'the others are still there');
    assert.deepEqual(pick(await run.until('settled', 2)), { sent: 30, published: 30, deadLettered: 0 });

    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
    assert.deepEqual(run.told().at(-1), { event: 'ended', inputs: 60, outputs: 30, deadLetters: 0 });
  });

  test('it follows every file that the pipeline is made of', async () => {
    const mine = project();
    const other = start(mine.file);
    await other.until('settled');
    const names = other.followed().map((path) => path.slice(mine.folder.length + 1));
    assert.deepEqual(names.sort(), [
      'events.jsonl',
      'events.jsonl.gz',
      'features',
      'mine.cases.yaml',
      'mine.events.jsonl',
      'mine.events.jsonl.gz',
      'mine.yaml',
      'models/hello',
      'schemas/flight-departed.avsc',
      'schemas/hello-late.avsc',
    ]);
    other.signal('SIGTERM');
    assert.equal(await other.ended, 0);
  });

  test('a real edit of the bundle is noticed, without anybody saying so', async () => {
    const mine = project();
    const run = start(mine.file, {}, watchFiles);
    await run.until('settled');
    const bundle = join(mine.folder, 'models/hello/1/bundle.yaml');
    writeFileSync(bundle, readFileSync(bundle, 'utf8').replace('?? 569', '?? 600'));
    const changed = await run.until('changed');
    assert.deepEqual(changed.files, [bundle]);
    const [before, later] = [await run.until('running'), await run.until('running', 2)];
    assert.notEqual(before.model, later.model, 'another digest');
    await run.until('settled', 2);
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
  });

  test('cases are tested at each start, and alone where only they have changed', async () => {
    const mine = project({ cases: true });
    const run = start(mine.file);
    assert.deepEqual((await run.until('cases')).failed, []);
    run.notice(mine.edit('0.10940835', '0.5', join(mine.folder, 'mine.cases.yaml')));
    const { cases, failed } = (await run.until('cases', 2)) as unknown as { cases: number; failed: { name: string }[] };
    assert.equal(cases, 9);
    assert.deepEqual(
      failed.map(({ name }) => name),
      ['the same at midnight is less at risk'],
    );
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
    assert.equal(run.told().filter(({ event }) => event === 'running').length, 1, 'the pipeline was left alone');
  });

  test('edited features are loaded again, and events too', async () => {
    const mine = project({ topology: 'weather', features: true });
    const events = join(mine.folder, 'events.jsonl');
    const reading = { id: 1, observed_at: 1_433_116_800_000, station: 'Tacoma', temp_max: 21, temp_min: 12, wind: 3 };
    writeFileSync(events, JSON.stringify(reading));
    const run = start(mine.file);
    assert.equal((await run.until('dead-letter')).reason, 'feature-missing');
    run.notice(mine.edit('"Seattle"', '"Tacoma"', join(mine.folder, 'features/station.jsonl')));
    const { value } = (await run.until('prediction')) as unknown as { value: { station: string } };
    assert.equal(value.station, 'Tacoma');
    run.notice(mine.edit('Tacoma', 'New York', events));
    const later = (await run.until('prediction', 2)) as unknown as { value: { station: string } };
    assert.equal(later.value.station, 'New York');
    mine.edit('"Tacoma"', '"Nowhere"', join(mine.folder, 'features/station.jsonl'));
    run.notice(mine.edit('New York', 'Tacoma', events));
    assert.equal((await run.until('dead-letter', 2)).reason, 'feature-missing', 'a row that was taken out is gone');
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
  });

  test('a topology in TypeScript is run anew at each edit', async () => {
    const mine = project();
    const file = join(mine.folder, 'mine.ts');
    copyFileSync(join(ROOT, 'topologies/hello.ts'), file);
    const run = start(file);
    await run.until('settled');
    run.notice(mine.edit("'hello.late'", "'hello.later'", file));
    assert.deepEqual((await run.until('topics', 2)).topics, ['hello.later']);
    await run.until('settled', 2);
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
  });

  test('--loop goes on until it is told to end, as a process of its own too', async () => {
    const mine = project();
    const child = new Sluice(['dev', mine.file, '--loop', '--rate', '2000', '--show', '2'], {});
    await child.until('predictions are shown', () => child.stdout.split('prediction ').length > 2);
    child.signal('SIGINT');
    assert.equal(await child.ended, 0, child.stderr);
    assert.match(child.stdout, /^[\d,]+ events in the topics, [\d,]+ predictions, 0 dead letters$/m);
    assert.match(child.stderr, /: 30 lines → hello\.flights, 2000 a second, again and again$/m);
  });

  test('--exit: dead letters with their reason are no failure', async () => {
    const mine = project();
    writeFileSync(join(mine.folder, 'events.jsonl'), `${EVENTS.join('\n')}\nnonsense\n`);
    const run = start(mine.file, { exit: true });
    assert.equal(await run.ended, 0, run.stderr.text);
    const letter = run.told().find(({ event }) => event === 'dead-letter');
    assert.deepEqual([letter?.reason, letter?.stage, letter?.value], ['decode-failed', 'decode', 'nonsense']);
    const why = run.told().filter(({ text }) => /^sluice explain /.test(String(text)));
    assert.deepEqual(
      why.map(({ text }) => text),
      [`sluice explain ${mine.file} ${letter?.source}`],
    );
    const { event, ...ledger } = run.told().at(-1) as Told;
    assert.equal(event, 'ended');
    assert.deepEqual(ledger, {
      inputs: 31,
      outputs: 30,
      deadLetters: 1,
      lost: 0,
      waiting: 0,
      duplicates: 0,
      dropped: 0,
    });
  });

  const AVRO = (text: string): string =>
    text.replace(
      '{ json: schemas/flight-departed.avsc }',
      '{ avro: schemas/flight-departed.avsc, wire: confluent, ids: [12] }',
    );
  /** So that the features of the example are not found by its name. */
  const RENAMED = (text: string): string => text.replace('topology: flight-delay', 'topology: mine');
  for (const [name, of] of [
    ['Avro without a registry, by ids', { edit: AVRO }],
    ['plain Avro', { edit: (text: string) => AVRO(text).replace('wire: confluent, ids: [12]', 'wire: plain') }],
    ['from: latest', { edit: (text: string) => text.replace('from: earliest', 'from: latest') }],
    ['features and a registry', { topology: 'flight-delay', features: true }],
    ['no features at hand: tables are made, and empty', { topology: 'flight-delay', edit: RENAMED }],
    [
      'exactly-once, and brokers that stand in the file',
      {
        topology: 'flight-delay',
        edit: (text: string) =>
          text
            .replace('delivery: at-least-once', 'delivery: exactly-once')
            .replace(/"\$\{KAFKA_BROKERS[^"]*"/, '"kafka.production.invalid:9092"'),
      },
    ],
    [
      'dropped records count as answered',
      {
        topology: 'flight-delay',
        edit: (text: string) => RENAMED(text).replace('onMissing: impute', 'onMissing: drop'),
      },
    ],
  ] as const) {
    test(`--exit works with ${name}`, async () => {
      const run = start(project(of).file, { exit: true });
      assert.equal(await run.ended, 0, run.stdout.text + run.stderr.text);
      const ended = run.told().at(-1) as unknown as { inputs: number; outputs: number; dropped: number };
      assert.equal(ended.inputs, 30);
      assert.equal(ended.outputs + ended.dropped, 30);
      assert.equal(ended.dropped, name.startsWith('dropped') ? 30 : 0);
      const notes = run.told().flatMap(({ event, text }) => (event === 'note' ? [String(text)] : []));
      const expected = name.startsWith('exactly')
        ? /names the brokers kafka.production.invalid:9092; the embedded/
        : /^/;
      assert.match(notes.join('\n'), expected);
    });
  }

  test('an event that the schema has no way of writing is told with its line, and is a failure with --exit', async () => {
    const mine = project({ edit: AVRO });
    writeFileSync(join(mine.folder, 'events.jsonl'), `${EVENTS.join('\n')}\n{"id": "x"}\n`);
    const run = start(mine.file, { exit: true });
    assert.equal(await run.ended, 1);
    const refused = await run.until('event-refused');
    assert.equal(refused.line, 31);
    assert.match(String(refused.reason), /"x" is no value for the field "id", long/);
  });

  test('what there is one of is told as one', async () => {
    const mine = project({ edit: AVRO });
    writeFileSync(join(mine.folder, 'events.jsonl'), `${EVENTS[0]}\n{"id": "x"}\n`);
    const run = start(mine.file, { exit: true, json: false });
    assert.equal(await run.ended, 1);
    assert.match(
      run.stderr.text,
      /^settled {6}1 event: 1 prediction, 0 dead letters, 0 dropped; 1 line was not sent$/m,
    );
  });

  for (const [name, options, message] of [
    ['a topology that is not there', { topology: 'no.yaml' }, /topology: there is no no\.yaml; correct the path/],
    ['features that are not there', { features: 'no' }, /--features: there is no no; correct the path/],
    [
      '--exit with nothing to wait for',
      { exit: true },
      /--exit ends when all events are settled, and there are none: give --events FILE/,
    ],
    ['--exit with --loop', { exit: true, loop: true }, /--exit ends .* leave one out/],
  ] as const) {
    test(`${name} is said with its remedy`, async () => {
      const mine = project();
      rmSync(join(mine.folder, 'events.jsonl'));
      await assert.rejects(start(mine.file, options).ended, (error: SluiceError) => {
        assert.equal(error.disposition, 'usage');
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('a topology with findings ends it at once, with 2', async () => {
    const mine = project({ edit: (text) => text.replace('group: hello', 'grup: hello') });
    const run = start(mine.file);
    assert.equal(await run.ended, 2);
    assert.equal(run.told().at(-1)?.event, 'findings');
  });

  test('a port that is taken is named with the option that chooses another', async () => {
    const mine = project();
    const run = start(mine.file);
    const { env } = (await run.until('listening')) as unknown as { env: Record<string, string> };
    const portOf = (address: string): number => Number(/(\d+)$/.exec(address)?.[1]);
    for (const [option, flag, address] of [
      ['kafkaPort', '--kafka-port', env.KAFKA_BROKERS],
      ['registryPort', '--registry-port', env.SCHEMA_REGISTRY_URL],
      ['bigtablePort', '--bigtable-port', env.BIGTABLE_EMULATOR_HOST],
    ] as const) {
      const port = portOf(address);
      await assert.rejects(start(mine.file, { [option]: port }).ended, (error: SluiceError) => {
        assert.equal(error.code, 'port-taken');
        assert.match(
          error.message,
          new RegExp(`^port ${port} is not available \\(.+\\): choose another with ${flag}$`),
        );
        return true;
      });
    }
    run.signal('SIGINT');
    assert.equal(await run.ended, 0);
  });

  test('lines for people: predictions on standard output, talk on standard error', async () => {
    const run = start(project().file, { exit: true, json: false, show: 2 });
    assert.equal(await run.ended, 0);
    const lines = run.stdout.text.trim().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0], /^prediction {3}hello\.flights\/\d\/\d+ {2}id \d+ {2}probability 0\.\d+$/);
    assert.match(lines[2], /^ledger, read from the topics: 30 inputs = 30 outputs/);
    assert.match(run.stderr.text, /^ {2}export KAFKA_BROKERS=127\.0\.0\.1:\d+$/m);
    assert.match(run.stderr.text, /^… +and more of them: sluice tail hello\.late --from earliest$/m);
    assert.match(run.stderr.text, /^settled {6}30 events: 30 predictions, 0 dead letters, 0 dropped$/m);
  });
});

function pick({ sent, published, deadLettered }: Told) {
  return { sent, published, deadLettered };
}
