"""The definition of the train pipeline, built without AWS, and the data that it looks for before it starts."""

import json
import types

import pytest
from botocore.exceptions import ClientError

from pipelines._utils import NotYet
from pipelines.train import pipeline

ARGUMENTS = {
    "region": "eu-central-1",
    "role": "arn:aws:iam::111122223333:role/pipelines",
    "default_bucket": "fares-bucket",
    "pipeline_name": "fares-p-1-train",
    "base_job_prefix": "fares-p-1",
    "model_package_group_name": "fares-p-1",
}
EXECUTIONS = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/fares-p-1-preprocess/execution/"


@pytest.fixture(scope="module")
def definition():
    return json.loads(pipeline.get_pipeline(**ARGUMENTS, sagemaker_project_arn="arn:project").definition())


def step(definition, name):
    def below(steps):
        for one in steps:
            yield one
            for branch in ("IfSteps", "ElseSteps"):
                yield from below(one["Arguments"].get(branch, []))

    return next(one for one in below(definition["Steps"]) if one["Name"] == name)


def joined(value):
    return value["Std:Join"]["Values"]


def test_the_model_is_registered_only_where_it_is_good_enough_and_the_limit_is_a_parameter(definition):
    check = step(definition, "CheckRmse")["Arguments"]
    (condition,) = check["Conditions"]
    assert condition["Type"] == "LessThanOrEqualTo"
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "regression_metrics.rmse.value"
    assert condition["RightValue"] == {"Get": "Parameters.MaxRmse"}
    assert [one["Type"] for one in check["IfSteps"]] == ["RegisterModel"]


def test_a_model_that_is_not_good_enough_fails_the_execution_and_says_so(definition):
    (failure,) = step(definition, "CheckRmse")["Arguments"]["ElseSteps"]
    assert failure["Type"] == "Fail"
    said = joined(failure["Arguments"]["ErrorMessage"])
    assert said[0].startswith("The model's RMSE is above MaxRmse") and {"Get": "Parameters.MaxRmse"} in said


def test_report_and_model_lie_below_the_execution_so_that_no_run_overwrites_another(definition):
    registered = step(definition, "FareModel-RegisterModel")["Arguments"]
    written = step(definition, "EvaluateModel")["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    shown = registered["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert joined(shown) == [*joined(written), "evaluation.json"]
    for place in (written, step(definition, "TrainFareModel")["Arguments"]["OutputDataConfig"]["S3OutputPath"]):
        assert {"Get": "Execution.PipelineExecutionId"} in joined(place)


def test_training_never_reads_the_test_set_and_all_sets_are_of_one_run(definition):
    channels = step(definition, "TrainFareModel")["Arguments"]["InputDataConfig"]
    read = [joined(channel["DataSource"]["S3DataSource"]["S3Uri"]) for channel in channels]
    evaluated = step(definition, "EvaluateModel")["Arguments"]["ProcessingInputs"]
    tested = [joined(one["S3Input"]["S3Uri"]) for one in evaluated if one["InputName"] == "test"]
    run = {"Get": "Parameters.InputRunUrl"}
    assert (read, tested) == ([[run, "train"], [run, "validation"]], [[run, "test"]])


def test_a_registered_model_says_where_it_comes_from(definition):
    registered = step(definition, "FareModel-RegisterModel")["Arguments"]
    assert registered["ModelPackageGroupName"] == "fares-p-1"
    assert registered["CustomerMetadataProperties"] == {
        "InputRunUrl": {"Get": "Parameters.InputRunUrl"},
        "PipelineExecution": {"Get": "Execution.PipelineExecutionArn"},
        "Project": "arn:project",
        "TrainingJob": {"Get": "Steps.TrainFareModel.TrainingJobName"},
    }


def test_a_model_waits_for_a_person_unless_told_otherwise(definition):
    defaults = {one["Name"]: one.get("DefaultValue") for one in definition["Parameters"]}
    assert defaults["ModelApprovalStatus"] == "PendingManualApproval"
    assert defaults["InputRunUrl"] is None


def test_the_script_of_the_evaluation_is_stored_once():
    assert len(pipeline.get_code(**ARGUMENTS)) == 1


def test_it_builds_without_a_region_in_the_environment_and_without_credentials(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    assert json.loads(pipeline.get_pipeline(**ARGUMENTS).definition())["Version"] == "2020-12-01"


def session_with(*executions, error=None):
    """A session whose SageMaker lists these executions, (id, status), newest first, one per page."""

    def paginate(PipelineName, SortBy, SortOrder):
        assert (PipelineName, SortBy, SortOrder) == ("fares-p-1-preprocess", "CreationTime", "Descending")
        if error:
            raise ClientError({"Error": {"Code": error, "Message": "no"}}, "ListPipelineExecutions")
        for name, status in executions:
            summary = {"PipelineExecutionArn": EXECUTIONS + name, "PipelineExecutionStatus": status}
            yield {"PipelineExecutionSummaries": [summary]}

    paginator = types.SimpleNamespace(paginate=paginate)
    return types.SimpleNamespace(client=lambda service: types.SimpleNamespace(get_paginator=lambda operation: paginator))


def start(session, **parameters):
    return pipeline.get_start_parameters(boto_session=session, parameters=parameters, **ARGUMENTS)


def test_it_trains_on_the_newest_data_that_are_complete():
    session = session_with(("new", "Executing"), ("failed", "Failed"), ("good", "Succeeded"), ("old", "Succeeded"))
    assert start(session) == {"InputRunUrl": "s3://fares-bucket/fares-p-1/preprocess/good"}


def test_it_trains_on_the_data_that_the_caller_names():
    assert start(session_with(("good", "Succeeded")), InputRunUrl="s3://mine") == {}


@pytest.mark.parametrize(
    "session",
    [session_with(), session_with(("new", "Executing"), ("failed", "Failed")), session_with(error="ResourceNotFound")],
    ids=["that never ran", "that has not succeeded", "that does not exist"],
)
def test_it_waits_for_a_preprocess_pipeline(session):
    with pytest.raises(NotYet, match="build the Jenkins job sagemaker-fares-p-1-preprocess, then this one again"):
        start(session)


def test_a_refusal_is_not_taken_for_missing_data():
    with pytest.raises(ClientError):
        start(session_with(error="AccessDeniedException"))
