"""What the repositories have in common is the same in each: people who know one know all."""

import tomllib

import pytest
from conftest import EXAMPLES, PIPELINE_REPOSITORIES

SHARED = [
    "LICENSE",
    ".gitignore",
    "constraints.txt",
    "pipelines/__init__.py",
    "pipelines/_utils.py",
    "pipelines/run_pipeline.py",
    "pipelines/get_pipeline_definition.py",
    "tests/test_commands.py",
]


@pytest.mark.parametrize("path", SHARED)
def test_a_shared_file_has_the_same_bytes_in_each_repository(path):
    contents = {(EXAMPLES / name / path).read_bytes() for name in PIPELINE_REPOSITORIES}
    assert len(contents) == 1


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_every_dependency_is_pinned_and_is_the_sdk_whose_modules_the_code_imports(name):
    project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())
    pins = set((EXAMPLES / name / "constraints.txt").read_text().splitlines())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"]
    assert [one for one in wanted if one not in pins] == []
    assert [one for one in wanted if one.startswith("sagemaker==2.")]
    assert all("==" in one for one in project["build-system"]["requires"])
