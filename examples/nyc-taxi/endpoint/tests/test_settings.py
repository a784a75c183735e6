"""The files in `config/`: those of this repository are right, and what is wrong in them is told in a sentence."""

import json
import os
import subprocess
import sys

import pytest

from endpoint import settings
from endpoint.model_registry import Refused

RIGHT = {
    "StageName": "staging",
    "EndpointInstanceType": "ml.m5.large",
    "EndpointInstanceCount": 1,
    "EnableDataCapture": True,
    "SamplingPercentage": 100,
}


def write(folder, content, name="realtime-staging.json"):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
@pytest.mark.parametrize("stage", settings.STAGES)
def test_the_configuration_of_each_stage_is_right(endpoint_type, stage):
    assert settings.stage(endpoint_type, stage)["Parameters"]["StageName"] == stage


def test_nothing_is_pinned():
    assert settings.pinned() == (None, "")


def test_a_pinned_version_is_a_number(tmp_path):
    assert settings.pinned(write(tmp_path, {"ModelPackageVersion": 4}, "model.json")) == (4, "")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"ModelPackageVersion": "4"}, "'4': it must be a whole number"),
        ({"ModelPackageVersion": True}, "True: it must be a whole number"),
        ({"ModelPackageArn": "4"}, "must be the ARN of a model package"),
        ({"Version": 4}, "has Version"),
        ({"ModelPackageVersion": 4, "ModelPackageArn": "arn:aws:sagemaker:eu-central-1:111122223333:model-package/a/1"}, "pin one"),
        ("[]", "must hold a JSON object"),
        ("{", "model.json is no JSON"),
    ],
)
def test_a_wrong_pin_is_told_in_a_sentence(tmp_path, content, sentence):
    with pytest.raises(Refused, match=sentence):
        settings.pinned(write(tmp_path, content, "model.json"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"EndpointInstanceType": "ml.m5.lrage"}, "'ml.m5.lrage', which no endpoint takes: name one such as ml.m5"),
        ({"EndpointInstanceType": 5}, "such as ml.m5.large"),
        ({"EndpointInstanceCount": 0}, "must be a whole number from 1 to 1000"),
        ({"EndpointInstanceCount": "1"}, "must be a whole number"),
        ({"SamplingPercentage": 101}, "from 1 to 100"),
        ({"EnableDataCapture": "false"}, "must be true or false, without quotes"),
        ({"StageName": "prod"}, "it must be 'staging'"),
        ({"InstanceType": "ml.m5.large"}, "has InstanceType, which is not known"),
        ({"SamplingPercentage": None}, "SamplingPercentage is None"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(tmp_path, change, sentence):
    folder = write(tmp_path, {"Parameters": {**RIGHT, **change}})
    with pytest.raises(Refused, match=sentence):
        settings.stage("realtime", "staging", folder)


def test_a_missing_value_is_named(tmp_path):
    rest = {key: value for key, value in RIGHT.items() if key != "EndpointInstanceCount"}
    with pytest.raises(Refused, match="lacks EndpointInstanceCount"):
        settings.stage("realtime", "staging", write(tmp_path, {"Parameters": rest}))


def test_a_tag_of_aws_itself_is_refused(tmp_path):
    with pytest.raises(Refused, match="aws:team"):
        settings.stage("realtime", "staging", write(tmp_path, {"Parameters": RIGHT, "Tags": {"aws:team": "fares"}}))


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("no", False)])
def test_a_boolean_is_what_it_says(text, value):
    assert settings.boolean(text) is value


@pytest.mark.parametrize("text", ["", "off?", "falsch", "true "])
def test_what_is_no_boolean_is_refused_and_not_true(text):
    with pytest.raises(ValueError):
        settings.boolean(text)


def test_no_client_is_made_when_the_package_is_imported_and_its_configuration_does_not_depend_on_the_folder(tmp_path):
    program = (
        "import boto3.session\n"
        "def refuse(*_, **__): raise SystemExit('a client was made')\n"
        "boto3.session.Session.client = boto3.session.Session.resource = refuse\n"
        "import endpoint.build, endpoint.deploy, endpoint.trial\n"
        "print(endpoint.build.settings.stage('async', 'prod')['Parameters']['StageName'])\n"
    )
    here = os.path.dirname(os.path.dirname(settings.__file__))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("prod\n", 0), ran.stderr
