"""The command ``run-pipeline``: creates or updates a pipeline, starts it, waits for its end and says what came of it.

Standard output carries one JSON object, the outcome; all else goes to standard error. Exit codes, which Jenkinsfiles
rely on:

* 0: the execution succeeded;
* 1: it failed, was stopped, did not end in time, or AWS refused a call;
* 2: an argument cannot be used;
* 3: not yet: what the execution needs does not exist yet, so that it was not started. The pipeline is up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any, Callable
from urllib.parse import urlparse

from botocore.exceptions import BotoCoreError, ClientError

from pipelines._utils import (
    BadArgument,
    NotYet,
    add_kwargs,
    call,
    clean_output,
    load_pipeline_module,
    parse_object,
    read_kwargs,
    read_tags,
)

SUCCEEDED, FAILED, BAD_ARGUMENT, NOT_YET = 0, 1, 2, 3
# Executing and Stopping are the other two states of a pipeline execution.
FINAL = ("Succeeded", "Failed", "Stopped")


def main(arguments: list[str] | None = None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        with clean_output():
            outcome = _run(options, sleep)
    except BadArgument as error:
        return _fail(error, BAD_ARGUMENT)
    except NotYet as reason:
        print(json.dumps({"status": "NotYet", "reason": str(reason)}, indent=2))
        return _fail(f"not yet: {reason}", NOT_YET)
    except (ClientError, BotoCoreError, TimeoutError) as error:
        return _fail(error, FAILED)
    print(json.dumps(outcome, indent=2))
    if outcome["status"] == "Succeeded":
        return SUCCEEDED
    return _fail(_what_went_wrong(outcome), FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run-pipeline", description="Creates or updates a SageMaker pipeline and runs it to its end.")
    parser.add_argument("-n", "--module-name", required=True, help="the pipeline's module, such as pipelines.train.pipeline")
    parser.add_argument("--role-arn", required=True, help="the role that the pipeline runs as")
    add_kwargs(parser)
    parser.add_argument("--description", default="", help="the pipeline's description")
    parser.add_argument("--tags", default="[]", help='JSON list of {"Key": ..., "Value": ...}: tags of the pipeline')
    parser.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE", help="one tag; may be repeated")
    parser.add_argument("--parameters", default="{}", help="JSON object with parameters of this execution")
    parser.add_argument("--timeout-minutes", type=float, default=24 * 60, help="how long to wait for the end; default: a day")
    parser.add_argument("--poll-seconds", type=float, default=30, help="how often to look; default: 30")
    return parser


def _fail(message: Any, code: int) -> int:
    print(f"run-pipeline: {message}", file=sys.stderr)
    return code


def _run(options: argparse.Namespace, sleep: Callable[[float], None]) -> dict[str, Any]:
    module = load_pipeline_module(options.module_name)
    kwargs, tags = read_kwargs(options), read_tags(options)
    parameters = {name: str(value) for name, value in parse_object("--parameters", options.parameters).items()}
    pipeline = call(module.get_pipeline, **kwargs)
    session = pipeline.sagemaker_session.boto_session
    if hasattr(module, "get_code"):
        _upload(session, call(module.get_code, **kwargs))
    pipeline.upsert(role_arn=options.role_arn, description=options.description or None, tags=tags)
    print(f"Pipeline {pipeline.name} is up to date.")
    if hasattr(module, "get_start_parameters"):
        found = call(module.get_start_parameters, boto_session=session, parameters=parameters, **kwargs)
        parameters = {**found, **parameters}
    execution = pipeline.start(parameters=parameters or None)
    print(f"Started {execution.arn}" + "".join(f"\n  {name} = {value}" for name, value in sorted(parameters.items())))
    client = session.client("sagemaker")
    deadline = time.monotonic() + options.timeout_minutes * 60
    return _wait(client, pipeline.name, execution.arn, deadline, options.poll_seconds, sleep)


def _upload(session: Any, code: dict[str, Any]) -> None:
    client = session.client("s3")
    for uri, path in code.items():
        place = urlparse(uri)
        client.upload_file(str(path), place.netloc, place.path.lstrip("/"))
        print(f"Uploaded {path.name} to {uri}")


def _wait(
    client: Any, name: str, arn: str, deadline: float, poll_seconds: float, sleep: Callable[[float], None]
) -> dict[str, Any]:
    """Waits for the end, which may take hours; tells each step's progress once."""
    told: dict[str, str] = {}
    while True:
        # The state is read before the steps, so that an end is never told with steps of before it.
        description = client.describe_pipeline_execution(PipelineExecutionArn=arn)
        steps = _steps(client, arn)
        for step in steps:
            if told.get(step["name"]) != step["status"]:
                told[step["name"]] = step["status"]
                print(f"  {step['name']}: {step['status']}")
        status = description["PipelineExecutionStatus"]
        if status in FINAL:
            reason = description.get("FailureReason")
            outcome = {"pipeline": name, "execution": arn, "status": status, "steps": steps}
            return {**outcome, "reason": reason} if reason else outcome
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{arn} is still {status}; it goes on, but is no longer waited for (--timeout-minutes)")
        sleep(poll_seconds)


def _steps(client: Any, arn: str) -> list[dict[str, str]]:
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
    steps = []
    for step in (step for page in pages for step in page["PipelineExecutionSteps"]):
        told = {"name": step["StepName"], "status": step["StepStatus"]}
        if step.get("FailureReason"):
            told["reason"] = step["FailureReason"]
        steps.append(told)
    return steps


def _what_went_wrong(outcome: dict[str, Any]) -> str:
    what = f"execution {outcome['execution']} "
    what += "was stopped" if outcome["status"] == "Stopped" else "failed"
    if "reason" in outcome:
        what += f": {outcome['reason']}"
    return what + "".join(f"\n  step {step['name']}: {step['reason']}" for step in outcome["steps"] if "reason" in step)


if __name__ == "__main__":
    sys.exit(main())
