"""The pipelines of the repositories, and their definitions as the command `get-pipeline-definition` writes them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

from aws import ACCOUNT, REGION

PROJECT, BUCKET = "fares-p-1", "fares-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
MODULES = {"preprocess": "pipelines.preprocess.pipeline", "build": "pipelines.train.pipeline", "deploy": "pipelines.deploy.pipeline"}
PIPELINE_NAMES = {"preprocess": f"{PROJECT}-preprocess", "build": f"{PROJECT}-train", "deploy": f"{PROJECT}-batch"}


def arguments(repository: str) -> dict[str, str]:
    """What `get_pipeline` of a repository takes."""
    group = {} if repository == "preprocess" else {"model_package_group_name": PROJECT}
    return {
        "region": REGION,
        "role": ROLE,
        "default_bucket": BUCKET,
        "pipeline_name": PIPELINE_NAMES[repository],
        "base_job_prefix": PROJECT,
        **group,
    }


def command(tools: Path, repository: Path, module: str, *options: str) -> subprocess.CompletedProcess:
    """Runs a module of a repository as a command, without credentials, region or a way to AWS."""
    # Packages find the repository by the folder that the command runs in.
    return subprocess.run(
        [str(tools / "sdk/bin/python"), "-B", "-m", module, *options],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(repository), "AWS_EC2_METADATA_DISABLED": "true"},
    )


def definition(tools: Path, repository: Path) -> dict[str, Any]:
    """The definition of a repository's pipeline."""
    name = repository.name
    options = ["--module-name", MODULES[name], "--kwargs", json.dumps(arguments(name))]
    ended = command(tools, repository, "pipelines.get_pipeline_definition", *options)
    assert ended.returncode == 0, ended.stderr
    # Nothing else may be on standard output: it would not be JSON.
    return json.loads(ended.stdout)


def steps_of(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All steps, those in the branches of conditions too."""
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from steps_of(step["Arguments"].get(branch, []))
