"""What the tests of the seed code share: the repositories as copies that tests may write into."""

import os
import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "nyc-taxi"
# The repositories that hold SageMaker pipelines; the fourth, endpoint, deploys with CloudFormation.
PIPELINE_REPOSITORIES = [name for name in ("preprocess", "build", "deploy") if (EXAMPLES / name).is_dir()]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder into which tests/seed/install puts what the tests need."""
    return Path(os.environ["SEED_TOOLS"])


@pytest.fixture
def checkout(tmp_path):
    """Makes a fresh copy of a repository, as a Jenkins workspace holds it."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(EXAMPLES / name, tmp_path / name))

    return make
