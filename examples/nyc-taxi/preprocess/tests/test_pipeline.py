"""The definition of the preprocess pipeline, built without AWS, and what it looks for before it starts."""

import json

import pytest

from pipelines._utils import NotYet
from pipelines.preprocess import pipeline

ARGUMENTS = {
    "region": "eu-central-1",
    "role": "arn:aws:iam::111122223333:role/pipelines",
    "default_bucket": "fares-bucket",
    "pipeline_name": "fares-p-1-preprocess",
    "base_job_prefix": "fares-p-1",
}


class Bucket:
    """Answers how many objects lie below a prefix."""

    def __init__(self, *keys):
        self.keys = keys

    def client(self, service):
        assert service == "s3"
        return self

    def list_objects_v2(self, Bucket, Prefix, MaxKeys):
        assert (Bucket, MaxKeys) == ("fares-bucket", 1)
        return {"KeyCount": min(MaxKeys, sum(key.startswith(Prefix) for key in self.keys))}


@pytest.fixture(scope="module")
def definition():
    return json.loads(pipeline.get_pipeline(**ARGUMENTS).definition())


def test_the_sets_of_two_executions_never_lie_in_one_place(definition):
    (step,) = definition["Steps"]
    for output in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]:
        place = output["S3Output"]["S3Uri"]["Std:Join"]["Values"]
        assert {"Get": "Execution.PipelineExecutionId"} in place
        assert place[-1] == output["OutputName"]


def test_the_step_runs_in_a_fixed_image_with_code_whose_place_tells_its_content(definition):
    (step,) = definition["Steps"]
    assert step["Arguments"]["AppSpecification"]["ImageUri"].endswith("/sagemaker-scikit-learn:1.4-2-cpu-py3")
    code = [one["S3Input"]["S3Uri"] for one in step["Arguments"]["ProcessingInputs"] if one["InputName"] == "code"]
    assert code == list(pipeline.get_code(**ARGUMENTS))


def test_it_builds_without_a_region_in_the_environment_and_without_credentials(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    assert json.loads(pipeline.get_pipeline(**ARGUMENTS).definition())["Version"] == "2020-12-01"


@pytest.mark.parametrize(
    "keys, said",
    [
        ([], "below s3://fares-bucket/fares-p-1/raw/green/"),
        (["fares-p-1/zones/zones.csv"], "below s3://fares-bucket/fares-p-1/raw/green/"),
        (["fares-p-1/raw/green/2026-01.parquet"], "below s3://fares-bucket/fares-p-1/zones/"),
    ],
)
def test_without_data_it_is_not_started_yet_and_says_where_to_put_them(keys, said):
    with pytest.raises(NotYet, match=said):
        pipeline.get_start_parameters(boto_session=Bucket(*keys), parameters={}, **ARGUMENTS)


def test_with_data_it_starts():
    bucket = Bucket("fares-p-1/raw/green/2026-01.parquet", "fares-p-1/zones/zones.csv")
    assert pipeline.get_start_parameters(boto_session=bucket, parameters={}, **ARGUMENTS) == {}


def test_data_that_the_caller_names_are_not_looked_for_elsewhere():
    bucket = Bucket("fares-p-1/zones/zones.csv")
    mine = {"InputDataUrl": "s3://elsewhere/green/"}
    assert pipeline.get_start_parameters(boto_session=bucket, parameters=mine, **ARGUMENTS) == {}
