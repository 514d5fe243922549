import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.Arrays;
import java.util.Properties;

/** What bench/run.ts asks for, by the environment, and the settings that the Java peers share. */
final class Job {
    static final String INPUT = env("BENCH_INPUT");
    static final String OUTPUT = env("BENCH_OUTPUT");
    static final String OUTPUT_NAME = env("BENCH_OUTPUT_NAME");
    static final int BATCH = Integer.parseInt(env("BENCH_BATCH"));
    static final int WIDTH = Integer.parseInt(env("BENCH_WIDTH"));
    static final long[] ROW_SHAPE = Arrays.stream(env("BENCH_SHAPE").split(",")).mapToLong(Long::parseLong).toArray();

    private Job() {}

    static String env(String name) {
        String value = System.getenv(name);
        if (value == null) throw new IllegalStateException(name + " is not set: bench/run.ts starts these programs");
        return value;
    }

    static long[] shape(int rows) {
        long[] shape = new long[ROW_SHAPE.length + 1];
        shape[0] = rows;
        System.arraycopy(ROW_SHAPE, 0, shape, 1, ROW_SHAPE.length);
        return shape;
    }

    static OrtSession session(OrtEnvironment ort) throws OrtException {
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(1);
        options.setInterOpNumThreads(1);
        return ort.createSession(env("BENCH_MODEL"), options);
    }

    /** Large fetches, so that a poll seldom waits and never holds a single record. */
    static Properties consumer() {
        Properties p = clients();
        p.put("group.id", env("BENCH_GROUP"));
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.wait.ms", "5");
        p.put("fetch.min.bytes", "65536");
        p.put("fetch.max.bytes", "16777216");
        p.put("max.partition.fetch.bytes", "4194304");
        p.put("receive.buffer.bytes", "1048576");
        p.put("max.poll.records", String.valueOf(BATCH));
        return p;
    }

    static Properties producer() {
        Properties p = clients();
        p.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("acks", "all");
        p.put("enable.idempotence", "true");
        p.put("linger.ms", "5");
        p.put("batch.size", "262144");
        p.put("buffer.memory", "67108864");
        p.put("send.buffer.bytes", "1048576");
        return p;
    }

    private static Properties clients() {
        Properties p = new Properties();
        p.put("bootstrap.servers", env("BENCH_BROKERS"));
        p.put("enable.metrics.push", "false");
        return p;
    }
}
