"""The train pipeline: train, evaluate, and then either register the model or fail with the reason.

It trains on the sets of one execution of the preprocess pipeline (parameter InputRunUrl, by default the newest that
succeeded). Model and report lie below the id of this pipeline's own execution, so that no run overwrites another's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines._utils import NotYet, code_uri, pipeline_session

SCRIPT = Path(__file__).parent / "evaluate.py"
XGBOOST_VERSION = "3.0-5"
HYPERPARAMETERS = {
    "objective": "reg:squarederror",
    "num_round": "200",
    "early_stopping_rounds": "10",
    "max_depth": "6",
    "eta": "0.1",
    "gamma": "4",
    "min_child_weight": "20",
    "subsample": "0.8",
    "seed": "42",
}


def get_code(default_bucket: str, base_job_prefix: str, **_: Any) -> dict[str, Path]:
    """The script of the evaluation, and where the pipeline expects it."""
    return {code_uri(SCRIPT, default_bucket, base_job_prefix): SCRIPT}


def get_start_parameters(
    boto_session: boto3.Session, parameters: dict[str, str], default_bucket: str, base_job_prefix: str, **_: Any
) -> dict[str, str]:
    """Where the newest data is: the sets of the newest execution of the preprocess pipeline that succeeded."""
    if "InputRunUrl" in parameters:
        return {}
    name = f"{base_job_prefix}-preprocess"
    run = _newest_success(boto_session.client("sagemaker"), name)
    if run is None:
        job = f"sagemaker-{base_job_prefix}-preprocess"
        raise NotYet(f"no execution of the pipeline {name} has succeeded: build the Jenkins job {job}, then this one again")
    return {"InputRunUrl": f"s3://{default_bucket}/{base_job_prefix}/preprocess/{run}"}


def _newest_success(client: Any, pipeline_name: str) -> str | None:
    """The id of the pipeline's newest execution that succeeded."""
    pages = client.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending"
    )
    try:
        for execution in (one for page in pages for one in page["PipelineExecutionSummaries"]):
            if execution["PipelineExecutionStatus"] == "Succeeded":
                return execution["PipelineExecutionArn"].rsplit("/", 1)[1]
    except ClientError as error:
        # A pipeline that was never made has no execution either.
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
    return None


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str,
    base_job_prefix: str,
    model_package_group_name: str,
    sagemaker_project_arn: str | None = None,
) -> Any:
    """The pipeline of one project; builds it without calling AWS.

    `base_job_prefix` is ``<project name>-<project id>``: all that the project stores lies below it.
    """
    from sagemaker.image_uris import retrieve
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.parameters import ParameterFloat, ParameterString
    from sagemaker.workflow.pipeline import Pipeline

    session = pipeline_session(region, default_bucket)
    image = retrieve("xgboost", region, version=XGBOOST_VERSION, instance_type="ml.m5.xlarge")
    parameters = {
        "run": ParameterString("InputRunUrl"),
        "training": ParameterString("TrainingInstanceType", default_value="ml.m5.xlarge"),
        "processing": ParameterString("ProcessingInstanceType", default_value="ml.m5.xlarge"),
        "approval": ParameterString("ModelApprovalStatus", default_value="PendingManualApproval"),
        # Dollars. A model that always says the mean fare is off by about 10 on TLC's records.
        "limit": ParameterFloat("MaxRmse", default_value=8.0),
    }
    own_url = ["s3:/", default_bucket, base_job_prefix, "train", ExecutionVariables.PIPELINE_EXECUTION_ID]
    train = _train_step(session, image, role, parameters, own_url)
    evaluate, metrics = _evaluate_step(
        session, image, role, parameters, own_url, train, code_uri(SCRIPT, default_bucket, base_job_prefix)
    )
    register = _register_step(
        session, image, role, parameters, own_url, train, model_package_group_name, sagemaker_project_arn
    )
    return Pipeline(
        name=pipeline_name,
        parameters=list(parameters.values()),
        steps=[train, evaluate, _check_step(parameters, own_url, evaluate, metrics, register)],
        sagemaker_session=session,
    )


