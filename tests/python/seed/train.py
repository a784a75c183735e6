"""Trains as SageMaker's built-in XGBoost image does, as far as the seed code uses it: CSV without header, the label first,
early stopping on the channel `validation`, a native model named xgboost-model.

Runs with the libraries of that image (tests/python/seed/container.txt), on a root folder laid out like /opt/ml. It stands for the
image, which cannot run here; hyperparameters come from the pipeline's own definition.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xgboost


def read(channel):
    """The matrix of a channel: all of its files."""
    parts = [np.loadtxt(str(path), delimiter=",", ndmin=2) for path in sorted(channel.iterdir()) if path.stat().st_size]
    records = np.concatenate(parts)
    return xgboost.DMatrix(records[:, 1:], records[:, 0])


def train(root):
    """Trains below the root; answers the number of rounds."""
    # SageMaker hands all hyperparameters on as text.
    wanted = json.loads((root / "input/config/hyperparameters.json").read_text())
    rounds, patience = int(wanted.pop("num_round")), int(wanted.pop("early_stopping_rounds"))
    channels = {name: read(root / "input/data" / name) for name in ("train", "validation")}
    booster = xgboost.train(
        {**wanted, "nthread": 1},
        channels["train"],
        rounds,
        evals=[(channels["train"], "train"), (channels["validation"], "validation")],
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    (root / "model").mkdir(parents=True, exist_ok=True)
    # The image keeps the best model, and saves it without a suffix.
    booster[: booster.best_iteration + 1].save_model(str(root / "model" / "xgboost-model"))
    return booster.best_iteration + 1


if __name__ == "__main__":
    print(f"{train(Path(sys.argv[1]))} rounds")
