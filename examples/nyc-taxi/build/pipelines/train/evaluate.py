"""Runs inside the step EvaluateModel: predicts the test set's fares and writes how far off they are.

Stands alone, since SageMaker runs this one file in its XGBoost image: it uses only what that image carries. All paths are
below one folder, /opt/ml in the container.

    processing/model/model.tar.gz            what the training job left: a native XGBoost model named xgboost-model
    processing/test/*.csv                    the test set: CSV without header, the label first
    processing/evaluation/evaluation.json    the metrics, in the form that the model registry shows
"""

import argparse
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import xgboost

MODEL_FILE = "xgboost-model"
# How often the test set is drawn anew to tell how much a metric owes to chance.
RESAMPLES = 200


class BadInput(Exception):
    """The model or the test set cannot be used; the text says why."""


def load_model(archive):
    """The model of a training job. Nothing is unpacked to disk, and nothing is unpickled: a model is data, not code."""
    if not archive.is_file():
        raise BadInput("{} is missing".format(archive))
    with tarfile.open(str(archive), "r:*") as files:
        members = [member for member in files.getmembers() if Path(member.name).name == MODEL_FILE and member.isfile()]
        if len(members) != 1:
            raise BadInput("{} must hold one file {}, but holds {}".format(archive.name, MODEL_FILE, len(members)))
        content = files.extractfile(members[0]).read()
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise BadInput("{} is no model in XGBoost's own format".format(MODEL_FILE)) from error
    return booster


def load_test_set(folder):
    """Labels and features of all files of the test set."""
    parts = [np.loadtxt(str(path), delimiter=",", ndmin=2) for path in sorted(folder.glob("*.csv")) if path.stat().st_size]
    if not parts:
        raise BadInput("{} holds no test records".format(folder))
    records = np.concatenate(parts)
    return records[:, 0], records[:, 1:]


def metrics_of(labels, predictions):
    """RMSE, MAE and MSE in dollars (or their square), and R2."""
    errors = labels - predictions
    spread = float(np.sum((labels - labels.mean()) ** 2))
    mse = float(np.mean(errors**2))
    return {
        "rmse": mse**0.5,
        "mae": float(np.mean(np.abs(errors))),
        "mse": mse,
        "r2": 1 - float(np.sum(errors**2)) / spread if spread else 0.0,
    }


def report(labels, predictions, seed=42):
    """The metrics with their standard deviations, which come from drawing the test set anew (bootstrap)."""
    random = np.random.RandomState(seed)
    drawn = [random.randint(0, len(labels), len(labels)) for _ in range(RESAMPLES)]
    resampled = [metrics_of(labels[rows], predictions[rows]) for rows in drawn]
    return {
        "regression_metrics": {
            name: {"value": value, "standard_deviation": float(np.std([one[name] for one in resampled]))}
            for name, value in metrics_of(labels, predictions).items()
        }
    }


def run(root):
    """Evaluates the model below the root; answers the report that it wrote."""
    processing = root / "processing"
    model = load_model(processing / "model" / "model.tar.gz")
    labels, features = load_test_set(processing / "test")
    result = report(labels, model.predict(xgboost.DMatrix(features)))
    target = processing / "evaluation"
    target.mkdir(parents=True, exist_ok=True)
    (target / "evaluation.json").write_text(json.dumps(result, indent=2))
    return result


def main():
    """Runs the step; prints the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"))
    options = parser.parse_args()
    try:
        print(json.dumps(run(options.root)))
    except BadInput as error:
        sys.exit("evaluate: {}".format(error))


if __name__ == "__main__":
    main()
