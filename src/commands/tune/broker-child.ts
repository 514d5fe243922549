import { createBroker } from '../../devstack/kafka/broker.ts';

/**
 * The embedded broker in its own process, so that its CPU is not counted by the caller. It takes topics as its argument (JSON: name,
 * partitions), prints its addresses in one line, and ends when its standard input does.
 */
const broker = await createBroker();
const topics: { readonly name: string; readonly partitions: number }[] = JSON.parse(process.argv[2] ?? '[]');
for (const { name, partitions } of topics) broker.createTopic(name, { partitions });
process.stdout.write(`${JSON.stringify(broker.brokers)}\n`);
process.stdin.resume().on('end', () => process.exit());
