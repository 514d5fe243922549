"""The flights, their feature tables as of a day, and the model's 27 inputs, all vectorised with numpy.

Promise: `inputs` computes in float64 what models/flight-delay/1/bundle.yaml says, column by column in its order.
Limit: airports are numbered once for the whole file, and tables are dense over them (229 airports: 40 MB a snapshot).
"""

import gzip
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

PACKAGE = "vega-datasets@3.2.1"
MEMBER = "package/data/flights-3m.parquet"
AIRPORTS_MEMBER = "package/data/airports.csv"
LATE_MINUTES = 15
WINDOW_DAYS = 28
LAG_DAYS = 1  # the day before the snapshot is not known in full when it is taken
PRIOR_FLIGHTS = 20  # a small airport or route leans on the overall value as if it had this many average flights
SLOTS = 96
MINUTES_A_DAY = 1440


def fetch(folder: Path, members=(MEMBER, AIRPORTS_MEMBER)) -> Path:
    """The first of `members` out of the npm package, fetched with npm once into `folder`."""
    target = folder / members[0]
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(folder.glob("vega-datasets-*.tgz"))) as archive:
            for member in members:
                archive.extract(member, folder, filter="data")
    return target


@dataclass
class Flights:
    """Parallel columns; `origin` and `destination` are indices into `airports`."""

    airports: list[str]
    row: np.ndarray  # number in the parquet file: the event's id
    minute: np.ndarray  # minutes since 1970 on the clock of the origin airport
    origin: np.ndarray
    destination: np.ndarray
    distance: np.ndarray
    delay: np.ndarray

    @property
    def day(self):
        return self.minute // MINUTES_A_DAY

    @property
    def late(self):
        return self.delay > LATE_MINUTES

    @property
    def slot(self):
        return self.minute % MINUTES_A_DAY // 15

    @property
    def route(self):
        return self.origin * len(self.airports) + self.destination

    def where(self, keep):
        columns = ("row", "minute", "origin", "destination", "distance", "delay")
        return Flights(self.airports, **{name: getattr(self, name)[keep] for name in columns})

    def between(self, first, last):
        """Departures from `first` to `last`, both included, as ISO dates."""
        return self.where((self.day >= day_number(first)) & (self.day <= day_number(last)))


def day_number(iso):
    return int(np.datetime64(iso, "D").astype(np.int64))


def load(path: Path) -> Flights:
    table = parquet.read_table(path)
    origin, destination = (np.asarray(table[name].to_pylist()) for name in ("origin", "destination"))
    airports, codes = np.unique(np.concatenate([origin, destination]), return_inverse=True)
    return Flights(
        airports=airports.tolist(),
        row=np.arange(len(origin)),
        minute=table["date"].to_numpy().astype("datetime64[m]").astype(np.int64),
        origin=codes[: len(origin)],
        destination=codes[len(origin):],
        distance=table["distance"].to_numpy().astype(np.float64),
        delay=table["delay"].to_numpy(),
    )


@dataclass
class Averages:
    """One row an airport or route; NaN where no flight was seen."""

    per_day: np.ndarray
    late_share: np.ndarray
    mean_delay: np.ndarray


@dataclass
class Snapshot:
    """The feature tables as they stand on the morning of `day`."""

    day: int
    dep: Averages
    arr: Averages
    agg: Averages
    n: np.ndarray  # route x slot: departures
    l: np.ndarray  # route x slot: late ones  # noqa: E741 (the column's name)


def snapshot(flights: Flights, day: int) -> Snapshot:
    seen = flights.where((flights.day < day - LAG_DAYS) & (flights.day >= day - LAG_DAYS - WINDOW_DAYS))
    overall_late = seen.late.mean()
    clipped = seen.delay.clip(-60, 180)
    overall_delay = clipped.mean()
    airports = len(flights.airports)

    def averages(keys, size):
        count = np.bincount(keys, minlength=size).astype(np.float64)
        late = np.bincount(keys, weights=seen.late, minlength=size)
        delay = np.bincount(keys, weights=clipped, minlength=size)
        columns = (
            count / WINDOW_DAYS,
            (late + PRIOR_FLIGHTS * overall_late) / (count + PRIOR_FLIGHTS),
            (delay + PRIOR_FLIGHTS * overall_delay) / (count + PRIOR_FLIGHTS),
        )
        return Averages(*(np.where(count > 0, np.round(column, 6), np.nan) for column in columns))

    def by_slot(weights=None):
        size = airports * airports * SLOTS
        counts = np.bincount(seen.route * SLOTS + seen.slot, weights=weights, minlength=size)
        return counts.astype(np.float32).reshape(-1, SLOTS)

    return Snapshot(
        day=day,
        dep=averages(seen.origin, airports),
        arr=averages(seen.destination, airports),
        agg=averages(seen.route, airports * airports),
        n=by_slot(),
        l=by_slot(seen.late),
    )


def inputs(flights: Flights, tables: Snapshot, hide_origin=False, hide_destination=False, hide_distance=False):
    """rows x 27, float32. A hidden value is one that the event does not carry; the arguments may be masks over rows."""
    minute = flights.minute % MINUTES_A_DAY
    weekday = (flights.minute // MINUTES_A_DAY + 3) % 7  # 1970-01-01 was a Thursday; Monday = 0
    slot = flights.slot
    hide_route = hide_origin | hide_destination

    def look_up(column, key, hidden):
        return np.where(hidden, np.nan, column[key])

    def imputed(values, default):
        return np.where(np.isnan(values), default, values)

    def history(counts, slots):
        return np.where(hide_route, 0.0, counts[flights.route, slots])

    origin_late = look_up(tables.dep.late_share, flights.origin, hide_origin)
    dest_late = look_up(tables.arr.late_share, flights.destination, hide_destination)
    route_late = look_up(tables.agg.late_share, flights.route, hide_route)
    route_delay = look_up(tables.agg.mean_delay, flights.route, hide_route)
    route_volume = look_up(tables.agg.per_day, flights.route, hide_route)
    late = imputed(route_late, 0.2)
    distance = np.where(hide_distance | (flights.distance < 0), 569.0, flights.distance)
    angle = 2 * np.pi * minute / MINUTES_A_DAY

    columns = [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    columns += [weekday == day for day in range(7)]
    columns += [
        np.log1p(distance),
        imputed(origin_late, 0.2),
        np.isnan(origin_late),
        imputed(dest_late, 0.2),
        np.isnan(dest_late),
        late,
        imputed(route_delay, 6.5) / 30,
        np.log1p(imputed(route_volume, 0)),
        np.isnan(route_late),
        (history(tables.l, slot) + 3 * late) / (history(tables.n, slot) + 3),
    ]
    columns += [np.log1p(history(tables.n, (slot + step) % SLOTS)) for step in range(-4, 2)]
    return np.stack(columns, axis=1).astype(np.float32)


def write_lines(path: Path, rows):
    """JSON Lines; a .gz is written without a time stamp, so that the same rows give the same bytes."""
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def read_lines(path: Path):
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()]
