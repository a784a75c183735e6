"""The script of the preprocess step, run on folders that look like those of its container."""

import ast
import json
import sys

import numpy as np
import pandas as pd
import pytest

from pipelines.preprocess import preprocess

# Three zones: JFK airport (132), Jamaica (130), Midtown Centre (161); true to within some hundred metres.
ZONES = {132: (40.6469, -73.7860), 130: (40.6990, -73.7890), 161: (40.7580, -73.9776)}
TRIP = {
    "lpep_pickup_datetime": "2026-01-05 08:30:00",
    "lpep_dropoff_datetime": "2026-01-05 08:55:00",
    "passenger_count": 1,
    "PULocationID": 132,
    "DOLocationID": 161,
    "fare_amount": 52.0,
    "trip_distance": 17.0,
}


def trip(**changes):
    return {**TRIP, **changes}


def different_trips(count):
    return [trip(fare_amount=10 + number / 100) for number in range(count)]


@pytest.fixture
def container(tmp_path):
    """A root folder such as /opt/ml: `container(trips=..., kind="csv")` fills its input."""
    (tmp_path / "processing/input/zones").mkdir(parents=True)
    (tmp_path / "processing/input/data").mkdir()
    rows = [f"{location},{latitude},{longitude}" for location, (latitude, longitude) in ZONES.items()]
    (tmp_path / "processing/input/zones/zones.csv").write_text("\n".join(["LocationID,latitude,longitude", *rows]) + "\n")

    def fill(trips, name="green.csv"):
        path = tmp_path / "processing/input/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(trips)
        if path.suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            for column in ("lpep_pickup_datetime", "lpep_dropoff_datetime"):
                frame[column] = pd.to_datetime(frame[column])
            frame.to_parquet(path)
        return tmp_path

    return fill


def sets_of(root):
    return {
        name: pd.concat([pd.read_csv(path, header=None) for path in sorted((root / "processing" / name).glob("*.csv"))])
        for name in ("train", "validation", "test")
        if any(path.stat().st_size > 1 for path in (root / "processing" / name).glob("*.csv"))
    }


def features_of(root):
    preprocess.run(root, seed=42)
    frame = pd.concat(sets_of(root).values(), ignore_index=True)
    frame.columns = preprocess.COLUMNS
    return frame


@pytest.mark.parametrize("name", ["green.csv", "green.parquet", "2026/01/green.parquet"])
def test_records_are_read_from_csv_and_from_parquet_files(container, name):
    (features,) = features_of(container([TRIP], name)).to_dict("records")
    assert (features["fare_amount"], features["passenger_count"]) == (52.0, 1)
    assert (features["hour"], features["weekday"], features["month"]) == (8, 0, 1)


def test_a_record_that_is_in_a_csv_and_in_a_parquet_file_counts_once(container):
    container(different_trips(10), "green.csv")
    root = container(different_trips(10), "green.parquet")
    assert len(features_of(root)) == 10


def test_a_trip_gets_the_place_of_its_zones_by_location_id_whatever_their_order(container):
    root = container([TRIP])
    zones = root / "processing/input/zones/zones.csv"
    head, *rows = zones.read_text().splitlines()
    zones.write_text("\n".join([head, *reversed(rows)]) + "\n")
    (features,) = features_of(root).to_dict("records")
    assert (features["pickup_latitude"], features["pickup_longitude"]) == ZONES[132]
    assert (features["dropoff_latitude"], features["dropoff_longitude"]) == ZONES[161]


def test_latitude_is_about_40_and_longitude_about_minus_73_in_new_york(container):
    features = features_of(container([TRIP]))
    assert features.filter(like="latitude").stack().between(40, 42).all()
    assert features.filter(like="longitude").stack().between(-75, -73).all()


def test_the_distance_from_jfk_to_midtown_is_about_20_km(container):
    (features,) = features_of(container([TRIP])).to_dict("records")
    assert features["geo_distance"] == pytest.approx(20.3, abs=0.3)


@pytest.mark.parametrize(
    "what, change",
    [
        ("lasts a day and five minutes", {"lpep_dropoff_datetime": "2026-01-06 08:35:00"}),
        ("ends when it begins", {"lpep_dropoff_datetime": "2026-01-05 08:30:00"}),
        ("ends before it begins", {"lpep_dropoff_datetime": "2026-01-05 08:29:00"}),
        ("costs nothing", {"fare_amount": 0}),
        ("is a refund", {"fare_amount": -52}),
        ("costs 200 dollars", {"fare_amount": 200}),
        ("carries nobody", {"passenger_count": 0}),
        ("does not say whom it carries", {"passenger_count": None}),
        ("begins in no known zone", {"PULocationID": 264}),
        ("has no time", {"lpep_pickup_datetime": None}),
    ],
)
def test_a_trip_is_dropped_that(container, what, change):
    features = features_of(container([TRIP, trip(**{"fare_amount": 7.5, **change})]))
    assert features["fare_amount"].tolist() == [52.0], what


