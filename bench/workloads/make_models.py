"""Makes the models of bench/workloads/light and enriched: 16-32-1, float32, seeded random weights.

    python bench/workloads/make_models.py          (from the repository root; numpy, onnx, onnxruntime)

Writes model.onnx into both bundles, and golden.jsonl into the first. The weights are noise: the models are made to cost
what such models cost, not to know anything. Standardising is folded into the first layer.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SEED = 16_32_1
LIGHT = Path("bench/workloads/light/models/light/1")
ENRICHED = Path("bench/workloads/enriched/models/enriched/1")
FIELDS = {  # field of the event -> mean, spread
    "temperature": (45, 12), "humidity": (50, 15), "pressure": (1010, 9),
    "vibration_x": (0, 1), "vibration_y": (0, 1), "vibration_z": (0, 1),
    "voltage": (230, 4), "current": (12, 3), "rpm": (1500, 300),
    "flow": (8, 2), "load": (0.5, 0.15), "noise": (60, 8),
}  # fmt: skip
DERIVED = {"day_share": (0.5, 0.29), "power": (2.76, 0.7), "shaking": (3, 2.4), "slip": (0, 0.18)}
DAY_MS = 86_400_000


def inputs(event):
    values = [event[name] for name in FIELDS]
    shaking = event["vibration_x"] ** 2 + event["vibration_y"] ** 2 + event["vibration_z"] ** 2
    power = event["voltage"] * event["current"] / 1000
    return values + [event["at"] % DAY_MS / DAY_MS, power, shaking, event["load"] - event["rpm"] / 3000]


def network(rng, name, mean, spread):
    w0, w1 = rng.normal(0, 0.35, (16, 32)), rng.normal(0, 0.4, (32, 1))
    weights = {"W0": w0 / spread[:, None], "b0": -(mean / spread) @ w0, "W1": w1, "b1": np.array([-0.3])}
    nodes = [
        helper.make_node("Gemm", ["features", "W0", "b0"], ["z0"]),
        helper.make_node("Relu", ["z0"], ["h0"]),
        helper.make_node("Gemm", ["h0", "W1", "b1"], ["z1"]),
        helper.make_node("Sigmoid", ["z1"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 16])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="sluice-bench")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def write(bundle, content):
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "model.onnx").write_bytes(content)


def main():
    rng = np.random.default_rng(SEED)
    write(LIGHT, network(rng, "light", *np.array([*FIELDS.values(), *DERIVED.values()]).T))
    session = onnxruntime.InferenceSession(str(LIGHT / "model.onnx"), providers=["CPUExecutionProvider"])
    with open(LIGHT / "golden.jsonl", "w", encoding="utf-8") as file:
        for i in range(20):
            event = {"device": f"d{i:06}", "at": 1_750_000_000_000 + i * 7_919_000}
            event |= {name: round(float(rng.normal(mean, spread)), 3) for name, (mean, spread) in FIELDS.items()}
            score = session.run(None, {"features": np.array([inputs(event)], np.float32)})[0][0, 0]
            line = {"event": event, "features": {}, "expected": {"score": round(float(score), 7)}, "tolerance": 1e-5}
            file.write(json.dumps(line) + "\n")
    write(ENRICHED, network(rng, "enriched", np.zeros(16), np.full(16, 0.577)))


if __name__ == "__main__":
    main()
