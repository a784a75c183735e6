"""What the tests of the seed code share: the repositories as copies that tests may write into."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from definitions import definition

HERE = Path(__file__).parent
EXAMPLES = Path(__file__).parents[3] / "examples" / "nyc-taxi"
# The repositories that hold SageMaker pipelines; the fourth, endpoint, deploys with CloudFormation.
PIPELINE_REPOSITORIES = [name for name in ("preprocess", "build", "deploy") if (EXAMPLES / name).is_dir()]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder into which tests/python/seed/install puts what the tests need."""
    return Path(os.environ["SEED_TOOLS"])


@pytest.fixture(scope="session")
def definitions(tools):
    """The definition of each pipeline, by repository; building one takes seconds."""
    return {name: definition(tools, EXAMPLES / name) for name in PIPELINE_REPOSITORIES}


@pytest.fixture
def checkout(tmp_path):
    """Makes a fresh copy of a repository, as a Jenkins workspace holds it."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(EXAMPLES / name, tmp_path / name))

    return make


@pytest.fixture(scope="session")
def small_model(tools, tmp_path_factory):
    """A model.tar.gz, and prepared trips that it was not trained on: for tests that need some model."""
    folder = tmp_path_factory.mktemp("model")
    archive, trips = folder / "model.tar.gz", folder / "trips.csv"
    subprocess.run([tools / "container/bin/python", HERE / "small_model.py", archive, trips], check=True, timeout=120)
    return archive, trips


@pytest.fixture(scope="session")
def predict(tools, small_model):
    """Answers rows of CSV with the predictions of the model, as its container does."""
    command = [tools / "container/bin/python", HERE / "inference.py", "predict", small_model[0]]

    def ask(rows: str) -> str:
        return subprocess.run(command, input=rows, capture_output=True, text=True, check=True, timeout=120).stdout

    return ask


@pytest.fixture(scope="session")
def tell():
    """Writes a line into the summary that `make test-seed` ends with."""
    summary = Path(os.environ["SEED_WORK"]) / "summary.txt"

    def add(line: str) -> None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return add
