"""Which model package a deployment uses, and what it holds.

The repositories that deploy share this file. It asks the model registry only: what is in the package is taken from the
package itself and not from the lineage of its training, which a model that was copied from elsewhere does not have.
The client is given; nothing is made when the file is imported.
"""

import re
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

ARN = re.compile(r"arn:[a-z-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/\S+")


class NotYet(Exception):
    """There is nothing to deploy yet: a sentence. No failure; a later build finds what this one missed."""


class Refused(Exception):
    """What was asked for cannot be deployed: a sentence that names it and says what to do."""


@dataclass(frozen=True)
class Choice:
    """A model package, and a sentence that says why it was taken."""

    arn: str
    because: str


@dataclass(frozen=True)
class Container:
    """What serves a model package: the image, the model's data in S3, the environment of the image; and the package's own
    metadata, such as what the model was trained on.
    """

    image: str
    model_data: str
    environment: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)


def choose(client, group, *, named="", pinned_version=None, pinned_arn=""):
    """The model package to deploy: the one named for this build, else the pinned one, else the newest Approved one.

    A build is also started when a model is rejected. A rejected model that is named is passed over, so that the rejection
    takes back the deployment.
    """
    passed_over = ""
    if named:
        found = _named(client, group, named)
        if found:
            return found
        passed_over = f"{named} is Rejected, so "
    if pinned_arn:
        _deployable(client, pinned_arn)
        return Choice(pinned_arn, f"{passed_over}{pinned_arn} is used, which the configuration pins")
    if pinned_version is not None:
        arn = _version(client, group, pinned_version)
        return Choice(arn, f"{passed_over}{arn} is used, the version that the configuration pins")
    arn = _newest(client, group)
    return Choice(arn, f"{passed_over}{arn} is used, the newest that is Approved")


def container(client, arn):
    """The one container of the model package `arn`."""
    package = _describe(client, arn)
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1:
        raise Refused(f"{arn} has {len(containers)} containers: this pipeline deploys models of one container")
    only = containers[0]
    source = only.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    data = only.get("ModelDataUrl") or source
    if not data or not data.endswith(".tar.gz"):
        raise Refused(f"the data of {arn} is {data or 'not said'}: register the model as one model.tar.gz in S3")
    return Container(only["Image"], data, only.get("Environment", {}), package.get("CustomerMetadataProperties", {}))


def _named(client, group, arn):
    if not ARN.fullmatch(arn):
        raise Refused(f"MODEL_PACKAGE_ARN is {arn!r}, which is no ARN of a model package: correct it or leave it empty")
    package = _describe(client, arn)
    if package.get("ModelPackageGroupName") != group:
        raise Refused(
            f"{arn} is not of the group {group}: name a model package of this project, "
            "or pin one of another group in the configuration"
        )
    if package.get("ModelApprovalStatus") == "Rejected":
        return None
    _deployable(client, arn, package)
    return Choice(arn, f"{arn} is used, which this build names")


def _deployable(client, arn, package=None):
    package = package or _describe(client, arn)
    approval, status = package.get("ModelApprovalStatus"), package["ModelPackageStatus"]
    if approval != "Approved":
        raise Refused(f"{arn} is {approval or 'not approved'}: only Approved models are deployed; approve it or name another")
    if status != "Completed":
        raise Refused(f"the registration of {arn} is {status}: only Completed ones are deployed; name another")


def _version(client, group, version):
    for package in _packages(client, group):
        if package.get("ModelPackageVersion") == version:
            _deployable(client, package["ModelPackageArn"], package)
            return package["ModelPackageArn"]
    raise Refused(f"the configuration pins version {version} of {group}, which does not exist: pin another, or none")


def _newest(client, group):
    for package in _packages(client, group, ModelApprovalStatus="Approved"):
        if package["ModelPackageStatus"] == "Completed":
            return package["ModelPackageArn"]
    raise NotYet(f"no model of {group} is Approved yet: approve one in the model registry, and this job starts by itself")


def _packages(client, group, **only):
    """All versions of the group, newest first: the API's own order is oldest first."""
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **only
    )
    try:
        for page in pages:
            yield from page["ModelPackageSummaryList"]
    except ClientError as error:
        raise Refused(f"the models of {group} cannot be listed: {error.response['Error']['Message']}") from error


def _describe(client, arn):
    try:
        return client.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        raise Refused(f"{arn} cannot be read: {error.response['Error']['Message']}") from error
