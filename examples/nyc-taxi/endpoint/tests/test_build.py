"""`build-endpoint`: what it writes for the stacks of both stages."""

import json

import pytest
from playing import PACKAGE, PROJECT_ARN, ROLE

from endpoint import build


def arguments(folder, *more):
    return [
        *("--project-name", "fares", "--project-id", "p-1", "--project-arn", PROJECT_ARN),
        *("--model-package-group-name", "fares-p-1", "--model-execution-role", ROLE),
        *("--artifact-bucket", "artifacts", "--export-dir", str(folder), *more),
    ]


def a_model_and_tags(session, models=(PACKAGE,)):
    found = [
        {
            "ModelPackageArn": arn,
            "ModelPackageGroupName": "fares-p-1",
            "ModelPackageVersion": 7,
            "CreationTime": 1_700_000_000,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved",
        }
        for arn in models
    ]
    session.answers("sagemaker", "list_model_packages", {"ModelPackageSummaryList": found})
    if models:
        tags = [{"Key": "team", "Value": "fares"}, {"Key": "aws:servicecatalog:portfolio", "Value": "none"}]
        session.answers("sagemaker", "list_tags", {"Tags": tags}, {"ResourceArn": PROJECT_ARN})


def content(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_both_stages_get_the_same_model(session, tmp_path):
    a_model_and_tags(session)
    assert build.main(arguments(tmp_path), session) == 0
    models = [content(tmp_path, f"{stage}-config-export.json")["Parameters"]["ModelPackageName"] for stage in ("staging", "prod")]
    assert models == [PACKAGE, PACKAGE]


def test_a_real_time_stage_captures_its_data_below_the_project(session, tmp_path):
    a_model_and_tags(session)
    assert build.main(arguments(tmp_path), session) == 0
    assert content(tmp_path, "prod-config-export.json") == {
        "Parameters": {
            "StageName": "prod",
            "EndpointInstanceType": "ml.m5.large",
            "EndpointInstanceCount": "1",
            "EnableDataCapture": "true",
            "SamplingPercentage": "80",
            "SageMakerProjectName": "fares",
            "SageMakerProjectId": "p-1",
            "ModelPackageName": PACKAGE,
            "ModelExecutionRoleArn": ROLE,
            "DataCaptureUploadPath": "s3://artifacts/fares-p-1/datacapture/prod",
        },
        "Tags": {
            "team": "fares",
            "sagemaker:project-name": "fares",
            "sagemaker:project-id": "p-1",
            "sagemaker:deployment-stage": "prod",
        },
    }


def test_an_asynchronous_stage_says_where_answers_and_failures_go(session, tmp_path):
    a_model_and_tags(session)
    assert build.main(arguments(tmp_path, "--endpoint-type", "async"), session) == 0
    parameters = content(tmp_path, "staging-config-export.json")["Parameters"]
    assert parameters["AsyncOutputPath"] == "s3://artifacts/fares-p-1/async-output/staging"
    assert parameters["AsyncFailurePath"] == "s3://artifacts/fares-p-1/async-failure/staging"
    assert not {"EnableDataCapture", "DataCaptureUploadPath"} & set(parameters)


def test_parameters_and_tags_are_exported_as_cloudformation_takes_them(session, tmp_path):
    a_model_and_tags(session)
    assert build.main(arguments(tmp_path, "--export-cfn-params-tags", "true"), session) == 0
    whole = content(tmp_path, "staging-config-export.json")
    pairs = {pair["ParameterKey"]: pair["ParameterValue"] for pair in content(tmp_path, "staging-params-export.json")}
    tags = {pair["Key"]: pair["Value"] for pair in content(tmp_path, "staging-tags-export.json")}
    assert (pairs, tags) == (whole["Parameters"], whole["Tags"])


def test_false_is_false_when_parameters_and_tags_are_not_to_be_exported(session, tmp_path):
    a_model_and_tags(session)
    assert build.main(arguments(tmp_path, "--export-cfn-params-tags", "False"), session) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["prod-config-export.json", "staging-config-export.json"]


def test_without_an_approved_model_it_says_so_and_ends_with_3(session, tmp_path, capsys):
    a_model_and_tags(session, models=())
    assert build.main(arguments(tmp_path), session) == 3
    assert capsys.readouterr().out.startswith("no model of fares-p-1 is Approved yet")
    assert list(tmp_path.iterdir()) == []


def test_what_aws_refuses_is_one_sentence_and_ends_with_1(session, tmp_path, capsys):
    session.refuses("sagemaker", "describe_model_package", "AccessDeniedException", "not allowed")
    assert build.main(arguments(tmp_path, "--model-package-arn", PACKAGE), session) == 1
    assert capsys.readouterr().err == f"{PACKAGE} cannot be read: not allowed\n"


def test_an_unknown_type_of_endpoint_is_a_wrong_command_line(tmp_path):
    with pytest.raises(SystemExit) as ended:
        build.main(arguments(tmp_path, "--endpoint-type", "serverless"))
    assert ended.value.code == 2
