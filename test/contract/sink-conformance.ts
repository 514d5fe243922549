import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeHeaders } from '../../src/kernel/headers.ts';
import { RecordSlab } from '../../src/kernel/record-slab.ts';
import { beginSequencesAt } from '../fixtures/kafka/first-sequence.ts';
import { lazyBench } from './bench-broker.ts';
import type { Member } from './member.ts';
import type { BrokerUnderTest } from './source-sink.ts';

const LIMIT = { timeout: 60_000 };

export function slabOf(values: readonly (Buffer | string)[]): RecordSlab {
  const slab = new RecordSlab(16, 1_024);
  for (const [i, value] of values.entries()) {
    slab.append(1_700_000_000_000 + i, Buffer.from(`k${i}`), Buffer.from(value), null);
  }
  return slab;
}

function valuesOf(member: Member): string[] {
  return member.frames.flatMap((frame) =>
    Array.from(frame.offsets, (_, i) => frame.arena.toString('utf8', frame.valueStart[i], frame.valueEnd[i])),
  );
}

/** What the sink promises (laws L3, L7), over producers of ours and over the client's. */
export function sinkConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  conformance(`${name}: sink`, start, false);
  conformance(`${name}: sink over the stock client`, start, true);
}

function conformance(name: string, start: () => Promise<BrokerUnderTest>, stock: boolean): void {
  describe(name, () => {
    const bench = lazyBench(start);

    test('rows arrive whole, in order, in the partition asked for', LIMIT, async () => {
      const { fresh, topic, sink: makeSink, member } = await bench();
      const name = await topic(3);
      const { sink, telemetry } = makeSink({ stock });
      await sink.open([name]);
      assert.equal(sink.partitionCount(name), 3);
      const sent = Array.from({ length: 1_500 }, (_, i) => `value ${i}`);
      await sink.send(name, 2, slabOf(sent.slice(0, 100)));
      await sink.send(name, 2, slabOf(sent.slice(100, 1_500)));
      const slab = new RecordSlab(4, 64);
      const headers = [
        { name: 'sluice-source', value: Buffer.from('t/0/1') },
        { name: 'twice', value: Buffer.from('1') },
        { name: 'nothing', value: null },
        { name: 'twice', value: Buffer.from('2') },
        { name: 'empty', value: Buffer.alloc(0) },
      ];
      slab.append(0, null, null, encodeHeaders(headers));
      await sink.send(name, 1, slab);
      const reader = member({ topics: [name], groupId: fresh('group') });
      await reader.start();
      await reader.until(() => reader.rows().length === 1_501);
      const [odd] = reader.frames.filter((frame) => frame.origin.partition === 1);
      const { decodeHeaders } = await import('../../src/kernel/headers.ts');
      assert.deepEqual(
        decodeHeaders(odd.arena.subarray(odd.headersStart[0], odd.headersEnd[0])).map((h) => `${h.name}=${h.value}`),
        stock
          ? ['sluice-source=t/0/1', 'twice=1', 'twice=2', 'nothing=', 'empty=']
          : ['sluice-source=t/0/1', 'twice=1', 'nothing=null', 'twice=2', 'empty='],
      );
      assert.deepEqual([odd.timestamps[0], odd.keyStart[0], odd.valueStart[0]], [0, -1, -1]);
      assert.equal(telemetry.eventsNamed('header-null-as-empty').length, stock ? 1 : 0, 'what is altered is said');
      reader.frames.splice(reader.frames.indexOf(odd), 1);
      assert.deepEqual(valuesOf(reader), sent);
      assert.equal(reader.frames[0].timestamps[1], 1_700_000_000_001);
      assert.equal(telemetry.count('sluice_duplicates_possible_total'), 0);
    });

    test('rows too large for the topic are refused as such, and the producer stays usable', LIMIT, async () => {
      const { topic, sink: makeSink } = await bench();
      const name = await topic(1, { 'max.message.bytes': '10000' });
      const { sink, telemetry } = makeSink({ stock });
      await sink.open([name]);
      await assert.rejects(sink.send(name, 0, slabOf([Buffer.alloc(20_000)])), {
        code: 'record-too-large',
        disposition: 'dead-letter',
        message: /10000 a batch/,
      });
      // Small enough for the estimate here, not for the broker, which counts varints and keys.
      await assert.rejects(sink.send(name, 0, slabOf([Buffer.alloc(9_928)])), { code: 'record-too-large' });
      await sink.send(name, 0, slabOf(['fits']));
      assert.equal(telemetry.eventsNamed('producer-replaced').length, 0);
    });

    test(
      'behind the last sequence, 2³¹ - 1, comes the first one, in the middle of a batch, too',
      LIMIT,
      async (context) => {
        if (stock) return context.skip('the client counts for itself');
        const { fresh, topic, sink: makeSink, member } = await bench();
        const name = await topic(2);
        const { sink, telemetry } = makeSink();
        const begun = beginSequencesAt(2 ** 31 - 5);
        try {
          await sink.open([name]);
          const sent = Array.from({ length: 12 }, (_, i) => `value ${i}`);
          for (const [partition, first] of [5, 3].entries()) {
            await sink.send(name, partition, slabOf(sent.slice(0, first)));
            await sink.send(name, partition, slabOf(sent.slice(first, 8)));
            await sink.send(name, partition, slabOf(sent.slice(8)));
          }
          const reader = member({ topics: [name], groupId: fresh('group') });
          await reader.start();
          await reader.until(() => reader.rows().length === 24);
          assert.deepEqual(valuesOf(reader).sort(), [...sent, ...sent].sort());
          assert.deepEqual(telemetry.eventsNamed('producer-replaced'), []);
          assert.equal(telemetry.count('sluice_retries_total', { what: 'kafka-send', reason: 'broker-rejected' }), 0);
        } finally {
          begun();
        }
      },
    );

    test(
      'a topic that is missing is an error that says what to do; one with append times is no mismatch',
      LIMIT,
      async () => {
        const { topic, sink: makeSink } = await bench();
        await assert.rejects(makeSink({ stock }).sink.open(['not-there']), {
          code: 'topic-missing',
          message: /--create --topic not-there/,
        });
        const name = await topic(1, { 'message.timestamp.type': 'LogAppendTime' });
        const { sink } = makeSink({ stock });
        await sink.open([name]);
        await sink.send(name, 0, slabOf(['a', 'b']));
      },
    );
  });
}
