"""The pipeline `…-batch`: makes a SageMaker model of the chosen model package, and predicts the fares of all trips in S3.

The definition names no model: image and model data are parameters, looked up in the model registry just before an
execution starts. So the pipeline stays the same from model to model, and its definition needs no account. The
predictions of each execution go to a place of their own.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines import _utils
from pipelines.deploy import model_registry, settings

# The first column of the prepared trips is the fare itself: the model gets the rest, and the prediction is put after
# the whole line, so that both can be compared.
MODEL_GETS = "$[1:]"


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str,
    model_package_group_name: str,
    base_job_prefix: str,
    model_package_arn: str = "",
    config: settings.Settings | None = None,
) -> Any:
    """The pipeline, as an object of the SageMaker SDK. `config` takes the place of `batch-config.json`."""
    del model_package_group_name, model_package_arn  # of one execution: see get_start_parameters
    from sagemaker.workflow.parameters import ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline

    config = config or _config()
    session = _utils.pipeline_session(region, default_bucket)
    parameters = {
        "ModelPackageArn": ParameterString("ModelPackageArn"),
        "ModelImageUri": ParameterString("ModelImageUri"),
        "ModelInputUri": ParameterString("ModelInputUri"),
        "DataInputUri": ParameterString("DataInputUri"),
        "TransformInstanceType": ParameterString("TransformInstanceType", default_value=config.instance_type),
        "TransformInstanceCount": ParameterInteger("TransformInstanceCount", default_value=config.instance_count),
    }
    create = _create_model(session, role, parameters)
    transform = _transform(session, default_bucket, base_job_prefix, parameters, create, config)
    return Pipeline(pipeline_name, parameters=list(parameters.values()), steps=[create, transform], sagemaker_session=session)


def get_start_parameters(
    boto_session: boto3.Session,
    parameters: dict[str, str],
    default_bucket: str,
    base_job_prefix: str,
    model_package_group_name: str,
    model_package_arn: str = "",
    config: settings.Settings | None = None,
    **_: Any,
) -> dict[str, str]:
    """Which model this execution uses (`model_package_arn`, the pinned one, or the newest Approved one), and which trips."""
    config = config or _config()
    client = boto_session.client("sagemaker")
    try:
        choice = model_registry.choose(
            client,
            model_package_group_name,
            named=model_package_arn.strip(),
            pinned_version=config.model_package_version,
            pinned_arn=config.model_package_arn or "",
        )
        container = model_registry.container(client, choice.arn)
    except model_registry.NotYet as sentence:
        raise _utils.NotYet(str(sentence)) from None
    except model_registry.Refused as sentence:
        raise _utils.BadArgument(str(sentence)) from None
    if container.environment:
        raise _utils.BadArgument(
            f"{choice.arn} needs the environment {', '.join(sorted(container.environment))}, which this pipeline does not "
            "give: add it to the Model in pipelines/deploy/pipeline.py"
        )
    print(choice.because)
    model = {"ModelPackageArn": choice.arn, "ModelImageUri": container.image, "ModelInputUri": container.model_data}
    if "DataInputUri" in parameters:
        return model
    run = container.metadata.get("InputRunUrl", "")
    if not run.startswith(f"s3://{default_bucket}/"):  # unknown, or of the project that the model was copied from
        run = _newest_run(client, default_bucket, base_job_prefix)
    return {**model, "DataInputUri": f"{run}/test"}


def _newest_run(client: Any, bucket: str, prefix: str) -> str:
    """Where the newest trips are that were prepared."""
    name = f"{prefix}-preprocess"
    pages = client.get_paginator("list_pipeline_executions").paginate(
        PipelineName=name, SortBy="CreationTime", SortOrder="Descending"
    )
    try:
        for execution in (one for page in pages for one in page["PipelineExecutionSummaries"]):
            if execution["PipelineExecutionStatus"] == "Succeeded":
                return f"s3://{bucket}/{prefix}/preprocess/{execution['PipelineExecutionArn'].rsplit('/', 1)[1]}"
    except ClientError as error:
        # A pipeline that was never made has no execution either.
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
    raise _utils.NotYet(f"there are no trips to predict: no execution of the pipeline {name} has succeeded")


def _create_model(session: Any, role: str, parameters: dict[str, Any]) -> Any:
    from sagemaker.model import Model
    from sagemaker.workflow.steps import CreateModelStep

    model = Model(
        image_uri=parameters["ModelImageUri"],
        model_data=parameters["ModelInputUri"],
        role=role,
        sagemaker_session=session,
    )
    # ModelStep would add to the name of the step, which people know.
    return CreateModelStep("TripFareCreateModel", step_args=model.create().create_model_request)


def _transform(
    session: Any, bucket: str, prefix: str, parameters: dict[str, Any], create: Any, config: settings.Settings
) -> Any:
    from sagemaker.transformer import Transformer
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.steps import TransformStep

    predictions = Join(on="/", values=[f"s3://{bucket}/{prefix}/transform", ExecutionVariables.PIPELINE_EXECUTION_ID])
    transformer = Transformer(
        model_name=create.properties.ModelName,
        instance_type=parameters["TransformInstanceType"],
        instance_count=parameters["TransformInstanceCount"],
        output_path=predictions,
        accept="text/csv",
        assemble_with="Line",
        strategy="MultiRecord",
        max_payload=config.max_payload_megabytes,
        sagemaker_session=session,
    )
    arguments = transformer.transform(
        parameters["DataInputUri"],
        content_type="text/csv",
        split_type="Line",
        input_filter=MODEL_GETS,
        join_source="Input",
    )
    return TransformStep("TripFareTransform", step_args=arguments)


def _config() -> settings.Settings:
    try:
        return settings.read()
    except model_registry.Refused as sentence:
        raise _utils.BadArgument(str(sentence)) from None
