"""A confluent-kafka loop that takes many messages at a time, decodes them with numpy and runs ONNX Runtime on the batch.

Started by bench/run.ts. Id and time are the first fields of input and output, so Avro copies their bytes. Offsets are
committed once a second, behind a flush; a failed delivery ends the process.
"""

import json
import os
import sys
import time

import numpy as np
import onnxruntime
from confluent_kafka import Consumer, Producer, TopicPartition

INPUT, OUTPUT = os.environ["BENCH_INPUT"], os.environ["BENCH_OUTPUT"]
BATCH, WIDTH = int(os.environ["BENCH_BATCH"]), int(os.environ["BENCH_WIDTH"])
SHAPE = [int(n) for n in os.environ["BENCH_SHAPE"].split(",")]
CODEC = os.environ["BENCH_CODEC"]
MODEL = b"bench@1#0123456789ab"
OUTPUT_PREFIX = b"\0\0\0\0\2"
DAY_MS = 86_400_000
COMMIT_EVERY_S = 1
TAIL = {"light": 96, "avro": 4 * WIDTH + 1}.get(CODEC)  # bytes of the numbers, which end the value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def light(values):
    """Twelve doubles end the value; four inputs are made from them and the time."""
    numbers = np.frombuffer(b"".join([value[-TAIL:] for value in values]), "<f8").reshape(-1, 12)
    times = np.array([varint(value, 6 + (value[5] >> 1))[0] for value in values])
    rows = np.empty((len(values), 16), np.float32)
    rows[:, :12] = numbers
    x, y, z, volts, amperes, rpm = numbers.T[3:9]
    rows[:, 12] = times % DAY_MS / DAY_MS
    rows[:, 13] = volts * amperes / 1000
    rows[:, 14] = x * x + y * y + z * z
    rows[:, 15] = numbers[:, 10] - rpm / 3000
    return rows, [OUTPUT_PREFIX + value[5:-TAIL] for value in values]


def avro(values):
    """A count of two bytes, or of one below 64, the floats, and a zero end the value."""
    rows = np.frombuffer(b"".join([value[-TAIL:-1] for value in values]), "<f4").reshape(-1, WIDTH)
    count = TAIL + (2 if WIDTH > 63 else 1)
    return rows, [OUTPUT_PREFIX + value[5:-count] for value in values]


def from_json(values):
    events = [json.loads(value) for value in values]
    return np.array([event["values"] for event in events], np.float32), events


def encode(heads, scores):
    if CODEC == "light":
        data = scores.astype("<f4").tobytes()
        return [head + data[4 * i : 4 * i + 4] for i, head in enumerate(heads)]
    if CODEC == "avro":
        each, data = scores.shape[1] * 4, scores.astype("<f4").tobytes()
        count = bytes([2 * scores.shape[1]])
        return [head + count + data[i * each : (i + 1) * each] + b"\0" for i, head in enumerate(heads)]
    return [
        json.dumps({"id": event["id"], "at": event["at"], "scores": row})
        for event, row in zip(heads, scores.tolist())
    ]


def failed(error, _message):
    if error is not None:
        sys.stderr.write(f"{error}\n")
        os._exit(1)


def main():
    decode = {"light": light, "avro": avro, "json": from_json}[CODEC]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
    name, outputs = session.get_inputs()[0].name, [os.environ["BENCH_OUTPUT_NAME"]]
    brokers = {"bootstrap.servers": os.environ["BENCH_BROKERS"]}
    consumer = Consumer(
        brokers
        | {
            "group.id": os.environ["BENCH_GROUP"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "fetch.min.bytes": 65_536,
            "fetch.wait.max.ms": 5,
            "fetch.max.bytes": 16 << 20,
            "max.partition.fetch.bytes": 4 << 20,
            "queued.max.messages.kbytes": 65_536,
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 5,
            "check.crcs": True,
        }
    )
    producer = Producer(
        brokers
        | {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "batch.size": 262_144,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 200_000,
            "delivery.report.only.error": True,
            "on_delivery": failed,
        }
    )
    consumer.subscribe([INPUT])
    done, committed = {}, time.monotonic()
    while True:
        messages = [message for message in consumer.consume(BATCH, 0.005) if message.error() is None]
        if messages:
            rows, heads = decode([message.value() for message in messages])
            scores = session.run(outputs, {name: rows.reshape(-1, *SHAPE)})[0]
            for message, value in zip(messages, encode(heads, scores)):
                partition, offset = message.partition(), message.offset()
                done[partition] = offset + 1
                headers = [("sluice-source", f"{INPUT}/{partition}/{offset}"), ("sluice-model", MODEL)]
                while True:
                    try:
                        producer.produce(OUTPUT, value, message.key(), headers=headers)
                        break
                    except BufferError:
                        producer.poll(0.01)
            producer.poll(0)
        if done and time.monotonic() - committed > COMMIT_EVERY_S:
            producer.flush()
            consumer.commit(offsets=[TopicPartition(INPUT, p, o) for p, o in done.items()], asynchronous=True)
            committed = time.monotonic()


main()
