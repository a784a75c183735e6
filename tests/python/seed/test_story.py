"""The story of the data: generated records through all pipelines, each step as a process, down to predictions.

The definitions decide what runs where with what (`executor`); the libraries are those of SageMaker's images. The model must
beat two naive ways to tell a fare, which know the training set too: the mean fare, and the mean fare per kilometre.
"""

import csv
import json
import shutil
from pathlib import Path

import generate
import numpy as np
import pytest
from conftest import EXAMPLES, PIPELINE_REPOSITORIES
from definitions import BUCKET, PROJECT, command
from executor import Execution, StepFailed

ROWS, SEED = 24_000, 20260301
# What a model is worth that only looks at distance and hour, with room for the data's own chance.
MUCH_BETTER = 0.7
# Column of geo_distance in the sets, after the label and five others.
DISTANCE = 6
DATA = f"s3://{BUCKET}/{PROJECT}"


@pytest.fixture(scope="module")
def world(tools, definitions, tmp_path_factory):
    """The bucket with the generated data in it, and a function that executes pipelines on it."""
    folder = tmp_path_factory.mktemp("story")
    project = folder / "s3" / BUCKET / PROJECT
    generated = generate.generate(project / "raw", ROWS, SEED)
    (project / "raw/zones").mkdir()
    shutil.move(project / "raw/taxi_zones.zip", project / "raw/zones/taxi_zones.zip")
    (project / "zones").mkdir()
    made = command(
        tools,
        EXAMPLES / "preprocess",
        "pipelines.preprocess.prepare_zones",
        *("--source", str(project / "raw/zones/taxi_zones.zip"), "--target", str(project / "zones/zones.csv")),
    )
    assert made.returncode == 0, made.stderr
    return World(tools, folder, generated, definitions)


class World:
    """S3 as a folder, and the definitions of the repositories."""

    def __init__(self, tools: Path, folder: Path, generated: int, definitions: dict):
        self.tools, self.folder, self.generated, self.definitions = tools, folder, generated, definitions

    def execute(self, repository: str, execution_id: str, **parameters) -> Execution:
        found = self.definitions[repository]
        # The scripts are where `run-pipeline` would have uploaded them.
        for script in (EXAMPLES / repository).glob("pipelines/*/*.py"):
            for place in {one for one in _texts(found) if one.startswith("s3://") and one.endswith(f"/{script.name}")}:
                target = self.folder / "s3" / place.removeprefix("s3://")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(script, target)
        python = self.tools / "container/bin/python"
        return Execution(found, parameters, self.folder / "s3", self.folder / "work", python, execution_id).run()

    def read(self, uri: str) -> np.ndarray:
        """All CSV files below a place."""
        files = sorted((self.folder / "s3" / uri.removeprefix("s3://")).rglob("*"))
        return np.concatenate([np.loadtxt(file, delimiter=",", ndmin=2) for file in files if file.is_file()])


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def prepared(world):
    """The data of the first run of the preprocess pipeline: rows per set."""
    return json.loads(world.execute("preprocess", "first").said["PreprocessTaxiTrips"])


@pytest.fixture(scope="module")
def trained(world, prepared):
    """An execution of the train pipeline that registered a model."""
    return world.execute("build", "train1", InputRunUrl=f"{DATA}/preprocess/first")


def rmse(labels, predictions):
    return float(np.sqrt(np.mean((labels - predictions) ** 2)))


def test_plausible_records_are_split_80_10_10_and_the_rest_is_dropped(world, prepared, tell):
    kept = sum(prepared.values())
    # The generator spoils one in twenty, and sends one in a hundred twice; a few trips are longer than any rule allows.
    assert ROWS * 0.94 < kept <= ROWS * 0.95
    assert {name: round(rows / kept, 2) for name, rows in prepared.items()} == {"train": 0.8, "validation": 0.1, "test": 0.1}
    tell(f"rows       {world.generated} records, {kept} plausible: " + ", ".join(f"{rows} {name}" for name, rows in prepared.items()))


def test_what_the_model_sees_is_in_new_york(world, prepared):
    train = world.read(f"{DATA}/preprocess/first/train")
    passengers, start, stop = train[:, 1], train[:, 2:4], train[:, 4:6]
    assert passengers.min() >= 1
    for place in (start, stop):
        assert (place.min(axis=0) > (40, -75)).all() and (place.max(axis=0) < (42, -73)).all()


