"""`run-pipeline` and `get-pipeline-definition` against a pipeline and an AWS that this file plays."""

import json
import logging
import sys
import types

import pytest
from botocore.exceptions import ClientError

from pipelines import _utils, get_pipeline_definition, run_pipeline
from pipelines._utils import NotYet

ROLE = "arn:aws:iam::111122223333:role/pipelines"
ARN = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/fares-p-1-train/execution/abc123"


class Aws:
    """Answers the calls of `run-pipeline`: the states that an execution goes through, one per look."""

    def __init__(self, *states, reason=None, steps=()):
        self.states, self.reason, self.step_list, self.uploads, self.looks = list(states), reason, list(steps), [], 0

    def client(self, service):
        assert service in ("sagemaker", "s3")
        return self

    def describe_pipeline_execution(self, PipelineExecutionArn):
        assert PipelineExecutionArn == ARN
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        return {"PipelineExecutionStatus": state, **({"FailureReason": self.reason} if self.reason else {})}

    def get_paginator(self, operation):
        assert operation == "list_pipeline_execution_steps"
        pages = [{"PipelineExecutionSteps": [step]} for step in self.step_list] or [{"PipelineExecutionSteps": []}]
        return types.SimpleNamespace(paginate=lambda **_: pages)

    def upload_file(self, path, bucket, key):
        self.uploads.append((path, bucket, key))


class Pipeline:
    """Stands for the SDK's pipeline: remembers what it was told."""

    name = "fares-p-1-train"

    def __init__(self, aws):
        self.sagemaker_session = types.SimpleNamespace(boto_session=aws)
        self.upserted, self.started = [], []

    def upsert(self, **arguments):
        logging.getLogger("sagemaker").warning("the SDK says something")
        print("the SDK prints something")
        self.upserted.append(arguments)

    def start(self, parameters=None):
        self.started.append(parameters)
        return types.SimpleNamespace(arn=ARN)

    def definition(self):
        print("the SDK prints something")
        return json.dumps({"Version": "2020-12-01", "Steps": []})


@pytest.fixture
def played(monkeypatch):
    """Makes a pipeline module `played` around an AWS; returns the function that does so."""

    def make(aws, **functions):
        module, pipeline = types.ModuleType("played"), Pipeline(aws)
        module.get_pipeline = functions.pop("get_pipeline", lambda region: pipeline)
        for name, function in functions.items():
            setattr(module, name, function)
        monkeypatch.setitem(sys.modules, "played", module)
        return pipeline

    return make


def run(*more, waits=None):
    waited = waits if waits is not None else []
    arguments = ["--module-name", "played", "--role-arn", ROLE, "--kwargs", '{"region": "eu-central-1"}', *more]
    return run_pipeline.main(arguments, sleep=waited.append)


def test_standard_output_is_one_json_object_whatever_the_sdk_prints(played, capfd):
    played(Aws("Succeeded", steps=[{"StepName": "Train", "StepStatus": "Succeeded"}]))
    assert run() == 0
    outcome = json.loads(capfd.readouterr().out)
    assert outcome == {
        "pipeline": "fares-p-1-train",
        "execution": ARN,
        "status": "Succeeded",
        "steps": [{"name": "Train", "status": "Succeeded"}],
    }


def test_an_error_that_nobody_expected_is_not_written_to_standard_output_either(played):
    def broken(region):
        sys.excepthook = lambda *_: print("written where the result belongs")
        raise RuntimeError("nobody expected this")

    played(Aws(), get_pipeline=broken)
    before = sys.excepthook
    with pytest.raises(RuntimeError):
        run()
    assert sys.excepthook is before


def test_the_tags_of_the_project_reach_the_pipeline(played):
    pipeline = played(Aws("Succeeded"))
    tags = [{"Key": "sagemaker:project-name", "Value": "fares"}, {"Key": "sagemaker:project-id", "Value": "p-1"}]
    assert run("--tags", json.dumps(tags)) == 0
    assert run("--tag", "sagemaker:project-name=fares", "--tag", "sagemaker:project-id=p-1") == 0
    assert pipeline.upserted == [{"role_arn": ROLE, "description": None, "tags": tags}] * 2


def test_it_waits_longer_than_half_an_hour(played):
    waits = []
    played(Aws(*["Executing"] * 500, "Succeeded"))
    assert run(waits=waits) == 0
    assert sum(waits) == 500 * 30


def test_it_stops_waiting_when_its_own_limit_has_passed(played, capfd):
    played(Aws("Executing"))
    assert run("--timeout-minutes", "0") == 1
    assert "is still Executing; it goes on" in capfd.readouterr().err


@pytest.mark.parametrize("status, said", [("Failed", "failed: no capacity"), ("Stopped", "was stopped: no capacity")])
def test_an_execution_that_failed_or_was_stopped_fails_the_job_with_the_reason(played, capfd, status, said):
    played(Aws("Executing", "Stopping", status, reason="no capacity"))
    assert run() == 1
    assert said in capfd.readouterr().err


