"""Runs inside the step PreprocessTaxiTrips: reads trip records and zones, makes features, splits them into three sets.

Stands alone, since SageMaker runs this one file in its scikit-learn image: it uses only what that image carries and
installs nothing. All paths are below one folder, /opt/ml in the container.

    processing/input/data/**.{csv,parquet}   trip records as TLC publishes them (green taxis)
    processing/input/zones/zones.csv         LocationID, latitude, longitude (made by prepare-zones)
    processing/{train,validation,test}/      the sets: CSV without header, the label first
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PICKUP, DROPOFF = "lpep_pickup_datetime", "lpep_dropoff_datetime"
RAW_COLUMNS = ["fare_amount", "passenger_count", PICKUP, DROPOFF, "PULocationID", "DOLocationID"]
# The order in which the model sees them; the label comes first, as SageMaker's XGBoost expects it.
COLUMNS = [
    "fare_amount",
    "passenger_count",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "geo_distance",
    "hour",
    "weekday",
    "month",
]
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
EARTH_RADIUS_KM = 6371.0088
log = logging.getLogger("preprocess")


class BadInput(Exception):
    """The input cannot be used; the text says which file and why."""


def read_trips(folder):
    """All trip records below a folder, in the order of their paths; each record once.

    A record that occurs twice, such as in a month's CSV and its Parquet file, could end up in two sets.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".csv", ".parquet"))
    frames = [_read_file(path) for path in paths]
    if not frames:
        return _typed(pd.DataFrame({name: [] for name in RAW_COLUMNS}))
    trips = pd.concat(frames, ignore_index=True)
    once = trips.drop_duplicates(ignore_index=True)
    log.info("%d files, %d records, %d of them doubles", len(paths), len(trips), len(trips) - len(once))
    return once


def _read_file(path):
    try:
        if path.suffix.lower() == ".csv":
            names = pd.read_csv(path, nrows=0).columns
            missing = [name for name in RAW_COLUMNS if name not in names]
            frame = None if missing else pd.read_csv(path, usecols=RAW_COLUMNS)
        else:
            frame = pd.read_parquet(path)
            missing = [name for name in RAW_COLUMNS if name not in frame.columns]
    except (ValueError, OSError) as error:
        raise BadInput("{} cannot be read: {}".format(path.name, error)) from error
    if missing:
        raise BadInput("{} has no column {}: green taxi records are expected".format(path.name, ", ".join(missing)))
    return _typed(frame[RAW_COLUMNS].copy())


def _typed(frame):
    """One type per column whatever the file's kind, so that a record of a CSV equals the same one of a Parquet file."""
    for name in (PICKUP, DROPOFF):
        frame[name] = pd.to_datetime(frame[name], errors="coerce").astype("datetime64[ns]")
    for name in ("fare_amount", "passenger_count", "PULocationID", "DOLocationID"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("float64")
    return frame


def read_zones(path):
    """The zones' centres by LocationID."""
    if not path.is_file():
        raise BadInput("{} is missing: prepare-zones makes it".format(path))
    zones = pd.read_csv(path)
    if zones["LocationID"].duplicated().any():
        raise BadInput("{} has a LocationID twice: prepare-zones joins the parts of a zone".format(path.name))
    return zones.set_index("LocationID")


def make_features(trips, zones):
    """Label and features of the trips that are plausible, in the order of `COLUMNS`."""
    features = pd.DataFrame({"fare_amount": trips["fare_amount"], "passenger_count": trips["passenger_count"]})
    for end, column in (("pickup", "PULocationID"), ("dropoff", "DOLocationID")):
        # Looked up by LocationID: the order of the zones means nothing.
        for part in ("latitude", "longitude"):
            features["{}_{}".format(end, part)] = trips[column].map(zones[part])
    features["geo_distance"] = distance_km(
        features["pickup_latitude"], features["pickup_longitude"], features["dropoff_latitude"], features["dropoff_longitude"]
    )
    features["hour"] = trips[PICKUP].dt.hour
    features["weekday"] = trips[PICKUP].dt.day_of_week
    features["month"] = trips[PICKUP].dt.month
    minutes = (trips[DROPOFF] - trips[PICKUP]).dt.total_seconds() / 60
    return _plausible(features[COLUMNS], minutes)


def _plausible(features, minutes):
    rules = {
        "complete, in a known zone": features.notna().all(axis=1),
        "fare above 0 and below 200": features["fare_amount"].between(0, 200, inclusive="neither"),
        "at least one passenger": features["passenger_count"] > 0,
        "longer than 0 and shorter than 120 minutes": minutes.between(0, 120, inclusive="neither"),
        "shorter than 121 km": features["geo_distance"] < 121,
    }
    kept = pd.Series(True, index=features.index)
    for rule, holds in rules.items():
        log.info("%d records dropped, not %s", int((kept & ~holds).sum()), rule)
        kept &= holds
    whole = ["passenger_count", "hour", "weekday", "month"]
    return features[kept].astype({name: "int64" for name in whole}).reset_index(drop=True)


def distance_km(latitude, longitude, to_latitude, to_longitude):
    """Great-circle distance in km between points in degrees (haversine formula)."""
    latitude, longitude, to_latitude, to_longitude = (
        np.radians(value) for value in (latitude, longitude, to_latitude, to_longitude)
    )
    chord = (
        np.sin((to_latitude - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(to_latitude) * np.sin((to_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(chord))


def split(features, seed):
    """Train, validation and test set (80, 10 and 10 %): the same seed and records, the same sets."""
    order = np.random.RandomState(seed).permutation(len(features))
    first = int(round(len(features) * SHARES["train"]))
    second = first + int(round(len(features) * SHARES["validation"]))
    parts = {"train": order[:first], "validation": order[first:second], "test": order[second:]}
    return {name: features.iloc[rows] for name, rows in parts.items()}


def this_host(config):
    """This host's name and how many there are; on a machine that is no container, one."""
    if not config.is_file():
        return "algo-1", 1
    described = json.loads(config.read_text())
    return described["current_host"], len(described["hosts"])


def run(root, seed):
    """Reads the input below the root, writes the sets; answers the number of records in each."""
    processing = root / "processing"
    host, hosts = this_host(root / "config" / "resourceconfig.json")
    trips = read_trips(processing / "input" / "data")
    # With more hosts than files some hosts have nothing to do.
    if trips.empty and hosts == 1:
        raise BadInput("no records: put TLC files (CSV or Parquet) where the parameter InputDataUrl points")
    features = make_features(trips, read_zones(processing / "input" / "zones" / "zones.csv"))
    if features.empty and not trips.empty:
        raise BadInput("none of the {} records is plausible: the log says why".format(len(trips)))
    rows = {}
    for name, part in split(features, seed).items():
        rows[name] = len(part)
        target = processing / name
        target.mkdir(parents=True, exist_ok=True)
        # One name per host, so that a step that is tried again replaces its file instead of adding to it.
        part.to_csv(target / "{}-{}.csv".format(name, host), header=False, index=False)
    return rows


def main():
    """Runs the step; the last line of standard output is a JSON object with the rows of each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"))
    parser.add_argument("--seed", type=int, default=42, help="seed of the split")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        rows = run(options.root, options.seed)
    except BadInput as error:
        sys.exit("preprocess: {}".format(error))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
