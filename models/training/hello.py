"""Trains the model of topologies/hello.yaml: a logistic regression on four numbers of the event itself.

    python models/training/hello.py --cache DIR        (from the repository root)

Writes models/hello/1/model.onnx and golden.jsonl. The period is that of flight_delay.py: training 1 February to
15 May 2001, test 1 to 7 June. It is made to be small, not good.
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from flights import MINUTES_A_DAY, fetch, load, read_lines, write_lines
from to_onnx import write_network

BUNDLE = Path("models/hello/1")
EXAMPLE = Path("examples/flight-delay")


def four(minutes, distance):
    """What models/hello/1/bundle.yaml says: sin and cos of the time of day, share of the day, log of the distance."""
    minute = np.asarray(minutes) % MINUTES_A_DAY
    angle = 2 * np.pi * minute / MINUTES_A_DAY
    miles = np.asarray(distance, np.float64)
    miles = np.where(miles >= 0, miles, 569.0)  # NaN (missing) is not >= 0 either
    return np.stack([np.sin(angle), np.cos(angle), minute / MINUTES_A_DAY, np.log1p(miles)], axis=1).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="where the npm package is unpacked")
    flights = load(fetch(parser.parse_args().cache))

    train = flights.between("2001-02-01", "2001-05-15")
    x = four(train.minute, train.distance)
    scaler = StandardScaler().fit(x)
    regression = LogisticRegression().fit(scaler.transform(x), train.late)
    digest = write_network(BUNDLE / "model.onnx", "hello", scaler, [regression.coef_.T], [regression.intercept_])
    print(f"model.onnx {digest}")

    session = onnxruntime.InferenceSession(str(BUNDLE / "model.onnx"), providers=["CPUExecutionProvider"])
    test = flights.between("2001-06-01", "2001-06-07")
    p = session.run(None, {"features": four(test.minute, test.distance)})[0][:, 0]
    print(f"test AUC {roc_auc_score(test.late, p):.4f}")

    events = read_lines(EXAMPLE / "events-500.jsonl")[::50] + read_lines(EXAMPLE / "edge-30.events.jsonl")[15:]
    minutes = [event["departed_at"] // 60_000 for event in events]
    distance = [np.nan if event["distance"] is None else event["distance"] for event in events]
    p = session.run(None, {"features": four(minutes, distance)})[0][:, 0]
    write_lines(BUNDLE / "golden.jsonl", (
        {"event": event, "features": {}, "expected": {"probability": round(float(p[i]), 7)}, "tolerance": 1e-5}
        for i, event in enumerate(events)
    ))


if __name__ == "__main__":
    main()
