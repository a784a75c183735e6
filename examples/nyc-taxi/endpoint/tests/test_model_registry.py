"""Which model package is chosen. The API is played by botocore's stubber, which checks each call and answer against AWS's model."""

import boto3
import pytest
from botocore.stub import Stubber

from endpoint.model_registry import NotYet, Refused, choose, container

GROUP = "fares-p-1"
NEWEST_FIRST = {"ModelPackageGroupName": GROUP, "SortBy": "CreationTime", "SortOrder": "Descending"}
APPROVED = {**NEWEST_FIRST, "ModelApprovalStatus": "Approved"}


def arn(version, group=GROUP):
    return f"arn:aws:sagemaker:eu-central-1:111122223333:model-package/{group}/{version}"


def summary(version, status="Completed", approval="Approved"):
    return {
        "ModelPackageGroupName": GROUP,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn(version),
        "CreationTime": 1_700_000_000 + version,
        "ModelPackageStatus": status,
        "ModelApprovalStatus": approval,
    }


def described(version, approval="Approved", status="Completed", group=GROUP, containers=None):
    answer = {
        "ModelPackageName": group,
        "ModelPackageGroupName": group,
        "ModelPackageArn": arn(version, group),
        "CreationTime": 1_700_000_000,
        "ModelPackageStatus": status,
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": approval,
    }
    if containers is not None:
        answer["InferenceSpecification"] = {
            "Containers": containers,
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
    return answer


@pytest.fixture
def registry():
    client = boto3.client("sagemaker", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def test_the_newest_approved_model_is_asked_for_in_descending_order(registry):
    client, stubber = registry
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(7), summary(6)]}, APPROVED)
    assert choose(client, GROUP).arn == arn(7)


def test_a_registration_that_is_not_completed_is_passed_over_even_over_pages(registry):
    client, stubber = registry
    first = {"ModelPackageSummaryList": [summary(9, "Failed"), summary(8, "InProgress")], "NextToken": "more"}
    stubber.add_response("list_model_packages", first, APPROVED)
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(7)]}, {**APPROVED, "NextToken": "more"})
    assert choose(client, GROUP).arn == arn(7)


def test_without_an_approved_model_it_is_not_yet_and_no_failure(registry):
    client, stubber = registry
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": []}, APPROVED)
    with pytest.raises(NotYet, match="no model of fares-p-1 is Approved yet"):
        choose(client, GROUP)


def test_a_pinned_version_is_found_by_its_number(registry):
    client, stubber = registry
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(5), summary(4)]}, NEWEST_FIRST)
    assert choose(client, GROUP, pinned_version=4).arn == arn(4)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([summary(5)], "version 4 of fares-p-1, which does not exist"),
        ([summary(4, approval="PendingManualApproval")], "is PendingManualApproval: only Approved"),
        ([summary(4, status="Failed")], "is Failed: only Completed"),
    ],
)
def test_a_pinned_version_that_cannot_be_deployed_is_refused(registry, found, sentence):
    client, stubber = registry
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": found}, NEWEST_FIRST)
    with pytest.raises(Refused, match=sentence):
        choose(client, GROUP, pinned_version=4)


def test_a_pinned_arn_may_be_of_another_group(registry):
    client, stubber = registry
    stubber.add_response("describe_model_package", described(3, group="shared"), {"ModelPackageName": arn(3, "shared")})
    assert choose(client, GROUP, pinned_arn=arn(3, "shared")).arn == arn(3, "shared")


def test_the_model_named_for_the_build_wins_over_the_pinned_one(registry):
    client, stubber = registry
    stubber.add_response("describe_model_package", described(2), {"ModelPackageName": arn(2)})
    assert choose(client, GROUP, named=arn(2), pinned_version=4).arn == arn(2)


def test_a_rejected_model_gives_way_to_the_newest_approved_one(registry):
    client, stubber = registry
    stubber.add_response("describe_model_package", described(7, "Rejected"), {"ModelPackageName": arn(7)})
    stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [summary(6)]}, APPROVED)
    choice = choose(client, GROUP, named=arn(7))
    assert (choice.arn, choice.because.startswith(f"{arn(7)} is Rejected, so ")) == (arn(6), True)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (described(2, "PendingManualApproval"), "is PendingManualApproval: only Approved"),
        (described(2, status="Failed"), "is Failed: only Completed"),
        (described(2, group="other"), "is not of the group fares-p-1"),
    ],
)
def test_a_named_model_that_cannot_be_deployed_is_refused(registry, answer, sentence):
    client, stubber = registry
    stubber.add_response("describe_model_package", answer, {"ModelPackageName": arn(2)})
    with pytest.raises(Refused, match=sentence):
        choose(client, GROUP, named=arn(2))


def test_a_named_model_that_is_no_arn_is_refused_before_aws_is_asked(registry):
    with pytest.raises(Refused, match="no ARN of a model package"):
        choose(registry[0], GROUP, named="fares/2")


def test_a_group_that_cannot_be_listed_is_told_in_a_sentence(registry):
    client, stubber = registry
    stubber.add_client_error("list_model_packages", "ValidationException", "ModelPackageGroup does not exist.")
    with pytest.raises(Refused, match="the models of fares-p-1 cannot be listed: ModelPackageGroup does not exist."):
        choose(client, GROUP)


IMAGE = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5"


@pytest.mark.parametrize(
    "only",
    [
        {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"},
        {
            "Image": IMAGE,
            "ModelDataSource": {
                "S3DataSource": {"S3Uri": "s3://b/model.tar.gz", "S3DataType": "S3Object", "CompressionType": "Gzip"}
            },
        },
    ],
)
def test_a_copied_model_is_read_from_its_package_and_not_from_its_lineage(registry, only):
    client, stubber = registry
    stubber.add_response("describe_model_package", described(2, containers=[only]), {"ModelPackageName": arn(2)})
    found = container(client, arn(2))
    assert (found.image, found.model_data) == (IMAGE, "s3://b/model.tar.gz")


@pytest.mark.parametrize(
    ("containers", "sentence"),
    [
        ([{"Image": IMAGE}, {"Image": IMAGE}], "has 2 containers"),
        ([{"Image": IMAGE}], "is not said: register the model as one model.tar.gz"),
    ],
)
def test_a_package_that_cannot_be_served_is_refused(registry, containers, sentence):
    client, stubber = registry
    stubber.add_response("describe_model_package", described(2, containers=containers), {"ModelPackageName": arn(2)})
    with pytest.raises(Refused, match=sentence):
        container(client, arn(2))
