"""The pipeline's definition, which needs no account, and what is looked up when an execution starts."""

import json

import boto3
import pytest
from botocore.stub import Stubber

from pipelines._utils import BadArgument, NotYet
from pipelines.deploy import pipeline, settings

IMAGE = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5"
PACKAGE = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/fares-p-1/7"
KWARGS = {
    "region": "eu-central-1",
    "role": "arn:aws:iam::111122223333:role/pipelines",
    "default_bucket": "artifacts",
    "pipeline_name": "fares-p-1-batch",
    "model_package_group_name": "fares-p-1",
    "base_job_prefix": "fares-p-1",
}


def definition(**changes):
    return json.loads(pipeline.get_pipeline(**{**KWARGS, **changes}).definition())


def step(whole, name):
    return {one["Name"]: one for one in whole["Steps"]}[name]["Arguments"]


def defaults(whole):
    return {one["Name"]: one.get("DefaultValue") for one in whole["Parameters"]}


@pytest.fixture(scope="module")
def usual():
    """The definition as the files of this repository make it."""
    return definition()


def test_the_machines_are_those_of_the_configuration():
    whole = definition(config=settings.Settings(instance_type="ml.c5.xlarge", instance_count=3, max_payload_megabytes=1))
    assert step(whole, "TripFareTransform")["TransformResources"] == {
        "InstanceType": {"Get": "Parameters.TransformInstanceType"},
        "InstanceCount": {"Get": "Parameters.TransformInstanceCount"},
    }
    assert (defaults(whole)["TransformInstanceType"], defaults(whole)["TransformInstanceCount"]) == ("ml.c5.xlarge", 3)
    assert step(whole, "TripFareTransform")["MaxPayloadInMB"] == 1


def test_the_model_of_the_transform_is_the_one_made_of_the_model_package(usual):
    assert step(usual, "TripFareTransform")["ModelName"] == {"Get": "Steps.TripFareCreateModel.ModelName"}
    container = step(usual, "TripFareCreateModel")["PrimaryContainer"]
    assert (container["Image"], container["ModelDataUrl"]) == (
        {"Get": "Parameters.ModelImageUri"},
        {"Get": "Parameters.ModelInputUri"},
    )


def test_the_definition_is_the_same_for_every_model(usual):
    assert definition(model_package_arn=PACKAGE) == usual


@pytest.fixture
def registry():
    """A session with a stubbed client, which checks calls and answers against AWS's own model."""
    client = boto3.client("sagemaker", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")

    class Session:
        @staticmethod
        def client(service):
            assert service == "sagemaker"
            return client

    with Stubber(client) as stubber:
        yield Session(), stubber
        stubber.assert_no_pending_responses()


RUN = "s3://artifacts/fares-p-1/preprocess/run004"


def described(environment=None, approval="Approved", metadata=None):
    container = {"Image": IMAGE, "ModelDataUrl": "s3://artifacts/fares-p-1/model/model.tar.gz", "Environment": environment or {}}
    return {
        "ModelPackageName": "fares-p-1",
        "ModelPackageGroupName": "fares-p-1",
        "ModelPackageArn": PACKAGE,
        "CreationTime": 1_700_000_000,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": approval,
        "InferenceSpecification": {"Containers": [container]},
        "CustomerMetadataProperties": {"InputRunUrl": RUN} if metadata is None else metadata,
    }


def test_an_execution_starts_with_image_and_data_of_the_model_package(registry):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described(), {"ModelPackageName": PACKAGE})
    assert pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE) == {
        "ModelPackageArn": PACKAGE,
        "ModelImageUri": IMAGE,
        "ModelInputUri": "s3://artifacts/fares-p-1/model/model.tar.gz",
        "DataInputUri": f"{RUN}/test",
    }


def execution(number, status):
    arn = f"arn:aws:sagemaker:eu-central-1:111122223333:pipeline/fares-p-1-preprocess/execution/run{number:03d}"
    return {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status}


@pytest.mark.parametrize("metadata", [{}, {"InputRunUrl": "s3://of-another-account/preprocess/run001"}])
def test_a_copied_model_predicts_the_newest_trips_that_were_prepared(registry, metadata):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described(metadata=metadata))
    newest_first = {"PipelineName": "fares-p-1-preprocess", "SortBy": "CreationTime", "SortOrder": "Descending"}
    runs = [execution(9, "Failed"), execution(8, "Succeeded"), execution(7, "Succeeded")]
    stubber.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": runs}, newest_first)
    found = pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE)
    assert found["DataInputUri"] == "s3://artifacts/fares-p-1/preprocess/run008/test"


def test_without_prepared_trips_it_is_not_yet(registry):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described(metadata={}))
    stubber.add_client_error("list_pipeline_executions", "ResourceNotFound", "no such pipeline")
    with pytest.raises(NotYet, match="no execution of the pipeline fares-p-1-preprocess has succeeded"):
        pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE)


def test_trips_that_are_named_are_not_looked_up(registry):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described(metadata={}))
    given = {"DataInputUri": "s3://elsewhere/trips"}
    assert "DataInputUri" not in pipeline.get_start_parameters(session, given, **KWARGS, model_package_arn=PACKAGE)


def test_every_parameter_without_a_default_is_looked_up(registry, usual):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described())
    found = pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE)
    assert set(found) == {name for name, value in defaults(usual).items() if value is None}


def test_without_an_approved_model_it_is_not_yet(registry):
    session, stubber = registry
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": []})
    with pytest.raises(NotYet, match="no model of fares-p-1 is Approved yet"):
        pipeline.get_start_parameters(session, {}, **KWARGS)


def test_the_pinned_version_is_used(registry):
    session, stubber = registry
    summary = {key: value for key, value in described().items() if key in ("ModelPackageGroupName", "ModelPackageArn")}
    summary |= {"CreationTime": 1, "ModelPackageVersion": 7, "ModelPackageStatus": "Completed", "ModelApprovalStatus": "Approved"}
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [summary]})
    stubber.add_response("describe_model_package", described())
    config = settings.Settings("ml.m5.xlarge", 1, model_package_version=7)
    assert pipeline.get_start_parameters(session, {}, **KWARGS, config=config)["ModelPackageArn"] == PACKAGE


def test_a_model_whose_container_needs_an_environment_is_refused_and_not_run_without_it(registry):
    session, stubber = registry
    for _ in range(2):
        stubber.add_response("describe_model_package", described({"SAGEMAKER_PROGRAM": "inference.py"}))
    with pytest.raises(BadArgument, match="needs the environment SAGEMAKER_PROGRAM"):
        pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE)


def test_a_model_that_is_not_approved_is_refused(registry):
    session, stubber = registry
    stubber.add_response("describe_model_package", described(approval="PendingManualApproval"))
    with pytest.raises(BadArgument, match="is PendingManualApproval: only Approved models are deployed"):
        pipeline.get_start_parameters(session, {}, **KWARGS, model_package_arn=PACKAGE)
