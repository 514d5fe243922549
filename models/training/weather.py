"""Trains the model of topologies/weather.yaml: an autoencoder that knows which weather goes together.

    python models/training/weather.py --cache DIR        (from the repository root)

Writes models/weather/1 (model.onnx, golden.jsonl) and examples/weather (events, feature table, expected errors, faults).
Normals are the months of 2012 to 2014 by station, the network is trained on 2012 and 2013, its bounds are quantiles of 2014,
and 2015 is scored. Nobody has said which days of 2015 were anomalies; how well faults of a sensor are found is measured on
readings of 2015 that were falsified here.
"""

import argparse
import csv
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor

from flights import fetch, write_lines
from to_onnx import IR_VERSION, OPSET

MEMBER = "package/data/weather.csv"
BUNDLE = Path("models/weather/1")
EXAMPLE = Path("examples/weather")
SENSORS = ("temp_max", "temp_min", "precipitation", "wind")
HIDDEN = (8, 2, 8)  # through two numbers: four sensors cannot be copied, only what goes together
SEED = 7
EVERY_DAY_MS = 86_400_000


class Readings:
    """Parallel arrays; `values` is readings x SENSORS, precipitation as it was measured, in millimetres."""

    def __init__(self, rows):
        self.rows = rows
        self.station = np.array([row["location"] for row in rows])
        self.day = np.array([datetime.fromisoformat(row["date"]).replace(tzinfo=UTC) for row in rows])
        self.year = np.array([day.year for day in self.day])
        self.month = np.array([day.month for day in self.day])
        self.values = np.array([[float(row[sensor]) for sensor in SENSORS] for row in rows])


def comparable(values):
    """Rain is many small values and few large ones: its logarithm is what is compared."""
    values = np.array(values, np.float64)
    values[..., 2] = np.log1p(values[..., 2])
    return values


def normals_of(readings, keep):
    """Station -> (mean, deviation) by month and sensor, rounded as they stand in the feature table."""
    values = comparable(readings.values)
    tables = {}
    for station in sorted(set(readings.station)):
        months = [values[keep & (readings.station == station) & (readings.month == month)] for month in range(1, 13)]
        tables[station] = (
            np.round([month.mean(axis=0) for month in months], 4),
            np.round([month.std(axis=0) for month in months], 4),
        )
    return tables


def inputs(values, stations, months, normals):
    """What models/weather/1/bundle.yaml says: deviations from the normal of station and month; missing counts as normal."""
    mean = np.stack([normals[station][0][month - 1] for station, month in zip(stations, months)])
    spread = np.stack([normals[station][1][month - 1] for station, month in zip(stations, months)])
    z = (comparable(values) - mean) / spread
    return np.where(np.isnan(z), 0.0, z).astype(np.float32)


