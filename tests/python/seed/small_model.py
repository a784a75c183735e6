"""Trains a small fare model on made-up prepared trips, as the training job leaves one: for tests that only need some model.

    small_model.py MODEL.tar.gz TRIPS.csv      (runs with the Python of the container)
"""

import sys
import tarfile
import tempfile
from pathlib import Path

import numpy
import xgboost

EARTH_RADIUS_KM = 6371.0088


def trips(count: int, seed: int) -> numpy.ndarray:
    """Fare, then what the model sees: passengers, pickup and dropoff (latitude, longitude), km, hour, weekday, month."""
    random = numpy.random.default_rng(seed)
    places = random.normal((40.75, -73.95, 40.75, -73.95), 0.06, size=(count, 4))
    north, east = numpy.radians(places[:, 2] - places[:, 0]), numpy.radians(places[:, 3] - places[:, 1])
    kilometres = EARTH_RADIUS_KM * numpy.hypot(north, east * numpy.cos(numpy.radians(40.75)))
    hours = random.integers(0, 24, count)
    fares = 3 + 1.9 * kilometres + numpy.where((16 <= hours) & (hours < 20), 1.0, 0.0) + random.normal(0, 0.5, count)
    passengers, weekdays, months = random.integers(1, 6, count), random.integers(0, 7, count), random.integers(10, 13, count)
    columns = [numpy.clip(fares, 2.5, 199), passengers, *places.T, kilometres, hours, weekdays, months]
    return numpy.column_stack(columns)


def main(archive: str, prepared: str) -> None:
    table = trips(3000, seed=42)
    booster = xgboost.train({"max_depth": 5, "eta": 0.3}, xgboost.DMatrix(table[:, 1:], table[:, 0]), num_boost_round=40)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w:gz") as tar:
        booster.save_model(Path(folder) / "xgboost-model")
        tar.add(Path(folder) / "xgboost-model", "xgboost-model")
    numpy.savetxt(prepared, trips(200, seed=43), delimiter=",", fmt="%.6f")


if __name__ == "__main__":
    main(*sys.argv[1:])
