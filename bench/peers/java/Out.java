import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;

/** Produces without waiting, and commits what is acknowledged once a second. A failed send ends the process. */
final class Out {
    private static final byte[] MODEL = "bench@1#0123456789ab".getBytes(StandardCharsets.ISO_8859_1);
    private static final long COMMIT_EVERY_MS = 1_000;

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(Job.producer());
    private final Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
    private long committedMs = System.currentTimeMillis();

    Out(KafkaConsumer<byte[], byte[]> consumer) {
        this.consumer = consumer;
    }

    void send(ConsumerRecord<byte[], byte[]> source, byte[] value, boolean headers) {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(Job.OUTPUT, source.key(), value);
        if (headers) addHeaders(record.headers(), source.partition(), source.offset());
        producer.send(record, (metadata, error) -> {
            if (error == null) return;
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
    }

    static void addHeaders(Headers headers, int partition, long offset) {
        String source = Job.INPUT + "/" + partition + "/" + offset;
        headers.add("sluice-source", source.getBytes(StandardCharsets.ISO_8859_1)).add("sluice-model", MODEL);
    }

    void done(TopicPartition partition, long nextOffset) {
        done.put(partition, new OffsetAndMetadata(nextOffset));
    }

    void commitWhenDue() {
        long now = System.currentTimeMillis();
        if (now - committedMs < COMMIT_EVERY_MS || done.isEmpty()) return;
        committedMs = now;
        producer.flush();
        consumer.commitAsync(new HashMap<>(done), null);
    }
}
