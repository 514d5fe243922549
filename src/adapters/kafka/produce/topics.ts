import kafkajs, { type Admin } from 'kafkajs';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { messageOf } from '../client/errors.ts';
import { partitionCounts } from '../connection.ts';

/** What the sink must know about a topic. */
export interface TopicFacts {
  readonly partitions: number;
  /** Records get the time of appending instead of their own. */
  readonly logAppendTime: boolean;
  /** Largest record batch the topic takes; Infinity where the broker does not say. */
  readonly maxBytes: number;
}

export interface Topics {
  /** Rejects with `topic-missing`. */
  open(topics: readonly string[]): Promise<void>;
  of(topic: string): TopicFacts;
  refresh(): Promise<void>;
  close(): void;
}

/** Facts of the opened topics, refreshed every `refreshMs`: a topic may get more partitions at run time. */
export function createTopics(
  deps: { readonly admin: Admin; readonly clock: Clock; readonly telemetry: Telemetry },
  options: { readonly brokers: readonly string[]; readonly refreshMs: number },
): Topics {
  const { admin, clock, telemetry } = deps;
  const facts = new Map<string, TopicFacts>();
  let timer: Timer | undefined;
  let isClosed = false;

  async function configs(topic: string): Promise<Omit<TopicFacts, 'partitions'>> {
    try {
      const names = ['message.timestamp.type', 'max.message.bytes'];
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: names }],
      });
      const value = (name: string): string | undefined =>
        resources[0]?.configEntries.find((entry) => entry.configName === name)?.configValue;
      return {
        logAppendTime: value('message.timestamp.type') === 'LogAppendTime',
        maxBytes: Number(value('max.message.bytes') ?? Number.POSITIVE_INFINITY),
      };
    } catch (thrown) {
      // Describing a topic takes a right that producing does not. Without it: no append time is expected wrongly,
      // which only leaves out the check for it, and the broker judges sizes.
      telemetry.event('topic-metadata-stale', { topics: topic, error: messageOf(thrown) });
      return { logAppendTime: true, maxBytes: Number.POSITIVE_INFINITY };
    }
  }

  async function read(topics: readonly string[]): Promise<void> {
    let failure: unknown;
    // One topic that is gone does not keep the others from being read.
    for (const topic of topics) {
      try {
        const counts = await partitionCounts(admin, [topic], options.brokers);
        facts.set(topic, { partitions: counts.get(topic) as number, ...(await configs(topic)) });
      } catch (thrown) {
        failure ??= thrown;
      }
    }
    if (failure !== undefined) throw failure;
  }

  function schedule(): void {
    if (isClosed) return;
    timer = clock.after(options.refreshMs, () => {
      refresh().then(schedule, (thrown: unknown) => {
        telemetry.event('topic-metadata-stale', { topics: [...facts.keys()].join(','), error: messageOf(thrown) });
        schedule();
      });
    });
  }

  const refresh = (): Promise<void> => read([...facts.keys()]);

  return {
    async open(topics) {
      await read(topics);
      timer?.cancel();
      schedule();
    },
    of(topic) {
      const found = facts.get(topic);
      if (found === undefined) throw new SluiceError('invariant-broken', `topic "${topic}" was not opened`);
      return found;
    },
    refresh,
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