def test_the_reason_of_a_failed_step_is_told(played, capfd):
    step = {"StepName": "Evaluate", "StepStatus": "Failed", "FailureReason": "the test set is empty"}
    played(Aws("Failed", steps=[{"StepName": "Train", "StepStatus": "Succeeded"}, step]))
    assert run() == 1
    captured = capfd.readouterr()
    assert "step Evaluate: the test set is empty" in captured.err
    assert [told["name"] for told in json.loads(captured.out)["steps"]] == ["Train", "Evaluate"]


def test_not_yet_is_no_failure_and_starts_nothing_but_keeps_the_pipeline_up_to_date(played, capfd):
    def missing(boto_session, parameters, region):
        raise NotYet("no data yet: run the preprocess job first")

    pipeline = played(Aws("Succeeded"), get_start_parameters=missing)
    assert run() == 3
    assert (len(pipeline.upserted), pipeline.started) == (1, [])
    assert json.loads(capfd.readouterr().out) == {"status": "NotYet", "reason": "no data yet: run the preprocess job first"}


def test_parameters_that_are_looked_up_are_passed_on_and_those_of_the_caller_win(played):
    def found(boto_session, parameters, region):
        assert parameters == {"Run": "mine", "Limit": "8.5"}
        return {"Run": "newest", "Count": "1"}

    pipeline = played(Aws("Succeeded"), get_start_parameters=found)
    assert run("--parameters", '{"Run": "mine", "Limit": 8.5}') == 0
    assert pipeline.started == [{"Run": "mine", "Count": "1", "Limit": "8.5"}]


def test_the_code_of_the_steps_is_uploaded_before_the_pipeline_names_it(played, tmp_path):
    script = tmp_path / "evaluate.py"
    script.write_text("print()")
    aws = Aws("Succeeded")
    played(aws, get_code=lambda region: {"s3://bucket/fares/code/1/evaluate.py": script})
    assert run() == 0
    assert aws.uploads == [(str(script), "bucket", "fares/code/1/evaluate.py")]


def test_code_moves_when_and_only_when_its_content_changes(tmp_path):
    script = tmp_path / "evaluate.py"
    script.write_text("print(1)")
    first = _utils.code_uri(script, "bucket", "fares")
    assert _utils.code_uri(script, "bucket", "fares") == first
    script.write_text("print(2)")
    assert _utils.code_uri(script, "bucket", "fares") != first


def test_what_aws_refuses_is_told_in_aws_own_words(played, capfd):
    def refused(region):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "you may not"}}, "CreatePipeline")

    played(Aws(), get_pipeline=refused)
    assert run() == 1
    assert "you may not" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--kwargs", "{'region': True}"], "--kwargs must be JSON"),
        (["--kwargs", "[]"], "--kwargs must be a JSON object"),
        (["--kwargs", "{}"], "missing a required argument: 'region'"),
        (["--kwargs", '{"region": "x", "colour": "red"}'], "unexpected keyword argument 'colour'"),
        (["--kwarg", "region"], "--kwarg must be NAME=TEXT, but is 'region'"),
        (["--tags", '{"Key": "a"}'], "--tags must be a JSON list"),
        (["--tag", "=fares"], "--tag must be NAME=TEXT, but is '=fares'"),
        (["--module-name", "pipelines.absent.pipeline"], "there is no module 'pipelines.absent.pipeline'"),
        (["--module-name", "json"], "json has no function get_pipeline"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(played, capfd, arguments, said):
    played(Aws("Succeeded"))
    assert run(*arguments) == 2
    assert said in capfd.readouterr().err


def test_kwargs_are_json_so_that_true_is_true(played):
    seen = []
    aws = Aws("Succeeded")
    played(aws, get_pipeline=lambda region, flag: seen.append(flag) or Pipeline(aws))
    assert run("--kwargs", '{"region": "eu-central-1", "flag": true}') == 0
    assert seen == [True]


def test_an_argument_may_be_given_by_name_and_hold_any_text(played):
    seen = []
    aws = Aws("Succeeded")
    played(aws, get_pipeline=lambda region: seen.append(region) or Pipeline(aws))
    assert run("--kwarg", 'region=a "quoted" = text') == 0
    assert seen == ['a "quoted" = text']


def test_a_module_missing_inside_a_pipeline_keeps_its_own_error(monkeypatch, tmp_path):
    (tmp_path / "broken_pipeline.py").write_text("import a_package_that_is_not_there")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        _utils.load_pipeline_module("broken_pipeline")


def test_a_definition_goes_to_standard_output_and_nothing_else_does(played, capfd):
    played(Aws())
    assert get_pipeline_definition.main(["-n", "played", "--kwargs", '{"region": "eu-central-1"}']) == 0
    assert json.loads(capfd.readouterr().out)["Version"] == "2020-12-01"


def test_a_definition_goes_to_a_file_where_one_is_named(played, capfd, tmp_path):
    played(Aws())
    target = tmp_path / "definition.json"
    assert get_pipeline_definition.main(["-n", "played", "-f", str(target), "--kwargs", '{"region": "eu-central-1"}']) == 0
    assert json.loads(target.read_text())["Steps"] == []
    assert capfd.readouterr().out == ""
