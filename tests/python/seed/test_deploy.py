"""The deploy repository as Jenkins runs it: from the model registry to a started pipeline.

Its Jenkinsfile runs in a real Groovy and its `sh` lines run for real, with what they install; AWS is the recording one.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from aws import ACCOUNT, REGION, Aws
from conftest import EXAMPLES
from golden import assert_golden
from jenkins_run import run_jenkinsfile, run_job_dsl, shell_calls
from permissions import allowed, needed
from stacks import model_package, teach_registry

PARAMS = {
    "ARTIFACT_BUCKET": "artifacts",
    "SAGEMAKER_PROJECT_NAME": "fares",
    "SAGEMAKER_PROJECT_ID": "p-1",
    "SAGEMAKER_PROJECT_ARN": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/fares",
    "AWS_REGION": REGION,
    "SAGEMAKER_PIPELINE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/pipelines",
    "AWS_CREDENTIAL": "aws-pipelines",
    "MODEL_PACKAGE_ARN": "",
    "EVENT_ID": "",
}
IMAGE = f"492215442770.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.0-5"
RUN = "s3://artifacts/fares-p-1/preprocess/run001"


def registered(version, approval="Approved"):
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://artifacts/fares-p-1/train/{version}/model.tar.gz", "Environment": {}}
    holds = {"InferenceSpecification": {"Containers": [container]}, "CustomerMetadataProperties": {"InputRunUrl": RUN}}
    return model_package("fares-p-1", version, approval, **holds)


class World(Aws):
    """AWS with a registry of models, whose pipelines end at the first look."""

    def __init__(self, packages):
        super().__init__()
        teach_registry(self, packages)

    def _status(self, execution):
        return self.outcome


@pytest.fixture(scope="module")
def build(tools, tmp_path_factory):
    """Runs the Jenkinsfile of a fresh checkout and hands back the report and the AWS that it met."""

    def run(packages, params=None, outcome="Succeeded"):
        scratch = tmp_path_factory.mktemp("jenkins")
        checkout = Path(shutil.copytree(EXAMPLES / "deploy", scratch / "deploy"))
        with World(packages) as aws:
            aws.outcome = outcome
            report = run_jenkinsfile(tools, checkout, {**PARAMS, **(params or {})}, aws.url, scratch)
        assert aws.unexpected == []
        return report, aws

    return run


@pytest.fixture(scope="module")
def usual(build):
    """The usual build: some models are approved, the newest one was rejected."""
    return build([registered(6), registered(7), registered(8, "Rejected")])


def started(aws):
    """The parameters with which executions were started."""
    starts = [call["request"] for call in aws.calls if call["operation"] == "SageMaker.StartPipelineExecution"]
    return [{one["Name"]: one["Value"] for one in start["PipelineParameters"]} for start in starts]


def test_the_newest_approved_model_predicts_with_what_its_own_checkout_installed(usual):
    report, aws = usual
    assert report["result"] == "SUCCESS", report["log"]
    assert started(aws)[0]["ModelPackageArn"].endswith("/7")
    assert {call["who"] for call in aws.calls} == {"aws-pipelines"}
    said = [f"sh: {' '.join(script.split())}" for script in shell_calls(report)]
    calls = [f"{call['operation']} {json.dumps(masked(call['request']), sort_keys=True)}" for call in aws.calls]
    assert_golden("deploy-jenkins.txt", "\n".join([*said, "", *calls, ""]))


def test_the_pipeline_has_a_name_of_its_own_and_the_tags_of_the_project(usual):
    (name, pipeline), = usual[1].pipelines.items()
    tags = {tag["Key"]: tag["Value"] for tag in pipeline["tags"]}
    assert (name, tags) == ("fares-p-1-batch", {"sagemaker:project-name": "fares", "sagemaker:project-id": "p-1"})


def test_the_jenkins_identity_may_do_all_that_the_job_asks_of_aws(usual):
    assert needed(usual[1].calls) - allowed("Pipelines") == set()


def test_nothing_is_packaged_that_is_not_there(usual):
    assert [script for script in shell_calls(usual[0]) if "cloudformation" in script] == []


def test_without_an_approved_model_the_build_is_not_built_and_nothing_is_started(build):
    report, aws = build([registered(7, "PendingManualApproval")])
    assert (report["result"], report["description"]) == ("NOT_BUILT", "no approved model yet")
    assert "no model of fares-p-1 is Approved yet" in report["log"]
    assert started(aws) == []


def test_the_model_that_the_trigger_names_wins_and_a_failed_execution_fails_the_build(build):
    report, aws = build([registered(6), registered(7)], {"MODEL_PACKAGE_ARN": registered(6)["ModelPackageArn"]}, "Failed")
    assert report["result"] == "FAILURE"
    assert started(aws)[0]["ModelPackageArn"].endswith("/6")


def masked(request):
    """A request without what differs from run to run; the definition is compared on its own."""
    shown = {name: value for name, value in request.items() if name != "PipelineDefinition"}
    return {name: re.sub(r"^[0-9a-f-]{32,}$", "<token>", value) if isinstance(value, str) else value for name, value in shown.items()}


def test_deploy_and_endpoint_choose_their_model_with_the_same_code():
    places = [EXAMPLES / "deploy/pipelines/deploy/model_registry.py", EXAMPLES / "endpoint/endpoint/model_registry.py"]
    assert len({place.read_bytes() for place in places}) == 1


@pytest.mark.parametrize("repository", ["deploy", "endpoint"])
def test_a_deploy_job_builds_one_at_a_time_and_declares_whatever_its_jenkinsfile_uses(repository, tools, tmp_path):
    script = EXAMPLES / repository / "jenkins" / "seed_job.groovy"
    (job,) = run_job_dsl(tools, script, {"GIT_URL": "https://git.example.com/fares.git", "GIT_BRANCH": "origin/main"}, tmp_path)
    parts = {part["name"]: part for part in job["children"]}
    assert "disableConcurrentBuilds" in [part["name"] for part in parts["properties"]["children"]]
    declared = {one["arguments"][0] for one in parts["parameters"]["children"]}
    used = re.findall(r"\$([A-Z_]{4,})|params\.([A-Z_]+)", (script.parent / "Jenkinsfile").read_text())
    # STAGE is the Jenkinsfile's own.
    assert {one or other for one, other in used} - declared <= {"STAGE"}
