"""What SageMaker's XGBoost container and the batch transform around it do with rows of CSV, with the same libraries.

Runs with the Python of the container (tests/python/seed/container.txt), as the model runs there.

    inference.py predict MODEL.tar.gz                      rows on standard input, predictions on standard output
    inference.py transform MODEL.tar.gz STEP.json IN OUT   as the step's arguments say, file for file
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy
import xgboost


def load(archive: Path) -> xgboost.Booster:
    """The model in `model.tar.gz`, where the container looks for it: the one file `xgboost-model`."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extract("xgboost-model", folder, filter="data")
        booster = xgboost.Booster()
        booster.load_model(Path(folder) / "xgboost-model")
        return booster


def predict(booster: xgboost.Booster, rows: list[list[str]]) -> list[float]:
    """One prediction for each row. The container, too, knows columns by their place alone."""
    table = numpy.array([[float(cell) for cell in row] for row in rows])
    expected = booster.num_features()
    if table.shape[1] != expected:
        raise ValueError(f"the model takes {expected} columns, but the rows have {table.shape[1]}")
    booster.feature_names = None
    return [float(value) for value in booster.predict(xgboost.DMatrix(table))]


def transform(booster: xgboost.Booster, step: dict, source: Path, target: Path) -> None:
    """Plays the batch transform of a pipeline's step. What it does not know it refuses."""
    processing, given = step["DataProcessing"], step["TransformInput"]
    assert (given["ContentType"], given["SplitType"]) == ("text/csv", "Line"), given
    assert step["TransformOutput"]["AssembleWith"] == "Line" and processing["JoinSource"] == "Input"
    chosen = re.fullmatch(r"\$\[(\d*):(\d*)]", processing["InputFilter"])
    columns = slice(*(int(part) if part else None for part in chosen.groups()))
    target.mkdir(parents=True)
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        lines = file.read_text().splitlines()
        predictions = predict(booster, [line.split(",")[columns] for line in lines])
        joined = (f"{line},{prediction}\n" for line, prediction in zip(lines, predictions, strict=True))
        (target / f"{file.name}.out").write_text("".join(joined))


def main(command: str, archive: str, *rest: str) -> None:
    booster = load(Path(archive))
    if command == "predict":
        rows = [line.split(",") for line in sys.stdin.read().splitlines()]
        sys.stdout.write("".join(f"{value}\n" for value in predict(booster, rows)))
    else:
        step, source, target = map(Path, rest)
        transform(booster, json.loads(step.read_text()), source, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
