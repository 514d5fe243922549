import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** Copies the topic, keys and values, with the settings of BatchLoop: the cost of the two Java clients alone. */
public final class BareLoop {
    public static void main(String[] args) {
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(Job.consumer());
        consumer.subscribe(List.of(Job.INPUT));
        Out out = new Out(consumer);
        while (true) {
            ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(100));
            for (TopicPartition partition : polled.partitions()) {
                List<ConsumerRecord<byte[], byte[]>> of = polled.records(partition);
                for (ConsumerRecord<byte[], byte[]> record : of) out.send(record, record.value(), false);
                out.done(partition, of.get(of.size() - 1).offset() + 1);
            }
            out.commitWhenDue();
        }
    }
}