def test_a_trip_within_one_zone_is_kept(container):
    (features,) = features_of(container([trip(DOLocationID=132)])).to_dict("records")
    assert features["geo_distance"] == 0


def test_the_split_is_80_10_10_and_no_record_is_in_two_sets(container):
    root = container(different_trips(1000))
    assert preprocess.run(root, seed=42) == {"train": 800, "validation": 100, "test": 100}
    fares = [set(part[0]) for part in sets_of(root).values()]
    assert [len(part) for part in fares] == [800, 100, 100]
    assert len(set.union(*fares)) == 1000


def test_the_same_seed_gives_the_same_sets_and_another_seed_gives_others(container):
    root = container(different_trips(100))
    contents = []
    for seed in (42, 42, 7):
        preprocess.run(root, seed)
        contents.append((root / "processing/test/test-algo-1.csv").read_text())
    assert contents[0] == contents[1] != contents[2]


def test_a_step_that_is_tried_again_replaces_its_files_instead_of_adding_to_them(container):
    root = container(different_trips(100))
    preprocess.run(root, 42)
    preprocess.run(root, 7)
    assert {name: len(part) for name, part in sets_of(root).items()} == {"train": 80, "validation": 10, "test": 10}


def test_hosts_that_share_the_files_write_files_of_their_own(container):
    root = container(different_trips(10))
    (root / "config").mkdir()
    (root / "config/resourceconfig.json").write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}))
    preprocess.run(root, 42)
    assert [path.name for path in (root / "processing/train").iterdir()] == ["train-algo-2.csv"]


def test_a_host_without_files_writes_empty_sets_where_others_have_some(container):
    root = container([TRIP])
    (root / "processing/input/data/green.csv").unlink()
    (root / "config").mkdir()
    (root / "config/resourceconfig.json").write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}))
    assert preprocess.run(root, 42) == {"train": 0, "validation": 0, "test": 0}


def test_the_label_comes_first_and_there_is_no_header(container):
    root = container([TRIP])
    preprocess.run(root, 42)
    (line,) = (root / "processing/train/train-algo-1.csv").read_text().splitlines()
    assert float(line.split(",")[0]) == 52.0
    assert len(line.split(",")) == len(preprocess.COLUMNS)


def spoil(root, how):
    data, zones = root / "processing/input/data/green.csv", root / "processing/input/zones/zones.csv"
    if how == "no records":
        data.unlink()
    elif how == "yellow records":
        data.write_text(data.read_text().replace("lpep_", "tpep_"))
    elif how == "nothing plausible":
        pd.DataFrame([trip(fare_amount=-1)]).to_csv(data, index=False)
    elif how == "no zones":
        zones.unlink()
    elif how == "a zone twice":
        zones.write_text(zones.read_text() + "132,1,1\n")
    elif how == "no parquet":
        (data.parent / "green.parquet").write_text("this is no parquet file")


@pytest.mark.parametrize(
    "how, said",
    [
        ("no records", "put TLC files (CSV or Parquet) where the parameter InputDataUrl points"),
        ("yellow records", "green.csv has no column lpep_pickup_datetime, lpep_dropoff_datetime"),
        ("nothing plausible", "none of the 1 records is plausible"),
        ("no zones", "prepare-zones makes it"),
        ("a zone twice", "zones.csv has a LocationID twice"),
        ("no parquet", "green.parquet cannot be read"),
    ],
)
def test_input_that_cannot_be_used_ends_the_step_with_a_sentence(container, monkeypatch, how, said):
    root = container([TRIP])
    spoil(root, how)
    monkeypatch.setattr(sys, "argv", ["preprocess.py", "--root", str(root)])
    with pytest.raises(SystemExit) as ended:
        preprocess.main()
    assert ended.value.code.startswith("preprocess: ") and said in ended.value.code


def test_the_step_installs_nothing_and_uses_only_what_its_image_carries():
    tree = ast.parse(open(preprocess.__file__).read())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "pandas"}
    assert not imported & {"subprocess", "os", "importlib"}


def test_a_degree_of_latitude_is_111_km():
    assert preprocess.distance_km(np.array(40.0), np.array(-73.0), np.array(41.0), np.array(-73.0)) == pytest.approx(111.2, abs=0.1)
