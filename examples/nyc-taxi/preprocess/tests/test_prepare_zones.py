"""`prepare-zones` on a shapefile made here: squares in the plane coordinates that New York uses (EPSG:2263, feet)."""

import csv
import io
import zipfile

import pyproj
import pytest
import shapefile

from pipelines.preprocess import prepare_zones

# Lower left corners in feet, one per part of a zone: 56 is recorded in two parts, as TLC's own file does.
SQUARES = [(132, 1_050_000, 170_000), (56, 1_020_000, 210_000), (1, 935_000, 190_000), (56, 1_022_000, 210_000)]
SIDE = 1_000


@pytest.fixture
def archive():
    """Makes the zip archive of a shapefile, without one of its files where asked for."""

    def make(squares=SQUARES, without="", field="LocationID"):
        parts = {suffix: io.BytesIO() for suffix in ("shp", "shx", "dbf")}
        writer = shapefile.Writer(**parts, shapeType=shapefile.POLYGON)
        writer.field(field, "N")
        for location, x, y in squares:
            writer.poly([[(x, y), (x, y + SIDE), (x + SIDE, y + SIDE), (x + SIDE, y), (x, y)]])
            writer.record(location)
        writer.close()
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as files:
            for suffix, content in {**parts, "prj": io.BytesIO(pyproj.CRS.from_epsg(2263).to_wkt("WKT1_ESRI").encode())}.items():
                if suffix != without:
                    files.writestr(f"taxi_zones/taxi_zones.{suffix}", content.getvalue())
        return target.getvalue()

    return make


def in_degrees(x, y):
    longitude, latitude = pyproj.Transformer.from_crs(2263, 4326, always_xy=True).transform(x, y)
    return pytest.approx((latitude, longitude), abs=1e-6)


def test_a_zone_is_where_its_shape_is_and_known_by_its_location_id(archive):
    centres = prepare_zones.zone_centres(archive())
    assert list(centres) == [1, 56, 132]
    assert centres[132] == in_degrees(1_050_500, 170_500)


def test_a_zone_in_two_parts_has_one_centre_between_them(archive):
    assert prepare_zones.zone_centres(archive())[56] == in_degrees(1_021_500, 210_500)


def test_latitude_and_longitude_are_not_swapped(archive):
    for latitude, longitude in prepare_zones.zone_centres(archive()).values():
        assert 40 < latitude < 42 and -75 < longitude < -73


def test_the_table_is_written_once_per_zone(archive, tmp_path):
    (tmp_path / "taxi_zones.zip").write_bytes(archive())
    target = tmp_path / "zones.csv"
    assert prepare_zones.main(["--source", str(tmp_path / "taxi_zones.zip"), "--target", str(target)]) == 0
    rows = list(csv.DictReader(target.open()))
    assert [row["LocationID"] for row in rows] == ["1", "56", "132"]
    assert set(rows[0]) == {"LocationID", "latitude", "longitude"}


def test_a_shapefile_that_is_not_there_yet_is_no_failure_and_the_place_is_named(tmp_path, capsys):
    missing = tmp_path / "taxi_zones.zip"
    assert prepare_zones.main(["--source", str(missing), "--target", str(tmp_path / "zones.csv")]) == 3
    assert f"not yet: put TLC's taxi_zones.zip at {missing}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, said",
    [
        ({"without": "prj"}, "it holds no .prj file"),
        ({"without": "shp"}, "it holds no .shp file"),
        ({"field": "Zone"}, "its records have no LocationID"),
        (None, "it is no zip archive"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused_with_the_reason(archive, tmp_path, capsys, options, said):
    source = tmp_path / "taxi_zones.zip"
    source.write_bytes(b"no archive" if options is None else archive(**options))
    assert prepare_zones.main(["--source", str(source), "--target", str(tmp_path / "zones.csv")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "zones.csv").exists()
