"""What both commands and all pipelines of a project share: reading arguments, the session, code that steps run.

Stands alone so that a pipeline's own module says only what is particular to it. It must not call AWS: a pipeline's
definition can be built without an account.

A pipeline module has ``get_pipeline(**kwargs)``, and may have

* ``get_code(**kwargs)``: the scripts that its steps run, as ``{s3_uri: path}``; `run-pipeline` uploads them;
* ``get_start_parameters(boto_session, parameters, **kwargs)``: parameters of one execution, looked up just before it
  starts, knowing those that the caller gave; raises `NotYet` where what the execution needs does not exist yet.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import inspect
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator

import boto3

# Warns on each import otherwise; README.md says why it is this major version.
os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")


class NotYet(Exception):
    """What an execution needs does not exist yet: no failure, and the next attempt may find it."""


class BadArgument(Exception):
    """An argument that cannot be used; the text says which, and what it must be."""


def load_pipeline_module(name: str) -> ModuleType:
    """Imports a pipeline's module, such as ``pipelines.train.pipeline``."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that is missing inside an existing pipeline is a defect of that pipeline: its own error says more.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        raise BadArgument(f"--module-name: there is no module {name!r}; expected one such as pipelines.train.pipeline") from error
    if not callable(getattr(module, "get_pipeline", None)):
        raise BadArgument(f"--module-name: {name} has no function get_pipeline")
    return module


def add_kwargs(parser: argparse.ArgumentParser) -> None:
    """Adds the options that carry the arguments of ``get_pipeline``."""
    parser.add_argument("--kwargs", default="{}", help="JSON object with the arguments of get_pipeline")
    parser.add_argument(
        "--kwarg", action="append", default=[], metavar="NAME=TEXT", help="one argument of get_pipeline; may be repeated"
    )


def read_kwargs(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``get_pipeline`` from the command line."""
    return {**parse_object("--kwargs", options.kwargs), **_parse_pairs("--kwarg", options.kwarg)}


def parse_object(option: str, text: str) -> dict[str, Any]:
    """A JSON object given to an option."""
    value = _parse_json(option, text)
    if not isinstance(value, dict):
        raise BadArgument(f'{option} must be a JSON object such as {{"region": "eu-central-1"}}, but is {text!r}')
    return value


def read_tags(options: argparse.Namespace) -> list[dict[str, str]]:
    """Tags as AWS writes them, from ``--tags`` (JSON, the same form) and ``--tag KEY=VALUE``."""
    text, value = options.tags, _parse_json("--tags", options.tags)
    shape = isinstance(value, list) and all(
        isinstance(tag, dict) and set(tag) == {"Key", "Value"} and all(isinstance(part, str) for part in tag.values())
        for tag in value
    )
    if not shape:
        raise BadArgument(f'--tags must be a JSON list such as [{{"Key": "team", "Value": "fares"}}], but is {text!r}')
    return value + [{"Key": key, "Value": content} for key, content in _parse_pairs("--tag", options.tag).items()]


def _parse_pairs(option: str, pairs: list[str]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    for (name, equals, _), pair in zip(split, pairs):
        if not name or not equals:
            raise BadArgument(f"{option} must be NAME=TEXT, but is {pair!r}")
    return {name: text for name, _, text in split}


def _parse_json(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadArgument(f"{option} must be JSON, but {error.msg} at character {error.pos + 1} of {text!r}") from error


def call(function: Any, **kwargs: Any) -> Any:
    """Calls a pipeline module's function; an argument that is missing or unknown becomes a sentence."""
    try:
        inspect.signature(function).bind(**kwargs)
    except TypeError as error:
        raise BadArgument(f"--kwargs does not fit {function.__module__}.{function.__name__}: {error}") from error
    return function(**kwargs)


# The SDK's own defaults and nothing of the machine's, so that a pipeline is the same wherever it is built. Without the
# opt-out the SDK reports each use to its makers, by a request that hangs where no such request is let through.
SDK_SETTINGS = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Keeps standard output for the command's result: the SDK logs there, and has tracebacks written there."""
    hook = sys.excepthook
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.excepthook = hook


def pipeline_session(region: str, default_bucket: str) -> Any:
    """A session that records steps instead of starting jobs. Makes its clients here, never at import, and calls nothing."""
    # That a session starts no job, and which names SageMaker chooses itself, is no news to whoever reads a build's log.
    logging.getLogger("sagemaker").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Running within a PipelineSession")
    from sagemaker.workflow.pipeline_context import PipelineSession

    boto_session = boto3.Session(region_name=region)
    return PipelineSession(boto_session=boto_session, default_bucket=default_bucket, sagemaker_config=SDK_SETTINGS)


def code_uri(path: Path, bucket: str, prefix: str) -> str:
    """Where a script of a step is stored: its place changes when, and only when, its content does."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return f"s3://{bucket}/{prefix}/code/{digest}/{path.name}"
