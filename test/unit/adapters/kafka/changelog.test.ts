import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openChangelogs } from '../../../../src/adapters/kafka/changelog.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { ChangeListener } from '../../../../src/ports/changelog.ts';
import type { LogRecord, TopicLog } from '../../../../src/ports/topic-log.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

/** One topic as it lies in a broker: by partition, where it begins and its keys. */
class FakeTopic {
  partitions: { start: number; keys: (string | null)[] }[] = [];
  /** Thrown by whatever is asked. */
  broken: Error | undefined;
  /** Records a read gives before it breaks off, as a transaction that is open does. */
  held = Number.POSITIVE_INFINITY;
  /** Nobody can read a record with this key. */
  readonly unreadable = '?';
  /** Compaction took it. */
  readonly compacted = '';
  /** Happens between the look at the ends and the read. */
  meanwhile: (() => void) | undefined;
  opened = 0;
  closed = 0;

  log(): TopicLog {
    this.opened++;
    const ask = (): void => {
      if (this.broken !== undefined) throw this.broken;
    };
    return {
      extents: async () => {
        ask();
        return this.partitions.map(({ start, keys }) => ({ start, end: start + keys.length }));
      },
      read: async (_topic, partition, { from, to }, visit) => {
        ask();
        this.meanwhile?.();
        this.meanwhile = undefined;
        const { start, keys } = this.partitions[partition];
        for (let offset = Math.max(from, start); offset < to; offset++) {
          if (offset - from >= this.held) return offset;
          const key = keys[offset - start];
          if (key === this.compacted) continue;
          const record =
            key === this.unreadable
              ? { partition, offset, key: null, unread: 'batch-unreadable' }
              : { partition, offset, key: key === null ? null : Buffer.from(key) };
          if (!visit(record as LogRecord)) return offset + 1;
        }
        return to;
      },
      offsetsAt: () => Promise.reject(new Error('nobody asks by time')),
      topics: () => Promise.resolve([]),
      truncate: () => Promise.reject(new Error('a changelog deletes nothing')),
      close: async () => {
        this.closed++;
        if (this.broken !== undefined) throw this.broken;
      },
    };
  }
}

class Listener implements ChangeListener {
  heard: string[] = [];
  misses = 0;
  changed = (keys: readonly Buffer[]): void => void this.heard.push(...keys.map(String));
  missed = (): void => void this.misses++;
}

async function start(...partitions: FakeTopic['partitions']) {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const topic = new FakeTopic();
  topic.partitions = partitions;
  const logs = await openChangelogs({ clock, telemetry, log: () => topic.log() }, { topics: ['rows', 'rows'] });
  const listener = new Listener();
  logs.subscribe('rows', listener);
  return {
    clock,
    telemetry,
    topic,
    logs,
    listener,
    up: () => telemetry.gauges.get('sluice_changelog_up{topic=rows}')?.(),
    events: () => telemetry.events.map(({ name }) => name).filter((name) => name.startsWith('changelog')),
  };
}

const down = new SluiceError('broker-unavailable', 'nobody answers');

test('what was there before is not told; what comes after is, of every partition, once, to every listener', async () => {
  const { clock, topic, logs, listener, up, events } = await start({ start: 3, keys: ['old'] }, { start: 0, keys: [] });
  const other = new Listener();
  logs.subscribe('rows', other);
  await clock.advance(1_000);
  assert.deepEqual(listener.heard, []);
  topic.partitions[0].keys.push('a', null, 'b');
  topic.partitions[1].keys.push('c');
  await clock.advance(250);
  assert.deepEqual(listener.heard, ['a', 'b', 'c']);
  assert.deepEqual(other.heard, listener.heard);
  topic.partitions[1].keys.push('a');
  await clock.advance(1_000);
  assert.deepEqual(listener.heard, ['a', 'b', 'c', 'a']);
  assert.deepEqual([listener.misses, up(), events(), topic.opened], [0, 1, [], 1]);
  await logs.close();
  assert.deepEqual([topic.closed, clock.timers], [1, 0]);
});

test('a partition that is added is read from its beginning', async () => {
  const { clock, topic, logs, listener } = await start({ start: 0, keys: ['old'] });
  topic.partitions.push({ start: 0, keys: ['a', 'b'] });
  await clock.advance(250);
  assert.deepEqual([listener.heard, listener.misses], [['a', 'b'], 0]);
  await logs.close();
});

test('a transaction that is open holds back what is behind it, and nothing is told twice', async () => {
  const { clock, topic, logs, listener } = await start({ start: 0, keys: [] });
  topic.partitions[0].keys.push('a', 'b');
  topic.held = 1;
  await clock.advance(250);
  assert.deepEqual(listener.heard, ['a']);
  topic.held = 0;
  await clock.advance(1_000);
  topic.held = 10;
  await clock.advance(250);
  assert.deepEqual([listener.heard, listener.misses], [['a', 'b'], 0]);
  await logs.close();
});

test('a broker that is down is said, and tried again by a new client; what was written meanwhile comes late', async () => {
  const { clock, topic, logs, listener, up, events } = await start({ start: 0, keys: [] });
  topic.broken = down;
  await clock.advance(3_500);
  assert.deepEqual([events().slice(0, 1), up()], [['changelog-unread'], 0]);
  assert.ok(topic.opened > 2 && topic.closed === topic.opened - 1, 'none is left open');
  topic.partitions[0].keys.push('a');
  topic.broken = undefined;
  await clock.advance(1_250);
  assert.deepEqual([listener.heard, listener.misses], [['a'], 0]);
  assert.deepEqual([events().at(-1), up()], ['changelog-over', 1]);
  await logs.close();
});

