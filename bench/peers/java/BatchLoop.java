import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** The tuned batch consumer: a poll is a batch, decoded by hand into the direct buffer that ONNX Runtime reads. */
public final class BatchLoop {
    public static void main(String[] args) throws Exception {
        OrtEnvironment ort = OrtEnvironment.getEnvironment();
        OrtSession session = Job.session(ort);
        String input = session.getInputNames().iterator().next();
        FloatBuffer rows = ByteBuffer.allocateDirect(4 * Job.BATCH * Job.WIDTH).order(ByteOrder.nativeOrder()).asFloatBuffer();
        int[] ends = new int[Job.BATCH];
        String[] heads = new String[Job.BATCH];
        float[] scores = new float[0];
        Codec codec = new Codec();
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(Job.consumer());
        consumer.subscribe(List.of(Job.INPUT));
        Out out = new Out(consumer);

        while (true) {
            ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(100));
            if (!polled.isEmpty()) {
                List<ConsumerRecord<byte[], byte[]>> batch = new ArrayList<>(polled.count());
                rows.clear();
                for (ConsumerRecord<byte[], byte[]> record : polled) {
                    int row = batch.size();
                    ends[row] = codec.decode(record.value(), rows);
                    heads[row] = codec.head();
                    batch.add(record);
                }
                rows.flip();
                int count = batch.size();
                try (OnnxTensor tensor = OnnxTensor.createTensor(ort, rows, Job.shape(count));
                        OrtSession.Result result = session.run(Map.of(input, tensor), java.util.Set.of(Job.OUTPUT_NAME))) {
                    FloatBuffer answer = ((OnnxTensor) result.get(0)).getFloatBuffer();
                    if (scores.length < answer.remaining()) scores = new float[answer.remaining()];
                    int each = answer.remaining() / count;
                    answer.get(scores, 0, each * count);
                    for (int row = 0; row < count; row++) {
                        ConsumerRecord<byte[], byte[]> source = batch.get(row);
                        out.send(source, codec.encode(source.value(), ends[row], heads[row], scores, row * each, each), true);
                    }
                }
                for (TopicPartition partition : polled.partitions()) {
                    List<ConsumerRecord<byte[], byte[]>> of = polled.records(partition);
                    out.done(partition, of.get(of.size() - 1).offset() + 1);
                }
            }
            out.commitWhenDue();
        }
    }
}
