"""The Jenkins jobs of preprocess and build: their Jenkinsfiles run in a real Groovy, and each `sh` line of theirs for real.

Only AWS is played (`aws`), and what plugins of Jenkins do. What was called, in which order, stands in golden files.
"""

import json
import shutil

import generate
import numpy as np
import pytest
from aws import ACCOUNT, REGION, Aws
from conftest import EXAMPLES
from definitions import BUCKET, PIPELINE_NAMES, PROJECT, ROLE
from golden import assert_golden
from jenkins_run import run_jenkinsfile, shell_calls
from permissions import allowed, needed

PARAMETERS = {
    "ARTIFACT_BUCKET": BUCKET,
    "SAGEMAKER_PROJECT_NAME": "fares",
    "SAGEMAKER_PROJECT_ID": "p-1",
    "SAGEMAKER_PROJECT_ARN": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/fares",
    "AWS_REGION": REGION,
    "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
    "AWS_CREDENTIAL": "pipelines",
}
RAW = f"s3://{BUCKET}/{PROJECT}/raw"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """What people put into the bucket before the first build: records, and the zones' shapefile."""
    folder = tmp_path_factory.mktemp("data")
    generate.write_zones(generate.make_zones(np.random.default_rng(1)), folder / "taxi_zones.zip")
    return {f"{RAW}/green/2026-01.csv": b"records", f"{RAW}/zones/taxi_zones.zip": (folder / "taxi_zones.zip").read_bytes()}


@pytest.fixture(scope="module")
def build(tools, tmp_path_factory):
    """Runs a job's Jenkinsfile against an AWS, in one workspace per job, as on an agent: what the first build of a module
    installed is there for the next ones. The last scratch folder is `build.scratch`."""
    root, installed = tmp_path_factory.mktemp("workspaces"), set()

    def run(name, aws, **changed):
        if name not in installed:
            shutil.copytree(EXAMPLES / name, root / name)
        done = ["Install"] if name in installed else []
        installed.add(name)
        run.scratch = tmp_path_factory.mktemp("scratch")
        # One job fetches all that it needs, as each does on an agent; the others need the same and less.
        everything = name == "preprocess"
        parameters = {**PARAMETERS, **changed}
        return run_jenkinsfile(tools, root / name, parameters, aws.url, run.scratch, fetch_all=everything, done=done)

    return run


@pytest.fixture(scope="module")
def built(build):
    """The usual run of the build job: its report, the AWS that it met, and the scratch folder."""
    with Aws() as aws:
        prepared(aws)
        report = build("build", aws)
        yield report, aws, build.scratch


def prepared(aws):
    """An AWS in which the preprocess pipeline succeeded once."""
    name = PIPELINE_NAMES["preprocess"]
    aws.answer("SageMaker.CreatePipeline", {"PipelineName": name, "PipelineDefinition": '{"Steps": []}'})
    arn = aws.answer("SageMaker.StartPipelineExecution", {"PipelineName": name})["PipelineExecutionArn"]
    aws.answer("SageMaker.DescribePipelineExecution", {"PipelineExecutionArn": arn})


def told(report, aws):
    """A build as text: its stages, its scripts, and what they asked of AWS."""
    lines = [f"result: {report['result']}"]
    for call in report["calls"]:
        if call["kind"] == "stage":
            lines.append(f"stage: {call['stage']}")
        elif call["kind"] == "sh":
            lines += [f"  sh, exit code {call['status']}:"] + [f"    {line.strip()}" for line in call["script"].splitlines()]
        else:
            lines.append(f"  {call['kind']} {json.dumps(call.get('arguments', {}), sort_keys=True)}")
    lines.append("asked of AWS:")
    for call in aws.calls:
        request = dict(call["request"])
        request.pop("ClientRequestToken", None)
        if "PipelineDefinition" in request:
            request["PipelineDefinition"] = f"{len(json.loads(request['PipelineDefinition'])['Steps'])} steps"
        if "/code/" in request.get("path", ""):
            head, _, rest = request["path"].partition("/code/")
            request = {"path": f"{head}/code/CONTENT/{rest.split('/')[1]}"}
        lines.append(f"  {call['who']}: {call['operation']} {json.dumps(request, sort_keys=True)}")
    return "\n".join(lines) + "\n"


def test_preprocess_prepares_the_zones_and_runs_its_pipeline_to_the_end(build, data):
    with Aws() as aws:
        aws.objects |= data
        report = build("preprocess", aws)
    assert aws.unexpected == []
    assert report["result"] == "SUCCESS", report["log"]
    assert aws.objects[f"s3://{BUCKET}/{PROJECT}/zones/zones.csv"].startswith(b"LocationID,latitude,longitude\n1,")
    assert needed(aws.calls) - allowed("Pipelines") == set()
    assert_golden("preprocess-job.txt", told(report, aws))


