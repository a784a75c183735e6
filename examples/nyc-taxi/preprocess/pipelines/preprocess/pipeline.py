"""The preprocess pipeline: one step, which turns trip records into train, validation and test sets.

Each execution writes below its own id, ``s3://<bucket>/<prefix>/preprocess/<execution>/{train,validation,test}``: sets of
two runs never mix, so that no row of a test set is ever trained on. The build pipeline takes those of the newest
execution that succeeded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from pipelines._utils import NotYet, code_uri, pipeline_session

SCRIPT = Path(__file__).parent / "preprocess.py"
SKLEARN_VERSION = "1.4-2"
SETS = ("train", "validation", "test")


def get_code(default_bucket: str, base_job_prefix: str, **_: Any) -> dict[str, Path]:
    """The script of the step, and where the pipeline expects it."""
    return {code_uri(SCRIPT, default_bucket, base_job_prefix): SCRIPT}


def get_start_parameters(
    boto_session: boto3.Session, parameters: dict[str, str], default_bucket: str, base_job_prefix: str, **_: Any
) -> dict[str, str]:
    """Nothing to look up, but without data and zones there is nothing to start."""
    client = boto_session.client("s3")
    for name, url, hint in (
        ("InputDataUrl", _data_url(default_bucket, base_job_prefix), "put TLC's green taxi files (CSV or Parquet) there"),
        ("InputZonesUrl", _zones_url(default_bucket, base_job_prefix), "prepare-zones makes zones.csv"),
    ):
        if name in parameters:
            continue
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
            raise NotYet(f"nothing is stored below {url} ({name}): {hint}, then build this job again")
    return {}


def _data_url(bucket: str, prefix: str) -> str:
    return f"s3://{bucket}/{prefix}/raw/green/"


def _zones_url(bucket: str, prefix: str) -> str:
    return f"s3://{bucket}/{prefix}/zones/"


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str,
    base_job_prefix: str,
    sagemaker_project_arn: str | None = None,
) -> Any:
    """The pipeline of one project; builds it without calling AWS.

    `base_job_prefix` is ``<project name>-<project id>``: all that the project stores lies below it.
    """
    from sagemaker.image_uris import retrieve
    from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.parameters import ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.steps import ProcessingStep

    session = pipeline_session(region, default_bucket)
    instance_type = ParameterString("ProcessingInstanceType", default_value="ml.m5.xlarge")
    instance_count = ParameterInteger("ProcessingInstanceCount", default_value=1)
    data_url = ParameterString("InputDataUrl", default_value=_data_url(default_bucket, base_job_prefix))
    zones_url = ParameterString("InputZonesUrl", default_value=_zones_url(default_bucket, base_job_prefix))
    processor = ScriptProcessor(
        image_uri=retrieve("sklearn", region, version=SKLEARN_VERSION, instance_type="ml.m5.xlarge"),
        command=["python3"],
        instance_type=instance_type,
        instance_count=instance_count,
        base_job_name=f"{base_job_prefix}-preprocess",
        sagemaker_session=session,
        role=role,
    )
    run_url = ["s3:/", default_bucket, base_job_prefix, "preprocess", ExecutionVariables.PIPELINE_EXECUTION_ID]
    step = ProcessingStep(
        name="PreprocessTaxiTrips",
        step_args=processor.run(
            code=code_uri(SCRIPT, default_bucket, base_job_prefix),
            arguments=["--seed", "42"],
            inputs=[
                ProcessingInput(
                    input_name="data",
                    source=data_url,
                    destination="/opt/ml/processing/input/data",
                    s3_data_distribution_type="ShardedByS3Key",
                ),
                ProcessingInput(input_name="zones", source=zones_url, destination="/opt/ml/processing/input/zones"),
            ],
            outputs=[
                ProcessingOutput(
                    output_name=name,
                    source=f"/opt/ml/processing/{name}",
                    destination=Join(on="/", values=[*run_url, name]),
                )
                for name in SETS
            ],
        ),
    )
    return Pipeline(
        name=pipeline_name,
        parameters=[instance_type, instance_count, data_url, zones_url],
        steps=[step],
        sagemaker_session=session,
    )
