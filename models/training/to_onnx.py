"""A trained scikit-learn network as an ONNX file of core operators, with its scaler folded into the first layer."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


def write_network(path: Path, name, scaler, weights, biases):
    """`weights` and `biases` by layer, ReLU between, a sigmoid at the end: features [N,k] -> probability [N,1].

    Returns the file's sha256, hexadecimal."""
    weights = [np.asarray(layer, np.float64) for layer in weights]
    biases = [np.asarray(layer, np.float64) for layer in biases]
    # (x - mean) / scale, times W, plus b: the same as x times (W / scale), plus (b - mean / scale times W)
    biases[0] = biases[0] - (scaler.mean_ / scaler.scale_) @ weights[0]
    weights[0] = weights[0] / scaler.scale_[:, None]

    nodes, constants, value = [], [], "features"
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        constants += [
            numpy_helper.from_array(weight.astype(np.float32), f"W{i}"),
            numpy_helper.from_array(bias.astype(np.float32), f"b{i}"),
        ]
        nodes.append(helper.make_node("Gemm", [value, f"W{i}", f"b{i}"], [f"z{i}"]))
        last = i == len(weights) - 1
        value = "probability" if last else f"h{i}"
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"z{i}"], [value]))

    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", weights[0].shape[0]])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sluice-training")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return hashlib.sha256(path.read_bytes()).hexdigest()