def test_build_trains_on_the_newest_data_and_runs_its_pipeline_to_the_end(built):
    report, aws, _ = built
    assert aws.unexpected == []
    assert report["result"] == "SUCCESS", report["log"]
    assert needed(aws.calls) - allowed("Pipelines") == set()
    assert_golden("build-job.txt", told(report, aws))


def test_the_outcome_is_the_only_thing_on_the_command_s_standard_output(built):
    outcome = json.loads([call for call in built[0]["calls"] if call["kind"] == "sh"][-1]["output"])
    assert outcome["status"] == "Succeeded"
    assert outcome["pipeline"] == PIPELINE_NAMES["build"]


def test_a_job_installs_into_its_own_workspace_and_nowhere_else(built):
    report, _, scratch = built
    for script in shell_calls(report):
        assert "--target" not in script and "$HOME" not in script
    assert list((scratch / "home").rglob("site-packages")) == []


@pytest.mark.parametrize(
    "name, stages, said",
    [
        ("preprocess", ["Install", "Prepare zones", "Run pipeline"], f"put TLC's taxi_zones.zip at {RAW}/zones/taxi_zones.zip"),
        ("build", ["Install", "Run pipeline"], "build the Jenkins job sagemaker-fares-p-1-preprocess, then this one again"),
    ],
)
def test_a_first_build_without_data_is_not_built_and_not_a_failure(build, name, stages, said):
    with Aws() as aws:
        report = build(name, aws)
    assert (report["result"], report["description"]) == ("NOT_BUILT", "Not yet: the log says what is waited for")
    assert [call["stage"] for call in report["calls"] if call["kind"] == "stage"] == stages
    assert said in report["log"]
    assert aws.executions == []


def test_records_that_are_missing_are_waited_for_too(build, data):
    with Aws() as aws:
        aws.objects |= {uri: content for uri, content in data.items() if "/green/" not in uri}
        report = build("preprocess", aws)
    assert report["result"] == "NOT_BUILT"
    assert f"below {RAW}/green/" in report["log"]
    assert list(aws.pipelines) == [PIPELINE_NAMES["preprocess"]]


def test_a_shapefile_that_is_none_fails_the_build_before_the_pipeline(build, data):
    with Aws() as aws:
        aws.objects |= {**data, f"{RAW}/zones/taxi_zones.zip": b"no archive"}
        report = build("preprocess", aws)
    assert report["result"] == "FAILURE"
    assert "it is no zip archive" in report["log"]
    assert aws.pipelines == {}


def test_an_execution_that_was_stopped_fails_the_build(build):
    with Aws() as aws:
        prepared(aws)
        first = aws.answer("SageMaker.ListPipelineExecutions", {"PipelineName": PIPELINE_NAMES["preprocess"]})
        aws.answers["SageMaker.ListPipelineExecutions"] = lambda request: first
        aws.outcome = "Stopped"
        report = build("build", aws)
    assert report["result"] == "FAILURE"
    assert "was stopped" in report["log"]


def test_the_next_build_updates_the_pipeline_and_without_a_credential_the_agent_s_own_role_is_used(build, built):
    report, aws, _ = built
    assert {call["who"] for call in aws.calls} == {"pipelines"}
    assert [call["arguments"]["credentials"] for call in report["calls"] if call["kind"] == "withCredentials"] == [["pipelines"]]
    with Aws() as again:
        again.pipelines, again.executions = dict(aws.pipelines), list(aws.executions)
        report = build("build", again, AWS_CREDENTIAL="")
    assert report["result"] == "SUCCESS", report["log"]
    assert {call["who"] for call in again.calls} == {"agent"}
    assert [call for call in report["calls"] if call["kind"] == "withCredentials"] == []
    assert "SageMaker.UpdatePipeline" in again.operations()
    tags = {tag["Key"]: tag["Value"] for tag in again.pipelines[PIPELINE_NAMES["build"]]["tags"]}
    assert tags == {"sagemaker:project-name": "fares", "sagemaker:project-id": "p-1"}


def test_a_parameter_s_value_never_becomes_part_of_a_script(build, tmp_path):
    evil = f'fares"; touch {tmp_path}/pwned; echo "$(touch {tmp_path}/pwned)`touch {tmp_path}/pwned`'
    with Aws() as aws:
        build("build", aws, SAGEMAKER_PROJECT_NAME=evil)
    assert not (tmp_path / "pwned").exists()
