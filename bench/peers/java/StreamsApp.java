import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Kafka Streams with one model run per record, as its processors offer. The clients are tuned like those of BatchLoop. */
public final class StreamsApp {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        Job.producer().forEach((name, value) -> {
            if (!name.toString().endsWith("serializer")) p.put(name.toString().contains(".servers") ? name : "producer." + name, value);
        });
        Job.consumer().forEach((name, value) -> {
            if (name.toString().matches("(fetch|max|receive)\\..*")) p.put("main.consumer." + name, value);
        });
        p.put("application.id", Job.env("BENCH_GROUP"));
        p.put("num.stream.threads", "1");
        p.put("commit.interval.ms", "1000");
        p.put("main.consumer.max.poll.records", "2000");
        p.put("auto.offset.reset", "earliest");
        p.put("statestore.cache.max.bytes", "0");
        p.put("metrics.recording.level", "INFO");
        p.put("state.dir", Files.createTempDirectory("bench-streams").toString());
        Serdes.ByteArraySerde bytes = new Serdes.ByteArraySerde();
        StreamsBuilder builder = new StreamsBuilder();
        OrtEnvironment ort = OrtEnvironment.getEnvironment();
        OrtSession session = Job.session(ort);
        builder.stream(Job.INPUT, Consumed.with(bytes, bytes))
                .processValues(() -> new Score(ort, session))
                .to(Job.OUTPUT, Produced.with(bytes, bytes));
        KafkaStreams streams = new KafkaStreams(builder.build(), p);
        streams.setUncaughtExceptionHandler((error) -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
    }

    private static final class Score extends ContextualFixedKeyProcessor<byte[], byte[], byte[]> {
        private final OrtEnvironment ort;
        private final OrtSession session;
        private final String input;
        private final Codec codec = new Codec();
        private final FloatBuffer row = ByteBuffer.allocateDirect(4 * Job.WIDTH).order(ByteOrder.nativeOrder()).asFloatBuffer();

        Score(OrtEnvironment ort, OrtSession session) {
            this.ort = ort;
            this.session = session;
            this.input = session.getInputNames().iterator().next();
        }

        @Override
        public void process(FixedKeyRecord<byte[], byte[]> record) {
            row.clear();
            try {
                int end = codec.decode(record.value(), row);
                row.flip();
                try (OnnxTensor tensor = OnnxTensor.createTensor(ort, row, Job.shape(1));
                        OrtSession.Result result = session.run(Map.of(input, tensor), Set.of(Job.OUTPUT_NAME))) {
                    FloatBuffer answer = ((OnnxTensor) result.get(0)).getFloatBuffer();
                    float[] scores = new float[answer.remaining()];
                    answer.get(scores);
                    byte[] value = codec.encode(record.value(), end, codec.head(), scores, 0, scores.length);
                    RecordMetadata source = context().recordMetadata().orElseThrow();
                    Out.addHeaders(record.headers(), source.partition(), source.offset());
                    context().forward(record.withValue(value));
                }
            } catch (OrtException | IOException error) {
                throw new IllegalStateException(error);
            }
        }
    }
}
