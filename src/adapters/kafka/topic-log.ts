import { decodeHeaders } from '../../kernel/headers.ts';
import type { LogRecord, TopicLog } from '../../ports/topic-log.ts';
import type { FetchedMessage } from './client/internals.ts';
import type { ConnectionDeps, KafkaConnection } from './connection.ts';
import { endOf, headersOf } from './fetch/frames.ts';
import { createLogReader } from './fetch/log-reader.ts';

/**
 * Reads topics without a group, with the promise of the port (src/ports/topic-log.ts). Only committed records, because a dead letter
 * of an aborted transaction is none and must not be replayed. Limits: one fetch at a time; an unreadable batch comes as records
 * without a body.
 */
export interface TopicLogOptions extends KafkaConnection {
  readonly fetchMaxBytes?: number;
}

export function createTopicLog(deps: ConnectionDeps, options: TopicLogOptions): TopicLog {
  const reader = createLogReader(deps, options);
  const { asked, extents } = reader;

  return {
    extents,
    close: () => reader.close(),

    async offsetsAt(topic, timestampMs) {
      const admin = await reader.admin();
      const found = await asked(topic, `find offsets of topic "${topic}" by time`, () =>
        admin.fetchTopicOffsetsByTimestamp(topic, timestampMs),
      );
      const offsets: number[] = [];
      for (const { partition, offset } of found) offsets[partition] = Number(offset);
      return offsets;
    },

    async topics() {
      const admin = await reader.admin();
      const names = await asked('', 'list the topics', () => admin.listTopics());
      return names.filter((name) => !name.startsWith('__')).sort();
    },

    async read(topic, partition, { from, to }, visit) {
      let offset = from;
      while (offset < to) {
        const batch = await reader.fetch(topic, partition, offset);
        if (batch === undefined) {
          // Retention or a purge was faster, so the partition begins later; or it is a different topic by now.
          const start = (await extents(topic))[partition]?.start ?? to;
          offset = start > offset ? start : to;
          continue;
        }
        for (const message of batch.messages) {
          if (Number(message.offset) >= to) return to;
          const record = recordOf(partition, message);
          const goesOn = visit(record);
          // Most visits wait for nothing: a promise each would cost more than the visit.
          if (!(typeof goesOn === 'boolean' ? goesOn : await goesOn)) return record.offset + 1;
        }
        // Before the end there is always something to fetch, unless an open transaction holds it back.
        if (batch.rawMessages.length === 0) return offset;
        offset = Math.max(offset + 1, endOf(batch));
      }
      return to;
    },

    async truncate(topic, partition, offset) {
      const admin = await reader.admin();
      // The client deletes only from topics whose metadata it has read before.
      await extents(topic);
      await asked(topic, `delete ${topic}/${partition} before offset ${offset}`, () =>
        admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] }),
      );
    },
  };
}

function recordOf(partition: number, message: FetchedMessage): LogRecord {
  const { offset, timestamp, key, value, headerBlock, unread } = message;
  return {
    partition,
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key,
    value,
    // The block has them in their order; message sets of old brokers have none.
    headers: headerBlock ? decodeHeaders(headerBlock) : headersOf(message.headers),
    ...(unread !== undefined && { unread: unread.why }),
  };
}
