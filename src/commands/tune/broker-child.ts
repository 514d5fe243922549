import { createBroker } from '../../devstack/kafka/broker.ts';

/**
 * The embedded broker in a process of its own, so that its work is not in the figures of whoever measures. It is told topics as
 * its argument (JSON: name, partitions), answers with its addresses in a line, and ends when its standard input does.
 */
const broker = await createBroker();
const topics: { readonly name: string; readonly partitions: number }[] = JSON.parse(process.argv[2] ?? '[]');
for (const { name, partitions } of topics) broker.createTopic(name, { partitions });
process.stdout.write(`${JSON.stringify(broker.brokers)}\n`);
process.stdin.resume().on('end', () => process.exit());
