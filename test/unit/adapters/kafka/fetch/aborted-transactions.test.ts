import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type FetchedRecord,
  type FetchedRecords,
  hideAborted,
} from '../../../../../src/adapters/kafka/fetch/aborted-transactions.ts';

const MARKERS = { abort: Buffer.from([0, 0, 0, 0]), commit: Buffer.from([0, 0, 0, 1]) };

/** A log of interleaved transactions, as a broker keeps it, and what a reader of committed records is to see of it. */
function play(steps: readonly { readonly producer: number; readonly what: 'write' | 'abort' | 'commit' }[]) {
  const log: FetchedRecord[] = [];
  const open = new Map<string, number[]>();
  const aborted: { producerId: string; firstOffset: string; last: number }[] = [];
  const committed: number[] = [];
  const append = (producerId: string, key: Buffer | null): number => {
    const offset = log.length;
    const isControlRecord = key !== null;
    const batchContext = { firstOffset: String(offset), lastOffsetDelta: 0, producerId, inTransaction: true };
    log.push({ offset: String(offset), key, isControlRecord, batchContext });
    return offset;
  };
  for (const { producer, what } of steps) {
    const id = String(producer);
    const written = open.get(id) ?? [];
    if (what === 'write') open.set(id, [...written, append(id, null)]);
    else if (written.length > 0) {
      const last = append(id, MARKERS[what]);
      if (what === 'commit') committed.push(...written);
      else aborted.push({ producerId: id, firstOffset: String(written[0]), last });
      open.delete(id);
    }
  }
  // What is open at the end is beyond the last stable offset: never fetched.
  const stable = Math.min(log.length, ...[...open.values()].map(([first]) => first));
  return { log: log.slice(0, stable), aborted, committed: committed.filter((at) => at < stable) };
}

const visible = ({ messages }: FetchedRecords): number[] =>
  messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));

test('records of aborted transactions are hidden, however transactions overlap and wherever a fetch begins', () => {
  const step = fc.record({
    producer: fc.integer({ min: 1, max: 4 }),
    what: fc.constantFrom('write' as const, 'write' as const, 'abort' as const, 'commit' as const),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, from) => {
      const { log, aborted, committed } = play(steps);
      const messages = log.slice(from).map((record) => ({ ...record }));
      // As brokers answer: those that reach into what is fetched, in the order of their ends.
      const abortedTransactions = aborted.filter(({ last }) => last >= from);
      const fetched: FetchedRecords = { messages, abortedTransactions };
      hideAborted(fetched);
      assert.deepEqual(
        visible(fetched),
        committed.filter((at) => at >= from).sort((a, b) => a - b),
      );
      if (abortedTransactions.length > 0)
        assert.deepEqual(fetched.abortedTransactions, [], 'the client has nothing to add');
    }),
  );
});

test('batches are hidden as their records would be, also where a fetch begins within one', () => {
  const step = fc.record({
    producer: fc.integer({ min: 1, max: 3 }),
    what: fc.constantFrom('write' as const, 'write' as const, 'write' as const, 'abort' as const, 'commit' as const),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, from) => {
      const { log, aborted } = play(steps);
      const single = log.map((record) => ({ ...record }));
      hideAborted({ messages: single, abortedTransactions: aborted });
      // What one producer wrote in a row is one batch, by the offset of its last record.
      const batches: { first: number; message: FetchedRecord }[] = [];
      for (const record of log) {
        const last = batches.at(-1);
        const isSame = last?.message.batchContext?.producerId === record.batchContext?.producerId;
        if (last !== undefined && isSame && !record.isControlRecord && !last.message.isControlRecord)
          last.message = { ...record };
        else batches.push({ first: Number(record.offset), message: { ...record } });
      }
      const fetched = batches.filter(({ message }) => Number(message.offset) >= from);
      const abortedTransactions = aborted.filter(({ last }) => last >= (fetched[0]?.first ?? 0));
      hideAborted({ messages: fetched.map(({ message }) => message), abortedTransactions });
      for (const { first, message } of fetched)
        for (let offset = first; offset <= Number(message.offset); offset++)
          assert.equal(message.isControlRecord, single[offset].isControlRecord, `${offset}`);
    }),
  );
});

test('what no transaction wrote is left alone, and so is a fetch without aborted transactions', () => {
  const batchContext = { firstOffset: '0', lastOffsetDelta: 0, producerId: '1', inTransaction: false };
  const plain = { offset: '0', key: null, isControlRecord: false, batchContext };
  const fetched: FetchedRecords = {
    messages: [{ ...plain }, { offset: '1', key: null }],
    abortedTransactions: [{ producerId: '1', firstOffset: '0' }],
  };
  hideAborted(fetched);
  assert.deepEqual(visible(fetched), [0, 1]);
  const nothing: FetchedRecords = { messages: [{ ...plain }], abortedTransactions: null };
  hideAborted(nothing);
  assert.deepEqual(visible(nothing), [0]);
});
