/** The producers upstream: numbered events, good ones and every bad kind, and the expected fate of each by its offset. */
import type { Message, Producer } from 'kafkajs';
import { Partitioners } from 'kafkajs';
import { quietKafka } from '../../fixtures/reader.ts';
import { framed } from '../../fixtures/upstream.ts';
import type { Answer, Input } from '../judge.ts';
import { sourceOf } from '../judge.ts';
import type { Seen } from '../read.ts';
import { UPSTREAM } from './faults.ts';
import { eventTypes, expectedScore, PARTITIONS, scoreType, TOPICS } from './pipeline.ts';

type Must = 'published' | 'dead-lettered' | 'dropped';

interface Fed {
  readonly id: number;
  readonly must: Must;
  readonly score: number;
}

interface Made {
  readonly message: Message;
  readonly fed: Fed;
}

export class Feed {
  readonly acknowledged = new Set<string>();
  private readonly fed = new Map<string, Fed>();
  private readonly kept: Made[] = [];
  private readonly random: () => number;
  private readonly schemaIds: readonly number[];
  private producer: Producer | undefined;
  private next = 0;

  constructor(random: () => number, schemaIds: readonly number[]) {
    this.random = random;
    this.schemaIds = schemaIds;
  }

  async open(brokers: string): Promise<void> {
    this.producer = quietKafka(brokers, UPSTREAM).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await this.producer.connect();
  }

  /** A batch for one partition: with several, the client can skip records when a leader moves. */
  async send(count: number, to: { readonly partition?: number; readonly good?: boolean } = {}): Promise<void> {
    const { partition = Math.floor(this.random() * PARTITIONS.input), good = false } = to;
    const made = Array.from({ length: count }, () => this.make(good));
    this.kept.push(...made);
    await this.write(partition, made);
  }

  private async write(partition: number, made: readonly Made[]): Promise<void> {
    const messages = made.map(({ message }) => ({ ...message, partition }));
    const [answer] = (await this.producer?.send({ topic: TOPICS.input, messages })) ?? [];
    made.forEach(({ fed }, index) => {
      const source = sourceOf({ topic: TOPICS.input, partition, offset: Number(answer.baseOffset) + index });
      this.acknowledged.add(source);
      this.fed.set(source, fed);
    });
  }

  /** Events that were sent before, in another order and to any partition. */
  async repeat(count: number): Promise<void> {
    const all = [...this.kept];
    for (let n = 0; n < count; n++) {
      const partition = Math.floor(this.random() * PARTITIONS.input);
      await this.write(partition, [all[Math.floor(this.random() * all.length)]]);
    }
  }

  async close(): Promise<void> {
    await this.producer?.disconnect();
  }

  readonly dropped = (input: Input): boolean => this.fed.get(sourceOf(input))?.must === 'dropped';

  readonly expected = (input: Input): 'published' | 'dead-lettered' | undefined => {
    const must = this.fed.get(sourceOf(input))?.must;
    return must === 'dropped' ? undefined : must;
  };

  readonly flaw = (output: Seen, input: Seen | undefined): string | undefined => {
    if (output.topic !== TOPICS.output || output.value === null) return 'it is empty';
    const { id, score } = scoreType.fromBuffer(output.value.subarray(5));
    if (!Number.isFinite(score)) return `its score is ${score}`;
    const fed = input && this.fed.get(sourceOf(input));
    if (fed === undefined) return undefined;
    if (Number(id) !== fed.id) return `it answers event ${id}, not ${fed.id}`;
    return Math.abs(score - fed.score) < 1e-5 ? undefined : `its score is ${score}, not ${fed.score}`;
  };

  /** Within the model's rounding, which differs with the rows that a row is run among. */
  readonly alike = (first: Answer, again: Answer): boolean => {
    const [one, other] = [first, again].map(({ value }) => scoreType.fromBuffer((value as Buffer).subarray(5)));
    return one.id === other.id && Math.abs(one.score - other.score) < 1e-5;
  };

  private make(good: boolean): Made {
    const { random } = this;
    const id = this.next++;
    const writer = Math.floor(random() * eventTypes.length);
    const key = random() < 0.1 ? null : `k${Math.floor(random() * 6)}`;
    const chance = good ? 0.5 : random();
    const x = chance < 0.04 ? -100 : chance < 0.08 ? null : 1 + Math.floor(random() * 50);
    const extra = { extra_a: 0, extra_b: 0, extra_c: 0 };
    const value = framed(this.schemaIds[writer], eventTypes[writer].toBuffer({ id, key, x, ...extra }));
    const fed = (must: Must): Fed => ({ id, must, score: expectedScore(key, x) });
    const keyed = { key: random() < 0.1 ? null : String(id) };
    if (chance > 0.97) return { message: { ...keyed, value: null }, fed: fed('dropped') };
    if (chance > 0.94) return { message: { ...keyed, value: value.subarray(0, 6) }, fed: fed('dead-lettered') };
    if (chance > 0.93)
      return { message: { ...keyed, value: framed(999, value.subarray(5)) }, fed: fed('dead-lettered') };
    return { message: { ...keyed, value }, fed: fed(x === -100 ? 'dead-lettered' : 'published') };
  }
}
