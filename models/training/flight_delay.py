"""Trains the flight-delay model and makes the data of its example.

    python models/training/flight_delay.py --out DIR [--compare examples/flight-delay]

Shape: feature tables are rebuilt once a week from the 28 days before (one day of lag), and every flight is
described by the tables that its own week would have had, so that training sees no future. Training 1 February to
15 May 2001, validation 16 to 31 May, test 1 to 7 June. A small share of training rows has its keys hidden: the model
must know what a missing feature looks like before it meets one.

Writes into DIR: model.onnx, flights.jsonl.gz, labels.jsonl.gz, features/{airport,route}.jsonl.gz, expected-500.jsonl.
`--compare` reads an example folder and says how far its tables and expected inputs are from those made here.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from flights import AIRPORTS_MEMBER, day_number, fetch, inputs, load, read_lines, snapshot, write_lines
from to_onnx import write_network

SEED = 7
HIDDEN_SHARE = 0.03
TRAIN = ("2001-02-01", "2001-05-15")
VALIDATE = ("2001-05-16", "2001-05-31")
TEST = ("2001-06-01", "2001-06-07")


def described(flights, period, rng=None):
    """Inputs and labels of a period, week by week; with `rng`, some rows lose their keys."""
    first, last = map(day_number, period)
    inputs_by_week, labels_by_week = [], []
    for start in range(first, last + 1, 7):
        week = flights.where((flights.day >= start) & (flights.day <= min(start + 6, last)))
        masks = {}
        if rng is not None:
            size = len(week.row)
            hidden = rng.random(size) < HIDDEN_SHARE
            which = rng.integers(0, 3, size)  # origin, destination, both
            masks = {
                "hide_origin": hidden & (which != 1),
                "hide_destination": hidden & (which != 0),
                "hide_distance": hidden & (rng.random(size) < 0.5),
            }
        inputs_by_week.append(inputs(week, snapshot(flights, start), **masks))
        labels_by_week.append(week.late)
    return np.concatenate(inputs_by_week), np.concatenate(labels_by_week)


def quality(labels, probabilities):
    p = np.asarray(probabilities, np.float64)
    return (
        f"AUC {roc_auc_score(labels, p):.4f}, log loss {log_loss(labels, p):.4f}, "
        f"Brier {brier_score_loss(labels, p):.4f} ({len(p)} flights, {labels.mean():.4f} late)"
    )


def write_tables(folder, flights, tables, airports_csv):
    def family(averages, i):
        if np.isnan(averages.per_day[i]):
            return None
        names = ("per_day", "late_share", "mean_delay")
        return {name: float(getattr(averages, name)[i]) for name in names}

    with open(airports_csv, encoding="utf-8") as file:
        places = {row["iata"]: row for row in csv.DictReader(file)}
    airports = []
    for i, code in enumerate(flights.airports):
        place, row = places.get(code), {"key": code}
        if place:
            row["geo"] = {
                "lat": round(float(place["latitude"]), 5),
                "lon": round(float(place["longitude"]), 5),
                "state": place["state"],
                "city": place["city"],
            }
        row |= {name: cells for name in ("dep", "arr") if (cells := family(getattr(tables, name), i))}
        airports.append(row)
    write_lines(folder / "airport.jsonl.gz", airports)

    routes = []
    for i in np.flatnonzero(~np.isnan(tables.agg.per_day)):
        origin, destination = divmod(int(i), len(flights.airports))
        routes.append({
            "key": f"{flights.airports[origin]}#{flights.airports[destination]}",
            "agg": family(tables.agg, i),
            "slots": {"n": tables.n[i].astype(int).tolist(), "l": tables.l[i].astype(int).tolist()},
        })
    write_lines(folder / "route.jsonl.gz", routes)


def compare(ours, theirs, week, x):
    """Largest differences between two example folders: feature rows, then the inputs behind the expected predictions."""
    for name in ("airport", "route"):
        files = [folder / "features" / f"{name}.jsonl.gz" for folder in (ours, theirs)]
        a, b = ({row["key"]: row for row in read_lines(file)} for file in files)
        print(f"{name}: {len(a)} rows here, {len(b)} there, {len(a.keys() ^ b.keys())} keys in one only")
        worst, unequal = {}, 0
        for key in a.keys() & b.keys():
            families = (a[key].keys() | b[key].keys()) - {"key"}
            for family in families:
                left, right = a[key].get(family), b[key].get(family)
                if left is None or right is None or left.keys() != right.keys():
                    unequal += 1
                    continue
                for column, value in left.items():
                    if isinstance(value, str):
                        unequal += value != right[column]
                        continue
                    gap = float(np.max(np.abs(np.subtract(value, right[column]))))
                    worst[f"{family}.{column}"] = max(gap, worst.get(f"{family}.{column}", 0.0))
        print(f"  largest difference {worst}; {unequal} cells or families unequal otherwise")
    row_of = {int(row): i for i, row in enumerate(week.row)}
    expected = read_lines(theirs / "expected-500.jsonl")
    mine = x[[row_of[row["id"]] for row in expected]]
    gap = np.abs(mine - np.array([row["features"] for row in expected]))
    print(f"expected-500: largest difference of an input {gap.max():.2e} (they are rounded to 7 decimals)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="where the npm package is unpacked (default: OUT/cache)")
    parser.add_argument("--compare", type=Path)
    arguments = parser.parse_args()
    out = arguments.out
    cache = arguments.cache or out / "cache"
    started = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)

    flights = load(fetch(cache))
    say(f"{len(flights.row)} flights, {len(flights.airports)} airports")

    week = flights.between(*TEST)
    tables = snapshot(flights, day_number(TEST[0]))
    x_test = inputs(week, tables)
    write_tables(out / "features", flights, tables, cache / AIRPORTS_MEMBER)
    write_lines(out / "flights.jsonl.gz", (
        {
            "id": int(week.row[i]),
            "departed_at": int(week.minute[i]) * 60_000,
            "origin": week.airports[week.origin[i]],
            "destination": week.airports[week.destination[i]],
            "distance": int(week.distance[i]),
        }
        for i in range(len(week.row))
    ))
    write_lines(out / "labels.jsonl.gz", ({"id": int(i), "delay": int(d)} for i, d in zip(week.row, week.delay)))
    say(f"events and feature tables of {TEST[0]} written")
    if arguments.compare:
        compare(out, arguments.compare, week, x_test)

    x, y = described(flights, TRAIN, np.random.default_rng(SEED))
    say(f"training set: {len(y)} rows")
    scaler = StandardScaler().fit(x)
    network = MLPClassifier(
        (64, 32), batch_size=1024, max_iter=7, learning_rate_init=2e-3, alpha=1e-4, random_state=SEED, verbose=True
    )
    network.fit(scaler.transform(x), y)
    digest = write_network(out / "model.onnx", "flight_delay_mlp", scaler, network.coefs_, network.intercepts_)
    say(f"model.onnx {digest}")

    session = onnxruntime.InferenceSession(str(out / "model.onnx"), providers=["CPUExecutionProvider"])
    x_validate, y_validate = described(flights, VALIDATE)
    say(f"validation {quality(y_validate, session.run(None, {'features': x_validate})[0][:, 0])}")
    p_test = session.run(None, {"features": x_test})[0][:, 0]
    say(f"test       {quality(week.late, p_test)}")

    picked = np.sort(np.random.default_rng(SEED).choice(len(p_test), 500, replace=False))
    write_lines(out / "expected-500.jsonl", (
        {
            "id": int(week.row[i]),
            "probability": round(float(p_test[i]), 7),
            "features": [round(float(value), 7) for value in x_test[i]],
        }
        for i in picked
    ))


if __name__ == "__main__":
    main()
