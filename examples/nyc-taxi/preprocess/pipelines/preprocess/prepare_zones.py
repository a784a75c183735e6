"""The command ``prepare-zones``: turns TLC's shapefile of taxi zones into a small CSV file of their centres.

Stands alone so that the preprocess step needs no library of geography: that one runs in a fixed image which has none. This
one runs where the package is installed (Jenkins, a notebook).
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import boto3
import pyproj
import shapefile
from botocore.exceptions import BotoCoreError, ClientError
from shapely.geometry import shape
from shapely.ops import unary_union

DONE, FAILED, NOT_YET = 0, 1, 3
WGS84 = "EPSG:4326"


class BadShapefile(Exception):
    """The archive cannot be used; the text says why."""


def zone_centres(archive: bytes) -> dict[int, tuple[float, float]]:
    """Latitude and longitude in degrees of the centre of each zone, by LocationID.

    A zone may be recorded in several parts (TLC's 56 and 103 are): its centre is that of all parts together. The centre is
    taken in the file's own plane coordinates, and only then expressed in degrees.
    """
    reader, projection = _open(archive)
    parts: dict[int, list] = {}
    for record in reader.iterShapeRecords():
        parts.setdefault(int(record.record["LocationID"]), []).append(shape(record.shape.__geo_interface__))
    degrees = pyproj.Transformer.from_crs(projection, WGS84, always_xy=True)
    centres = {}
    for location, shapes in sorted(parts.items()):
        centre = unary_union(shapes).centroid
        longitude, latitude = degrees.transform(centre.x, centre.y)
        centres[location] = (latitude, longitude)
    return centres


def _open(archive: bytes) -> tuple[shapefile.Reader, pyproj.CRS]:
    try:
        files = zipfile.ZipFile(io.BytesIO(archive))
    except zipfile.BadZipFile as error:
        raise BadShapefile("it is no zip archive") from error
    found = {Path(name).suffix.lower(): name for name in files.namelist() if Path(name).suffix}
    missing = [suffix for suffix in (".shp", ".shx", ".dbf", ".prj") if suffix not in found]
    if missing:
        raise BadShapefile(f"it holds no {' and no '.join(missing)} file")
    shp, shx, dbf = (io.BytesIO(files.read(found[suffix])) for suffix in (".shp", ".shx", ".dbf"))
    reader = shapefile.Reader(shp=shp, shx=shx, dbf=dbf)
    if "LocationID" not in [field[0] for field in reader.fields]:
        raise BadShapefile("its records have no LocationID")
    return reader, pyproj.CRS.from_wkt(files.read(found[".prj"]).decode())


def to_csv(centres: dict[int, tuple[float, float]]) -> str:
    """The file that the preprocess step reads. Six decimals are a tenth of a metre."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["LocationID", "latitude", "longitude"])
    writer.writerows([location, f"{latitude:.6f}", f"{longitude:.6f}"] for location, (latitude, longitude) in centres.items())
    return text.getvalue()


def _read(source: str, client) -> bytes | None:
    if not source.startswith("s3://"):
        path = Path(source)
        return path.read_bytes() if path.is_file() else None
    place = urlparse(source)
    try:
        return client().get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def _write(target: str, text: str, client) -> None:
    if target.startswith("s3://"):
        place = urlparse(target)
        client().put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=text.encode())
    else:
        Path(target).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, 1 (failed), or 3 (not yet: the shapefile is not there)."""
    parser = argparse.ArgumentParser("prepare-zones", description="Turns TLC's taxi zones into a CSV file of their centres.")
    parser.add_argument("--source", required=True, help="taxi_zones.zip: a path or s3:// URL")
    parser.add_argument("--target", required=True, help="zones.csv: a path or s3:// URL")
    parser.add_argument("--region", help="region of the bucket")
    options = parser.parse_args(arguments)

    def client():
        return boto3.client("s3", region_name=options.region)

    try:
        archive = _read(options.source, client)
        if archive is None:
            print(f"prepare-zones: not yet: put TLC's taxi_zones.zip at {options.source}", file=sys.stderr)
            return NOT_YET
        centres = zone_centres(archive)
        _write(options.target, to_csv(centres), client)
    except BadShapefile as error:
        print(f"prepare-zones: {options.source} cannot be used: {error}", file=sys.stderr)
        return FAILED
    except (ClientError, BotoCoreError, OSError) as error:
        print(f"prepare-zones: {error}", file=sys.stderr)
        return FAILED
    print(f"Wrote the centres of {len(centres)} zones to {options.target}", file=sys.stderr)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
