"""The CloudFormation templates: names that fit, nothing of one account or region, and a way back from a bad update."""

import re
from importlib import resources

import pytest
import yaml

from endpoint import settings
from endpoint.build import stage_export
from endpoint.deploy import stack_name


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's tags as the functions that they stand for."""


def _function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix: value}


Loader.add_multi_constructor("!", _function)


def text(endpoint_type):
    return (resources.files("endpoint") / "templates" / f"{endpoint_type}-endpoint.yaml").read_text(encoding="utf-8")


def template(endpoint_type):
    return yaml.load(text(endpoint_type), Loader)  # noqa: S506 (a safe loader's subclass)


def endpoint_name(endpoint_type, project_name, project_id, stage):
    content = template(endpoint_type)
    name = content["Resources"]["Endpoint"]["Properties"]["EndpointName"]["Sub"]
    suffix = content.get("Mappings", {}).get("Stage", {}).get(stage, {}).get("Suffix", "")
    values = {"SageMakerProjectName": project_name, "SageMakerProjectId": project_id, "StageName": stage, "Suffix": suffix}
    return re.sub(r"\$\{(\w+)}", lambda found: values[found[1]], name if isinstance(name, str) else name[0])


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
@pytest.mark.parametrize("stage", settings.STAGES)
def test_no_name_overflows_with_the_longest_project_name_and_id(endpoint_type, stage):
    longest = "n" * 32, "i" * 20
    assert len(endpoint_name(endpoint_type, *longest, stage)) <= 63
    assert len(stack_name(*longest, endpoint_type, stage)) <= 128


def test_endpoints_of_one_project_have_names_of_their_own():
    names = {endpoint_name(kind, "fares", "p-1", stage) for kind in settings.TYPES for stage in settings.STAGES}
    assert len(names) == 4


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
def test_no_region_account_or_partition_is_written_down(endpoint_type):
    assert not re.search(r"\b\d{12}\b|\b[a-z]{2}-[a-z]+-\d\b|arn:aws[:-]", text(endpoint_type))


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
def test_an_update_is_rolled_back_by_alarms_on_the_endpoint_itself(endpoint_type):
    content = template(endpoint_type)["Resources"]
    endpoint = content["Endpoint"]["Properties"]
    alarms = [alarm["AlarmName"]["Ref"] for alarm in endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]]
    assert alarms
    for alarm in alarms:
        dimensions = {one["Name"]: one["Value"] for one in content[alarm]["Properties"]["Dimensions"]}
        assert dimensions == {"EndpointName": endpoint["EndpointName"], "VariantName": "AllTraffic"}


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
@pytest.mark.parametrize("stage", settings.STAGES)
def test_what_build_endpoint_exports_is_what_the_template_takes(endpoint_type, stage):
    class Arguments:
        project_name, project_id, artifact_bucket = "fares", "p-1", "artifacts"
        model_execution_role = "arn:aws:iam::111122223333:role/models"

    package = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/fares-p-1/7"
    given = stage_export(endpoint_type, stage, Arguments, package, {})["Parameters"]
    parameters = template(endpoint_type)["Parameters"]
    assert set(given) <= set(parameters)
    assert {name for name, one in parameters.items() if "Default" not in one} <= set(given)
    for name, value in given.items():
        allowed = parameters[name].get("AllowedValues")
        assert allowed is None or value in allowed
        assert re.search(parameters[name].get("AllowedPattern", ""), value), name


@pytest.mark.parametrize("endpoint_type", settings.TYPES)
def test_what_is_replaced_has_no_fixed_name(endpoint_type):
    content = template(endpoint_type)["Resources"]
    assert "ModelName" not in content["Model"]["Properties"]
    assert "EndpointConfigName" not in content["EndpointConfig"]["Properties"]
