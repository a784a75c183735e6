"""Makes trip records and taxi zones that look like those of New York's Taxi & Limousine Commission (TLC).

    generate.py FOLDER [--rows 24000] [--seed 20260301]     writes FOLDER/green/*.{csv,parquet} and FOLDER/taxi_zones.zip

No package of the registries carries an extract of the real records, so these are made up; the same seed, the same bytes of
CSV. What is real: the columns of green taxi records and their types, the zones' file (a zipped shapefile in EPSG:2263, feet,
with TLC's 263 records, of which 56 and 103 share an id with others), the dirt (refunds, empty cars, unknown zones 264 and
265, meters left running for a day, records sent twice).

What is plausible: a fare is the meter's (3.00 to begin with, 70 cents per 0.32 km or per minute of standing; airport trips to
JFK from Manhattan cost 70 flat), streets are longer than the straight line, traffic is slower by day and slowest in rush hour,
most trips end near where they begin. Nothing else is in a fare, so that a model can be better than an average, and
none can be perfect: streets and traffic are random.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import shapefile

FEET_PER_KM = 3280.84
# The corner of the map and the side of a zone, in feet: about the extent of the five boroughs.
WEST, SOUTH, SIDE, COLUMNS = 950_000, 150_000, 7_500, 17
JFK = 132
# How far people ride: the share of destinations falls by e each so many kilometres.
TYPICAL_KM = 2.5
# TLC's file has 263 records; the ids 57, 104 and 105 are missing, since 56 is there twice and 103 three times.
SHARED_IDS = {57: 56, 104: 103, 105: 103}


def make_zones(random: np.random.Generator) -> pd.DataFrame:
    """One row per record of the shapefile: id, lower left corner in feet. The order says nothing of the ids."""
    cells = random.permutation(COLUMNS * COLUMNS)[:263]
    ids = [SHARED_IDS.get(number, number) for number in range(1, 264)]
    zones = pd.DataFrame({"LocationID": ids, "x": WEST + SIDE * (cells % COLUMNS), "y": SOUTH + SIDE * (cells // COLUMNS)})
    # Parts of one zone lie side by side.
    for part, whole in SHARED_IDS.items():
        first = zones[zones["LocationID"] == whole].iloc[0]
        zones.loc[part - 1, ["x", "y"]] = [first["x"] + SIDE * (part - whole), first["y"]]
    return zones.sample(frac=1, random_state=7).reset_index(drop=True)


def write_zones(zones: pd.DataFrame, target: Path) -> None:
    """The zipped shapefile, with the fields of TLC's."""
    parts = {suffix: io.BytesIO() for suffix in ("shp", "shx", "dbf")}
    writer = shapefile.Writer(**parts, shapeType=shapefile.POLYGON)
    for name, kind, size in (("OBJECTID", "N", 9), ("zone", "C", 80), ("LocationID", "N", 9), ("borough", "C", 20)):
        writer.field(name, kind, size)
    for number, zone in enumerate(zones.itertuples(), start=1):
        x, y = int(zone.x), int(zone.y)
        writer.poly([[(x, y), (x, y + SIDE), (x + SIDE, y + SIDE), (x + SIDE, y), (x, y)]])
        writer.record(number, f"Zone {zone.LocationID}", int(zone.LocationID), "Queens")
    writer.close()
    projection = pyproj.CRS.from_epsg(2263).to_wkt("WKT1_ESRI").encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix, content in {**parts, "prj": io.BytesIO(projection)}.items():
            archive.writestr(zipfile.ZipInfo(f"taxi_zones.{suffix}"), content.getvalue())


def make_trips(zones: pd.DataFrame, rows: int, random: np.random.Generator) -> pd.DataFrame:
    """Clean records of two months, with the columns of green taxis."""
    centres = zones.groupby("LocationID")[["x", "y"]].mean() + SIDE / 2
    ids = centres.index.to_numpy()
    start = random.choice(ids, rows)
    stop = _destinations(centres, start, random)
    stop = np.where(random.random(rows) < 0.02, JFK, stop)
    apart = (centres.loc[start].to_numpy() - centres.loc[stop].to_numpy()) / FEET_PER_KM
    line = np.hypot(apart[:, 0], apart[:, 1])
    # Within a zone people ride about half its side.
    road = np.maximum(line, SIDE / FEET_PER_KM / 2) * random.lognormal(np.log(1.3), 0.08, rows)
    begin = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 59 * 86400, rows), unit="s")
    minutes = road / _speed(begin) * 60 * random.lognormal(0, 0.15, rows) + 1
    standing = minutes * 0.4
    fare = np.round(3 + 0.7 * (road / 0.32) * 0.9 + 0.7 * standing, 1)
    manhattan = centres.loc[start]["x"].to_numpy() < WEST + SIDE * 5
    fare = np.where((stop == JFK) & manhattan, 70.0, fare)
    return _columns(start, stop, begin, minutes, road, fare, random)


