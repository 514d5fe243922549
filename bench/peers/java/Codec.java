import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Values to rows and predictions to values, by hand for these schemas: as fast as a decoder that knows its schema can be.
 * Id and time are the first fields of input and output, so Avro copies their bytes.
 */
final class Codec {
    private static final VarHandle DOUBLE =
            MethodHandles.byteArrayViewVarHandle(double[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle FLOAT = MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long DAY_MS = 86_400_000L;
    private static final int OUTPUT_SCHEMA = 2;
    private static final JsonFactory JSON = new JsonFactory();

    private final String kind = Job.env("BENCH_CODEC");
    private final boolean light = kind.equals("light");
    private final boolean json = kind.equals("json");
    private int at;
    private String id;
    private long atMs;

    /** Appends a row; returns where the value's id and time end (Avro). */
    int decode(byte[] value, FloatBuffer rows) throws IOException {
        if (json) return decodeJson(value, rows);
        at = 5;
        int idBytes = (int) varint(value);
        at += idBytes;
        atMs = varint(value);
        int end = at;
        if (light) {
            light(value, rows);
        } else {
            int count = (int) varint(value);
            rows.put(ByteBuffer.wrap(value, at, 4 * count).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer());
        }
        return end;
    }

    private void light(byte[] value, FloatBuffer rows) {
        double x = number(value, 3), y = number(value, 4), z = number(value, 5);
        double volts = number(value, 6), amperes = number(value, 7), rpm = number(value, 8), load = number(value, 10);
        rows.put((float) number(value, 0)).put((float) number(value, 1)).put((float) number(value, 2));
        rows.put((float) x).put((float) y).put((float) z).put((float) volts).put((float) amperes).put((float) rpm);
        rows.put((float) number(value, 9)).put((float) load).put((float) number(value, 11));
        rows.put((float) ((double) (atMs % DAY_MS) / DAY_MS)).put((float) (volts * amperes / 1000));
        rows.put((float) (x * x + y * y + z * z)).put((float) (load - rpm / 3000));
    }

    private int decodeJson(byte[] value, FloatBuffer rows) throws IOException {
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                parser.nextToken();
                if (field.equals("id")) id = parser.getText();
                else if (field.equals("at")) atMs = parser.getLongValue();
                else while (parser.nextToken() != JsonToken.END_ARRAY) rows.put(parser.getFloatValue());
            }
        }
        return 0;
    }

    /** What JSON needs of a decoded value for its output. */
    String head() {
        return json ? "{\"id\":\"" + id + "\",\"at\":" + atMs + ",\"scores\":[" : null;
    }

    byte[] encode(byte[] source, int end, String head, float[] scores, int from, int count) {
        if (json) {
            StringBuilder text = new StringBuilder(head);
            for (int i = 0; i < count; i++) text.append(i == 0 ? "" : ",").append(scores[from + i]);
            return text.append("]}").toString().getBytes(StandardCharsets.ISO_8859_1);
        }
        int start = light ? end : end + 1;
        byte[] value = new byte[start + 4 * count + (light ? 0 : 1)];
        System.arraycopy(source, 0, value, 0, end);
        value[4] = OUTPUT_SCHEMA;
        if (!light) value[end] = (byte) (2 * count);
        for (int i = 0; i < count; i++) FLOAT.set(value, start + 4 * i, scores[from + i]);
        return value;
    }

    private double number(byte[] value, int index) {
        return (double) DOUBLE.get(value, at + 8 * index);
    }

    private long varint(byte[] value) {
        long found = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = value[at++];
            found |= (long) (next & 0x7f) << shift;
            if (next >= 0) return (found >>> 1) ^ -(found & 1);
        }
    }
}