def write_autoencoder(path, layers):
    """deviations [N,4] -> expected [N,4], what the network makes of them, and error [N,1], how far off that is (mean square)."""
    nodes, constants, value = [], [], "deviations"
    for i, (weight, bias) in enumerate(layers):
        constants += [
            numpy_helper.from_array(np.asarray(weight, np.float32), f"W{i}"),
            numpy_helper.from_array(np.asarray(bias, np.float32), f"b{i}"),
        ]
        last = i == len(layers) - 1
        out = "expected" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, f"W{i}", f"b{i}"], [out]))
        if not last:
            nodes.append(helper.make_node("Tanh", [out], [f"h{i}"]))
        value = f"h{i}"
    nodes += [
        helper.make_node("Sub", ["deviations", "expected"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["error"], axes=[1], keepdims=1),
    ]
    of = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
    width = len(SENSORS)
    graph = helper.make_graph(
        nodes, "weather", [of("deviations", width)], [of("expected", width), of("error", 1)], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sluice-training")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


FAULTS = {  # what happens to sensors -> what they then say
    "thermometer in Fahrenheit": lambda v: [v[0] * 1.8 + 32, v[1] * 1.8 + 32, v[2], v[3]],
    "minimum and maximum swapped": lambda v: [v[1], v[0], v[2], v[3]],
    "anemometer in km/h": lambda v: [v[0], v[1], v[2], round(v[3] * 3.6, 1)],
    "rain gauge in tenths": lambda v: [v[0], v[1], v[2] * 10 + 30, v[3]],
    "maximum stuck at 0": lambda v: [0.0, v[1], v[2], v[3]],
    "minimum stuck at 0": lambda v: [v[0], 0.0, v[2], v[3]],
}


def event_of(number, readings, values=None):
    at = int(readings.day[number].timestamp() * 1000)
    values = readings.values[number] if values is None else values
    sensors = {sensor: round(float(value), 1) for sensor, value in zip(SENSORS, values)}
    return {"id": number, "observed_at": at, "station": str(readings.station[number]), **sensors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="where the npm package is unpacked")
    cache = parser.parse_args().cache
    with open(fetch(cache, (MEMBER,)), encoding="utf-8") as file:
        readings = Readings(list(csv.DictReader(file)))
    normals = normals_of(readings, readings.year < 2015)
    x = inputs(readings.values, readings.station, readings.month, normals)
    train, validation, test = readings.year < 2014, readings.year == 2014, readings.year == 2015

    network = MLPRegressor(hidden_layer_sizes=HIDDEN, activation="tanh", alpha=1e-3, max_iter=400, learning_rate_init=0.005, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge, only be the same again
        network.fit(x[train], x[train])
    write_autoencoder(BUNDLE / "model.onnx", list(zip(network.coefs_, network.intercepts_)))
    session = onnxruntime.InferenceSession(str(BUNDLE / "model.onnx"), providers=["CPUExecutionProvider"])
    error_of = lambda rows: session.run(["error"], {"deviations": rows})[0][:, 0]
    error = error_of(x)
    bounds = np.quantile(error[validation], [0.95, 0.995])
    print("bounds (0.95 and 0.995 of 2014):", np.round(bounds, 3))
    for name, keep in (("2012-13", train), ("2014", validation), ("2015", test)):
        print(f"{name}: mean error {error[keep].mean():.4f}, beyond the bounds {(error[keep, None] > bounds).mean(axis=0).round(4)}")

    numbers = np.flatnonzero(test)
    order = np.argsort(readings.day[numbers], kind="stable")  # both stations, a day after the other
    numbers = numbers[order]
    write_lines(EXAMPLE / "events.jsonl.gz", (event_of(int(n), readings) for n in numbers))
    write_lines(EXAMPLE / "expected.jsonl", ({"id": int(n), "error": round(float(error[n]), 7)} for n in numbers))
    write_lines(EXAMPLE / "features/station.jsonl", (
        {
            "key": station,
            "normal": {sensor: [float(v) for v in mean[:, k]] for k, sensor in enumerate(SENSORS)},
            "spread": {sensor: [float(v) for v in spread[:, k]] for k, sensor in enumerate(SENSORS)},
        }
        for station, (mean, spread) in normals.items()
    ))

    random = np.random.default_rng(SEED)
    faults, truth, scores = [], [], []
    for name, broken in FAULTS.items():
        chosen = random.choice(numbers, 100, replace=False)
        values = np.array([np.round(broken(readings.values[n]), 1) for n in chosen])
        found = error_of(inputs(values, readings.station[chosen], readings.month[chosen], normals))
        auc = roc_auc_score(np.r_[np.zeros(len(numbers)), np.ones(100)], np.r_[error[numbers], found])
        print(f"{name}: beyond the bounds {(found[:, None] > bounds).mean(axis=0)}, AUC {auc:.3f}")
        truth += [1] * 100
        scores += list(found)
        faults += [
            {"why": name, "event": event_of(int(n), readings, v), "error": round(float(e), 7)}
            for n, v, e in list(zip(chosen, values, found))[:5]
        ]
    auc = roc_auc_score(np.r_[np.zeros(len(numbers)), truth], np.r_[error[numbers], scores])
    print(f"all faults: AUC {auc:.3f}, beyond the bounds {(np.array(scores)[:, None] > bounds).mean(axis=0).round(3)}")
    write_lines(EXAMPLE / "faults-30.jsonl", faults)
    write_lines(EXAMPLE / "faults-30.events.jsonl", (row["event"] for row in faults))

    view = lambda station, k: {s: [float(v) for v in normals[station][k][:, i]] for i, s in enumerate(SENSORS)}
    golden = [(row["event"], row["error"]) for row in faults[::3]]
    golden += [(event_of(int(n), readings), round(float(error[n]), 7)) for n in numbers[::73]]
    blind = {**event_of(int(numbers[0]), readings), "temp_max": None, "wind": None}
    without = np.array([[np.nan if blind[s] is None else blind[s] for s in SENSORS]])
    alone = error_of(inputs(without, [blind["station"]], readings.month[numbers[:1]], normals))
    golden.append((blind, round(float(alone[0]), 7)))
    write_lines(BUNDLE / "golden.jsonl", (
        {
            "event": event,
            "features": {"normal": view(event["station"], 0), "spread": view(event["station"], 1)},
            "expected": {"error": expected},
            "tolerance": 1e-4,
        }
        for event, expected in golden
    ))


if __name__ == "__main__":
    main()
