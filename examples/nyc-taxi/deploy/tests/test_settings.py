"""`batch-config.json`: this repository's is right, and what is wrong in one is told in a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.deploy import settings
from pipelines.deploy.model_registry import Refused

RIGHT = {"instance_type": "ml.m5.xlarge", "instance_count": 2}
ARN = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/fares-p-1/4"


def written(folder, content):
    file = folder / "batch-config.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_the_configuration_of_this_repository_is_right_and_pins_no_model():
    found = settings.read()
    assert (found.model_package_version, found.model_package_arn) == (None, None)


@pytest.mark.parametrize("pin", [{"model_package_version": 4}, {"model_package_arn": ARN}])
def test_a_model_is_pinned_by_its_number_or_by_its_arn(tmp_path, pin):
    (name, value), = pin.items()
    assert getattr(settings.read(written(tmp_path, {**RIGHT, **pin})), name) == value


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"instance_type": "ml.t2.medium"}, "'ml.t2.medium', which cannot transform: name one such as ml.m5.xlarge"),
        ({"instance_type": None}, "None, which cannot transform"),
        ({"instance_count": 0}, "instance_count is 0: it must be a whole number from 1 to 100"),
        ({"instance_count": True}, "instance_count is True"),
        ({"max_payload_megabytes": 101}, "max_payload_megabytes is 101"),
        ({"model_package_version": "4"}, "'4': it must be a whole number from 1 to 2147483647, or null"),
        ({"model_package_arn": "fares/4"}, "must be the ARN of a model package, or null"),
        ({"model_package_version": 4, "model_package_arn": ARN}, "pin one of them"),
        ({"model_monitor_enabled": True}, "no keys but"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(tmp_path, change, sentence):
    with pytest.raises(Refused, match=sentence):
        settings.read(written(tmp_path, {**RIGHT, **change}))


@pytest.mark.parametrize(("content", "sentence"), [("{", "is no JSON"), ("[]", "must be an object"), ("{}", "lacks instance_count")])
def test_a_file_that_is_no_configuration_is_told_in_a_sentence(tmp_path, content, sentence):
    with pytest.raises(Refused, match=sentence):
        settings.read(written(tmp_path, content))


def test_no_client_is_made_when_the_package_is_imported_and_its_configuration_does_not_depend_on_the_folder(tmp_path):
    program = (
        "import boto3.session\n"
        "def refuse(*_, **__): raise SystemExit('a client was made')\n"
        "boto3.session.Session.client = boto3.session.Session.resource = refuse\n"
        "import pipelines.deploy.pipeline\n"
        "print(pipelines.deploy.settings.read().instance_type)\n"
    )
    here = Path(settings.__file__).parents[2]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.returncode) == ("ml.m5.xlarge\n", 0), ran.stderr