test('changes that are gone unread empty the caches: removed, fewer than there were, another topic of the name', async () => {
  const gone: readonly ((topic: FakeTopic, clock: FakeClock) => unknown)[] = [
    (topic) => {
      topic.partitions[0] = { start: 9, keys: ['z'] };
    },
    (topic) => {
      topic.partitions[0] = { start: 0, keys: ['y'] };
    },
    async (topic, clock) => {
      topic.broken = new SluiceError('topic-missing', 'no such topic');
      await clock.advance(1_500);
      topic.broken = undefined;
      topic.partitions[0] = { start: 0, keys: ['x', 'x', 'x', 'x'] };
    },
  ];
  for (const happens of gone) {
    const { clock, topic, logs, listener, events } = await start({ start: 0, keys: ['1', '2', '3'] });
    await happens(topic, clock);
    await clock.advance(1_250);
    assert.equal(listener.misses, 1);
    assert.ok(events().includes('changelog-missed'));
    topic.partitions[0].keys.push('a');
    await clock.advance(1_000);
    assert.equal(listener.heard.at(-1), 'a', 'read on from there');
    assert.equal(listener.misses, 1);
    await logs.close();
  }
});

test('row 37: records that name no row are counted, with the reason; what cannot be read may have named any', async () => {
  const { clock, topic, logs, listener, telemetry, up, events } = await start({ start: 0, keys: [] });
  const nameless = (reason: string) => telemetry.count('sluice_changelog_nameless_total', { topic: 'rows', reason });
  topic.partitions[0].keys.push('a', null, 'b');
  await clock.advance(250);
  assert.deepEqual([listener.heard, listener.misses, nameless('no-key'), events()], [['a', 'b'], 0, 1, []]);
  topic.partitions[0].keys.push('c', '?', '?', 'd');
  await clock.advance(250);
  assert.deepEqual([listener.heard, listener.misses], [['a', 'b', 'c', 'd'], 1]);
  assert.deepEqual([nameless('no-key'), nameless('batch-unreadable')], [1, 2]);
  assert.deepEqual(telemetry.eventsNamed('changelog-missed'), [
    { topic: 'rows', reason: '2 records of partition 0 cannot be read' },
  ]);
  await clock.advance(5_000);
  assert.deepEqual([listener.misses, up()], [1, 1], 'read on from behind them');
  await logs.close();
});

test('what is removed before the first record was read is missed too: of a topic that was empty, of a partition that is added', async () => {
  const { clock, topic, logs, listener, events } = await start({ start: 0, keys: [] });
  topic.partitions[0] = { start: 2, keys: [] };
  await clock.advance(250);
  assert.deepEqual([listener.misses, events()], [1, ['changelog-missed']]);
  topic.partitions.push({ start: 3, keys: ['a'] });
  await clock.advance(250);
  assert.deepEqual([listener.misses, listener.heard], [2, ['a']]);
  await clock.advance(1_000);
  assert.equal(listener.misses, 2);
  await logs.close();
});

test('what is removed between the look at the ends and the read is missed; what compaction took is not', async () => {
  for (const [left, misses] of [
    [{ start: 2, keys: ['c', 'd'] }, 1],
    [{ start: 4, keys: [] }, 1],
    [{ start: 1, keys: ['b', '', 'd'] }, 1],
    [{ start: 0, keys: ['a', '', 'c', ''] }, 0],
  ] as const) {
    const { clock, topic, logs, listener, events } = await start({ start: 0, keys: [] });
    topic.partitions[0] = { start: 0, keys: ['a', 'b', 'c', 'd'] };
    topic.meanwhile = () => {
      topic.partitions[0] = { start: left.start, keys: [...left.keys] };
    };
    await clock.advance(250);
    assert.deepEqual(
      listener.heard,
      left.keys.filter((key) => key !== ''),
    );
    assert.deepEqual([listener.misses, events()], [misses, misses === 0 ? [] : ['changelog-missed']]);
    topic.partitions[0].keys.push('e');
    await clock.advance(1_000);
    assert.deepEqual([listener.heard.at(-1), listener.misses], ['e', misses], 'read on from there');
    await logs.close();
  }
});

test('a topic that does not exist, or cannot be asked for, ends the start, and leaves nothing open', async () => {
  const topic = new FakeTopic();
  topic.broken = new SluiceError('topic-missing', 'topic "rows" does not exist');
  const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry(), log: () => topic.log() };
  await assert.rejects(openChangelogs(deps, { topics: ['rows'] }), /topic "rows" does not exist/);
  assert.equal(topic.closed, 1);
});

test('a topic whose answer takes for ever is not up, and does not hold up the end', async () => {
  const { clock, topic, logs, up } = await start({ start: 0, keys: [] });
  const log = topic.log();
  let asked = 0;
  topic.broken = down;
  topic.log = () => ({ ...log, extents: () => new Promise(() => asked++), close: () => new Promise(() => undefined) });
  await clock.advance(1_250);
  topic.broken = undefined;
  await clock.advance(30_000);
  assert.deepEqual([asked, up()], [1, 0]);
  await clock.run(logs.close());
});