def test_a_second_run_leaves_the_sets_of_the_first_alone(world, prepared):
    before = {name: len(world.read(f"{DATA}/preprocess/first/{name}")) for name in prepared}
    world.execute("preprocess", "second")
    after = {name: len(world.read(f"{DATA}/preprocess/first/{name}")) for name in prepared}
    assert before == after == prepared
    assert {name: len(world.read(f"{DATA}/preprocess/second/{name}")) for name in prepared} == prepared


def test_the_model_beats_the_mean_fare_and_the_fare_per_kilometre(world, trained, tell):
    train, test = (world.read(f"{DATA}/preprocess/first/{name}") for name in ("train", "test"))
    per_km = train[:, 0].sum() / train[:, DISTANCE].sum()
    line = np.polyfit(train[:, DISTANCE], train[:, 0], 1)
    baselines = {
        "mean fare": rmse(test[:, 0], train[:, 0].mean()),
        "fare per km": rmse(test[:, 0], per_km * test[:, DISTANCE]),
        "base fare and fare per km": rmse(test[:, 0], np.polyval(line, test[:, DISTANCE])),
    }
    metrics = json.loads(trained.said["EvaluateModel"])["regression_metrics"]
    told = ", ".join(f"{name} {value:.2f}" for name, value in baselines.items())
    tell(f"metric     RMSE {metrics['rmse']['value']:.2f} dollars (R2 {metrics['r2']['value']:.3f}); baselines: {told}")
    assert metrics["rmse"]["value"] < MUCH_BETTER * min(baselines["mean fare"], baselines["fare per km"])
    assert metrics["rmse"]["value"] < baselines["base fare and fare per km"]


def test_a_good_model_is_registered_with_its_report_and_where_it_comes_from(trained):
    (package,) = trained.model_packages
    report = trained.path(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
    assert json.loads(report.read_text()) == json.loads(trained.said["EvaluateModel"])
    (container,) = package["InferenceSpecification"]["Containers"]
    assert trained.path(container["ModelDataUrl"]).is_file()
    assert package["ModelPackageGroupName"] == PROJECT
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["CustomerMetadataProperties"]["InputRunUrl"] == f"{DATA}/preprocess/first"
    assert package["CustomerMetadataProperties"]["PipelineExecution"].endswith("/train1")


def test_a_model_above_the_limit_is_not_registered_and_the_execution_fails(world, prepared):
    with pytest.raises(StepFailed, match=r"RMSE is above MaxRmse, 0.5 dollars. Report: s3://.*/train/strict/evaluation/"):
        world.execute("build", "strict", InputRunUrl=f"{DATA}/preprocess/first", MaxRmse=0.5)


def test_training_without_data_fails_where_they_are_missing(world):
    with pytest.raises(StepFailed, match="No S3 objects found under s3://fares-bucket/fares-p-1/preprocess/never/train"):
        world.execute("build", "absent", InputRunUrl=f"{DATA}/preprocess/never")


@pytest.mark.skipif("deploy" not in PIPELINE_REPOSITORIES, reason="there is no deploy repository")
def test_batch_inference_predicts_every_trip_of_the_test_set_beside_its_fare(world, trained, tell):
    (package,) = trained.model_packages
    (container,) = package["InferenceSpecification"]["Containers"]
    batch = world.execute(
        "deploy",
        "batch1",
        ModelPackageArn="arn:aws:sagemaker:eu-central-1:111122223333:model-package/fares-p-1/1",
        ModelImageUri=container["Image"],
        ModelInputUri=container["ModelDataUrl"],
        DataInputUri=f"{DATA}/preprocess/first/test",
    )
    (output,) = [file for file in (batch.bucket / BUCKET / PROJECT / "transform/batch1").rglob("*") if file.is_file()]
    rows = [[float(cell) for cell in row] for row in csv.reader(output.open())]
    test = world.read(f"{DATA}/preprocess/first/test")
    assert np.array_equal(np.array(rows)[:, :-1], test)
    evaluated = json.loads(trained.said["EvaluateModel"])["regression_metrics"]["rmse"]["value"]
    assert rmse(test[:, 0], np.array(rows)[:, -1]) == pytest.approx(evaluated, rel=1e-3)
    tell(f"inference  {len(rows)} predictions in {output.name}")
