"""The endpoint repository as Jenkins runs it: from the model registry to production, with a person's consent between.

Its Jenkinsfile runs in a real Groovy and its `sh` lines run for real, with what they install. Only AWS and Jenkins' own
steps are played: AWS has the stacks, the model registry, and endpoints that answer with a real XGBoost model.
"""

import json
import shutil
from pathlib import Path

import pytest
from aws import ACCOUNT, REGION, Aws
from conftest import EXAMPLES
from golden import assert_golden
from jenkins_run import run_jenkinsfile
from permissions import allowed, needed
from stacks import Stacks, model_package, teach_registry

PROJECT_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/fares"
PARAMS = {
    "ARTIFACT_BUCKET": "artifacts",
    "SAGEMAKER_PROJECT_NAME": "fares",
    "SAGEMAKER_PROJECT_ID": "p-1",
    "SAGEMAKER_PROJECT_ARN": PROJECT_ARN,
    "AWS_REGION": REGION,
    "SAGEMAKER_PIPELINE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/pipelines",
    "AWS_CREDENTIAL": "aws-pipelines",
    "MODEL_PACKAGE_ARN": "",
    "EVENT_ID": "",
    "SOURCE_MODEL_PACKAGE_GROUP_NAME": "fares-p-1",
    "MODEL_EXECUTION_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/models",
    "ENDPOINT_TYPE": "realtime",
}
APPROVED = [model_package("fares-p-1", 6), model_package("fares-p-1", 7), model_package("fares-p-1", 8, "Rejected")]


class World(Aws):
    """AWS with a registry of models, stacks, and endpoints that `predict` answers for."""

    def __init__(self, packages, predict):
        super().__init__()
        self.cloudformation = Stacks(self)
        self.predict = predict
        teach_registry(self, packages)
        tags = [{"Key": "team", "Value": "fares"}]
        self.answers |= {
            "SageMaker.ListTags": lambda request: {"Tags": tags if request["ResourceArn"] == PROJECT_ARN else []},
            "Runtime.InvokeEndpoint": lambda request: {"body": predict(request["body"])},
            "Runtime.InvokeEndpointAsync": self._later,
        }

    def _later(self, request):
        uri = f"s3://artifacts/fares-p-1/async-output/{request['EndpointName']}.out"
        self.objects[uri] = self.predict(self.objects[request["input"]].decode()).encode()
        failure = uri.replace("async-output", "async-failure")
        return {"X-Amzn-SageMaker-OutputLocation": uri, "X-Amzn-SageMaker-FailureLocation": failure}


@pytest.fixture(scope="module")
def build(tools, tmp_path_factory, predict):
    """Runs the Jenkinsfile of a fresh checkout and hands back the report and the AWS that it met."""

    def run(params=None, packages=APPROVED, predict=predict, **answers):
        scratch = tmp_path_factory.mktemp("jenkins")
        checkout = Path(shutil.copytree(EXAMPLES / "endpoint", scratch / "endpoint"))
        with World(packages, predict) as aws:
            report = run_jenkinsfile(tools, checkout, {**PARAMS, **(params or {})}, aws.url, scratch, **answers)
        assert aws.unexpected == []
        return report, aws

    return run


@pytest.fixture(scope="module")
def usual(build):
    """The usual build: some models are approved, the newest one was rejected, and a person consents."""
    return build()


@pytest.fixture(scope="module")
def asynchronous(build):
    """A build for an asynchronous endpoint, without a credential of the job."""
    return build({"ENDPOINT_TYPE": "async", "AWS_CREDENTIAL": ""})


def stages(report):
    return [call["stage"] for call in report["calls"] if call["kind"] == "stage"]


def kinds(report, kind):
    return [call for call in report["calls"] if call["kind"] == kind]


def told(report, aws):
    """What happened, for a golden file: Jenkins' calls in order, then AWS's with the key that was used."""
    lines = []
    for call in report["calls"]:
        text = call.get("script") or json.dumps(call.get("arguments", call["stage"]))
        lines.append(f"{call['kind']}: {' '.join(text.split())}")
    lines += ["", *(f"{call['operation']} as {call['who']}" for call in aws.calls)]
    for name, stack in aws.cloudformation.stacks.items():
        lines += ["", name, json.dumps({key: stack[key] for key in ("parameters", "tags", "outputs")}, indent=1, sort_keys=True)]
    return "\n".join(lines) + "\n"


def test_an_approved_model_goes_through_staging_and_consent_into_production(usual):
    report, aws = usual
    assert report["result"] == "SUCCESS", report["log"]
    served = [stack["outputs"]["ModelPackageName"] for stack in aws.cloudformation.stacks.values()]
    assert served == [APPROVED[1]["ModelPackageArn"]] * 2
    assert {call["who"] for call in aws.calls} == {"aws-pipelines"}
    assert_golden("endpoint-realtime.txt", told(report, aws))


def test_no_executor_is_held_while_a_person_is_asked(usual):
    assert [call["executor"] for call in kinds(usual[0], "input")] == [False]


def test_nothing_goes_into_production_without_consent(build):
    report, aws = build(input="reject")
    assert report["result"] == "ABORTED"
    assert list(aws.cloudformation.stacks) == ["sagemaker-fares-p-1-deploy-staging"]
    assert "Production" not in stages(report)


def test_without_an_approved_model_the_build_is_not_built_and_nobody_is_asked(build):
    report, aws = build(packages=[model_package("fares-p-1", 1, "PendingManualApproval")])
    assert (report["result"], report["description"]) == ("NOT_BUILT", "no approved model yet")
    assert (aws.cloudformation.stacks, kinds(report, "input")) == ({}, [])


def test_an_implausible_prediction_fails_the_build_before_anybody_is_asked(build):
    report, aws = build(predict=lambda rows: "9000\n" * len(rows.split()))
    assert (report["result"], kinds(report, "input")) == ("FAILURE", [])
    assert list(aws.cloudformation.stacks) == ["sagemaker-fares-p-1-deploy-staging"]


def test_an_asynchronous_endpoint_is_tested_through_s3_and_leaves_no_request_there(asynchronous):
    report, aws = asynchronous
    assert report["result"] == "SUCCESS", report["log"]
    assert [uri for uri in aws.objects if "/async-input/" in uri] == []
    # Without a credential of the job, the agent's own is used.
    assert {call["who"] for call in aws.calls} == {"agent"}
    assert_golden("endpoint-async.txt", told(report, aws))


def test_the_jenkins_identity_may_do_all_that_the_job_asks_of_aws(usual, asynchronous):
    asked = needed(usual[1].calls + asynchronous[1].calls)
    assert asked - allowed("Pipelines", "Endpoints") == set()


def test_no_quote_in_a_parameter_becomes_a_part_of_a_script(build, tmp_path):
    report, aws = build({"MODEL_PACKAGE_ARN": f'"; touch {tmp_path}/harmed; "'})
    assert (report["result"], aws.calls, (tmp_path / "harmed").exists()) == ("FAILURE", [], False)
    assert "no ARN of a model package" in report["log"]


def test_the_model_that_the_trigger_names_is_deployed(build):
    report, aws = build({"MODEL_PACKAGE_ARN": APPROVED[0]["ModelPackageArn"]}, input="reject")
    (staging,) = aws.cloudformation.stacks.values()
    assert staging["outputs"]["ModelPackageName"] == APPROVED[0]["ModelPackageArn"]
