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


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES.iterdir() if path.is_dir()])
def test_every_repository_has_its_licence_its_own_readme_and_tests(name):
    licence = (EXAMPLES / name / "LICENSE").read_text()
    assert "Apache License" in licence and "Version 2.0" in licence
    assert (EXAMPLES / name / "README.md").read_text().startswith("# ")
    assert list((EXAMPLES / name / "tests").glob("test_*.py"))


def test_no_two_repositories_share_a_readme():
    readmes = [path.read_bytes() for path in EXAMPLES.glob("*/README.md")]
    assert len(set(readmes)) == len(readmes)
