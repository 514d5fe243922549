"""Derives the small files that tests read from the example data; standard library only.

    python models/training/golden.py          (from the repository root)

writes examples/flight-delay/events-500.jsonl     the events of expected-500.jsonl, in its order
       examples/flight-delay/edge-30.events.jsonl the events of edge-30.jsonl, in its order
       models/flight-delay/1/golden.jsonl         raw inputs -> expected prediction, which travel with the bundle

A golden line holds what the bundle sees: the event, and each view of topologies/flight-delay.yaml as the store
would give it (null: no row, or the row lacks that column family). It needs no store to be checked.
"""

import gzip
import json
from pathlib import Path

EXAMPLE = Path("examples/flight-delay")
GOLDEN = Path("models/flight-delay/1/golden.jsonl")
TOLERANCE = 1e-5
EVERY = 25  # of the 500 ordinary flights, these become golden: 20 lines beside the 30 edge cases

VIEWS = {  # view of the topology -> table, key, column family, columns
    "origin": ("airport", "{origin}", "dep", ["late_share"]),
    "dest": ("airport", "{destination}", "arr", ["late_share"]),
    "route": ("route", "{origin}#{destination}", "agg", ["late_share", "mean_delay", "per_day"]),
    "slots": ("route", "{origin}#{destination}", "slots", ["n", "l"]),
}


def lines(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


def write(path, rows):
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), encoding="utf-8")


def key_of(template, event):
    """The store key; a null part, or an empty key, means that there is no key."""
    parts = {name: event[name] for name in ("origin", "destination") if "{" + name + "}" in template}
    if any(value is None for value in parts.values()):
        return None
    return template.format(**parts) or None


def views_of(event, tables):
    found = {}
    for view, (table, template, family, columns) in VIEWS.items():
        cells = tables[table].get(key_of(template, event), {}).get(family)
        found[view] = None if cells is None else {column: cells[column] for column in columns}
    return found


def main():
    tables = {}
    for name in ("airport", "route"):
        tables[name] = {row["key"]: row for row in lines(EXAMPLE / "features" / f"{name}.jsonl.gz")}
    flights = {event["id"]: event for event in lines(EXAMPLE / "flights.jsonl.gz")}
    expected = lines(EXAMPLE / "expected-500.jsonl")
    edges = lines(EXAMPLE / "edge-30.jsonl")

    write(EXAMPLE / "events-500.jsonl", [flights[row["id"]] for row in expected])
    write(EXAMPLE / "edge-30.events.jsonl", [row["event"] for row in edges])

    cases = [(row["event"], row["probability"]) for row in edges]
    cases += [(flights[row["id"]], row["probability"]) for row in expected[::EVERY]]
    write(GOLDEN, [{
        "event": event,
        "features": views_of(event, tables),
        "expected": {"probability": probability},
        "tolerance": TOLERANCE,
    } for event, probability in cases])


if __name__ == "__main__":
    main()