def _train_step(session: Any, image: str, role: str, parameters: dict[str, Any], own_url: list[Any]) -> Any:
    from sagemaker.estimator import Estimator
    from sagemaker.inputs import TrainingInput
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.steps import TrainingStep

    estimator = Estimator(
        image_uri=image,
        instance_type=parameters["training"],
        instance_count=1,
        output_path=Join(on="/", values=[*own_url, "model"]),
        hyperparameters=HYPERPARAMETERS,
        # The profiler and the debugger would run jobs of their own, and write elsewhere.
        disable_profiler=True,
        debugger_hook_config=False,
        sagemaker_session=session,
        role=role,
    )
    channels = {
        name: TrainingInput(Join(on="/", values=[parameters["run"], name]), content_type="text/csv")
        for name in ("train", "validation")
    }
    return TrainingStep(name="TrainFareModel", step_args=estimator.fit(inputs=channels))


def _evaluate_step(
    session: Any, image: str, role: str, parameters: dict[str, Any], own_url: list[Any], train: Any, code: str
) -> tuple[Any, Any]:
    from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.properties import PropertyFile
    from sagemaker.workflow.steps import ProcessingStep

    processor = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        instance_type=parameters["processing"],
        instance_count=1,
        sagemaker_session=session,
        role=role,
    )
    metrics = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    test_set = Join(on="/", values=[parameters["run"], "test"])
    step = ProcessingStep(
        name="EvaluateModel",
        step_args=processor.run(
            code=code,
            inputs=[
                ProcessingInput(
                    input_name="model",
                    source=train.properties.ModelArtifacts.S3ModelArtifacts,
                    destination="/opt/ml/processing/model",
                ),
                ProcessingInput(input_name="test", source=test_set, destination="/opt/ml/processing/test"),
            ],
            outputs=[
                ProcessingOutput(
                    output_name="evaluation",
                    source="/opt/ml/processing/evaluation",
                    destination=Join(on="/", values=[*own_url, "evaluation"]),
                )
            ],
        ),
        property_files=[metrics],
    )
    return step, metrics


def _register_step(
    session: Any,
    image: str,
    role: str,
    parameters: dict[str, Any],
    own_url: list[Any],
    train: Any,
    group: str,
    project_arn: str | None,
) -> Any:
    from sagemaker.model import Model
    from sagemaker.model_metrics import MetricsSource, ModelMetrics
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.model_step import ModelStep

    model = Model(
        image_uri=image,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        sagemaker_session=session,
        role=role,
    )
    report = MetricsSource(s3_uri=Join(on="/", values=[*own_url, "evaluation", "evaluation.json"]), content_type="application/json")
    # Where a version comes from. Tags cannot say it: AWS takes none on the versions of a group.
    lineage = {
        "InputRunUrl": parameters["run"],
        "PipelineExecution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "TrainingJob": train.properties.TrainingJobName,
        **({"Project": project_arn} if project_arn else {}),
    }
    return ModelStep(
        name="FareModel",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.t2.medium", "ml.m5.large"],
            transform_instances=["ml.m5.large", "ml.m5.xlarge"],
            model_package_group_name=group,
            approval_status=parameters["approval"],
            model_metrics=ModelMetrics(model_statistics=report),
            customer_metadata_properties=lineage,
            description="Taxi fares by XGBoost",
        ),
    )


def _check_step(parameters: dict[str, Any], own_url: list[Any], evaluate: Any, metrics: Any, register: Any) -> Any:
    from sagemaker.workflow.condition_step import ConditionStep
    from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
    from sagemaker.workflow.fail_step import FailStep
    from sagemaker.workflow.functions import Join, JsonGet

    rmse = JsonGet(step_name=evaluate.name, property_file=metrics, json_path="regression_metrics.rmse.value")
    scheme, bucket, *path = own_url
    report = [part for piece in path for part in ("/", piece)]
    said = ["The model's RMSE is above MaxRmse, ", parameters["limit"], f" dollars. Report: {scheme}/{bucket}", *report]
    too_far_off = FailStep(name="RefuseModel", error_message=Join(on="", values=[*said, "/evaluation/evaluation.json"]))
    return ConditionStep(
        name="CheckRmse",
        conditions=[ConditionLessThanOrEqualTo(left=rmse, right=parameters["limit"])],
        if_steps=[register],
        else_steps=[too_far_off],
    )
