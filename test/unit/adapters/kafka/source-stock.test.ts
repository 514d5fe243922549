import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { FetchedBatch } from '../../../../src/adapters/kafka/client/internals.ts';
import { Member } from '../../../contract/member.ts';
import { producerOf, withBroker } from '../../devstack/kafka-client.ts';

test('a source fetches a batch at a time, or with `stock` a message a record', { timeout: 30_000 }, (context) =>
  withBroker({}, async (stack) => {
    const admin = stack.kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't' }] });
    await admin.disconnect();
    const messages = Array.from({ length: 5 }, (_, i) => ({ value: `v${i}` }));
    await (await producerOf(stack)).send({ topic: 't', messages });
    const fetched: number[] = [];
    const require = createRequire(import.meta.url);
    const { prototype } = require('kafkajs/src/consumer/batch') as { prototype: FetchedBatch & { isEmpty(): boolean } };
    const { isEmpty } = prototype;
    context.mock.method(prototype, 'isEmpty', function (this: FetchedBatch & { isEmpty(): boolean }) {
      fetched.push(this.messages.length);
      return isEmpty.call(this);
    });
    for (const stock of [false, true]) {
      fetched.length = 0;
      const member = new Member({ brokers: stack.broker.brokers, topics: ['t'], groupId: `g-${stock}`, stock });
      await member.start();
      await member.until(() => member.rows().length === 5);
      await member.source.close();
      assert.deepEqual([...new Set(fetched)], [stock ? 5 : 1]);
    }
  }),
);