def _destinations(centres: pd.DataFrame, start: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each start the zone of the trip's end: the farther, the rarer."""
    places = centres.to_numpy() / FEET_PER_KM
    apart = np.hypot(*(places[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    weights = np.exp(-apart / TYPICAL_KM)
    chances = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    row = centres.index.get_indexer(start)
    drawn = (chances[row] < random.random(len(start))[:, None]).sum(axis=1)
    return centres.index.to_numpy()[np.minimum(drawn, len(centres) - 1)]


def _speed(begin: pd.DatetimeIndex) -> np.ndarray:
    """Kilometres per hour: night, day and rush hour of working days."""
    hour, working = begin.hour, begin.day_of_week < 5
    speed = np.where((hour < 6) | (hour >= 22), 32.0, 21.0)
    rush = working & (((hour >= 7) & (hour < 10)) | ((hour >= 16) & (hour < 19)))
    return np.where(rush, 14.0, speed)


def _columns(start, stop, begin, minutes, road, fare, random) -> pd.DataFrame:
    rows = len(fare)
    tip = np.where(random.random(rows) < 0.5, np.round(fare * 0.2, 2), 0.0)
    return pd.DataFrame(
        {
            "VendorID": random.choice([1, 2], rows),
            "lpep_pickup_datetime": begin,
            "lpep_dropoff_datetime": begin + pd.to_timedelta(np.round(minutes * 60), unit="s"),
            "store_and_fwd_flag": "N",
            "RatecodeID": np.where(fare == 70.0, 2.0, 1.0),
            "PULocationID": start,
            "DOLocationID": stop,
            "passenger_count": random.choice([1.0, 2.0, 3.0, 5.0], rows, p=[0.8, 0.1, 0.05, 0.05]),
            "trip_distance": np.round(road / 1.609344, 2),
            "fare_amount": fare,
            "extra": 0.5,
            "mta_tax": 0.5,
            "tip_amount": tip,
            "tolls_amount": 0.0,
            "ehail_fee": np.nan,
            "improvement_surcharge": 1.0,
            "total_amount": np.round(fare + tip + 2.0, 2),
            "payment_type": np.where(tip > 0, 1.0, 2.0),
            "trip_type": 1.0,
            "congestion_surcharge": 0.0,
        }
    ).sort_values("lpep_pickup_datetime", ignore_index=True)


def add_dirt(trips: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Spoils some records as real ones are, each kind on records of its own, and sends some twice."""
    trips = trips.copy()
    chosen = iter(np.array_split(random.permutation(len(trips))[: len(trips) // 20], 5))
    refund, empty, silent, unknown, running = chosen
    trips.loc[refund, "fare_amount"] *= -1
    trips.loc[empty, "passenger_count"] = 0.0
    trips.loc[silent, "passenger_count"] = np.nan
    trips.loc[unknown, "PULocationID"] = random.choice([264, 265], len(unknown))
    trips.loc[running, "lpep_dropoff_datetime"] += pd.Timedelta(days=1)
    return pd.concat([trips, trips.sample(len(trips) // 100, random_state=7)], ignore_index=True)


def generate(folder: Path, rows: int, seed: int) -> int:
    """Writes records of January as CSV and those of February as Parquet, and the zones; answers the number of records."""
    random = np.random.default_rng(seed)
    zones = make_zones(random)
    trips = add_dirt(make_trips(zones, rows, random), random)
    (folder / "green").mkdir(parents=True, exist_ok=True)
    write_zones(zones, folder / "taxi_zones.zip")
    january = trips["lpep_pickup_datetime"] < pd.Timestamp("2026-02-01")
    trips[january].to_csv(folder / "green" / "green_tripdata_2026-01.csv", index=False)
    trips[~january].to_parquet(folder / "green" / "green_tripdata_2026-02.parquet", index=False)
    return len(trips)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=24_000, help="records before some are sent twice")
    parser.add_argument("--seed", type=int, default=20260301)
    options = parser.parse_args()
    print(f"{generate(options.folder, options.rows, options.seed)} records")


if __name__ == "__main__":
    main()
