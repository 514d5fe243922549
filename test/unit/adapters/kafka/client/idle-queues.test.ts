import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardIdle, type RequestQueue } from '../../../../../src/adapters/kafka/client/idle-queues.ts';

test('a queue sets its timer only when something is pending or the broker asked to wait', () => {
  let scheduled = 0;
  const prototype: RequestQueue = {
    throttledUntil: -1,
    pending: [],
    scheduleCheckPendingRequests: () => {
      scheduled++;
    },
  };
  guardIdle(prototype, () => 1_000);
  const queue = (state: Partial<RequestQueue>): RequestQueue => Object.assign(Object.create(prototype), state);

  queue({ pending: [] }).scheduleCheckPendingRequests();
  queue({ pending: [], throttledUntil: 1_000 }).scheduleCheckPendingRequests();
  assert.equal(scheduled, 0);
  queue({ pending: [1] }).scheduleCheckPendingRequests();
  queue({ pending: [], throttledUntil: 1_001 }).scheduleCheckPendingRequests();
  assert.equal(scheduled, 2);
});
