"""The pipeline definitions of the repositories: built offline, and held against SageMaker's own API model."""

import json
import re

import botocore.session
import pytest
from botocore.validate import ParamValidator
from conftest import EXAMPLES, PIPELINE_REPOSITORIES
from definitions import MODULES, PIPELINE_NAMES, command, definition, steps_of
from golden import assert_golden

# What a step of each type calls, and what its properties are the answer of.
CREATES = {
    "Processing": ("CreateProcessingJob", "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", "DescribeTrainingJob"),
    "Transform": ("CreateTransformJob", "DescribeTransformJob"),
    "Model": ("CreateModel", "DescribeModel"),
    "RegisterModel": ("CreateModelPackage", "DescribeModelPackage"),
}
# SageMaker chooses these for each execution.
CHOSEN = {"ProcessingJobName", "TrainingJobName", "TransformJobName", "ModelName"}
EXECUTION = {"PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime", "CurrentDateTime"}
SAGEMAKER = botocore.session.get_session().get_service_model("sagemaker")


def gets(value):
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "Get":
                yield one
            else:
                yield from gets(one)
    elif isinstance(value, list):
        for one in value:
            yield from gets(one)


def resolves(path, parameters, steps):
    kind, name, *rest = path.split(".")
    if kind == "Parameters":
        return name in parameters and not rest
    if kind == "Execution":
        return name in EXECUTION and not rest
    if kind != "Steps" or name not in steps:
        return False
    if rest[0] == "PropertyFiles":
        return rest[1] in {one["PropertyFileName"] for one in steps[name].get("PropertyFiles", [])}
    shape = SAGEMAKER.operation_model(CREATES[steps[name]["Type"]][1]).output_shape
    for part in rest:
        if part not in getattr(shape, "members", {}):
            return False
        shape = shape.members[part]
    return True


def with_values(value, shape):
    """The arguments with a value in the place of each `Get`, of the type that the API wants there."""
    kind = shape.type_name if shape is not None else "string"
    if isinstance(value, dict) and set(value) & {"Get", "Std:Join", "Std:JsonGet"}:
        return {"integer": 1, "long": 1, "float": 1.0, "boolean": True}.get(kind, "value")
    if isinstance(value, dict):
        inner = (lambda name: shape.members.get(name)) if kind == "structure" else (lambda _: getattr(shape, "value", None))
        return {name: with_values(one, inner(name)) for name, one in value.items()}
    if isinstance(value, list):
        return [with_values(one, getattr(shape, "member", None)) for one in value]
    return value


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_a_definition_has_the_version_that_sagemaker_knows(definitions, name):
    assert definitions[name]["Version"] == "2020-12-01"


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_the_names_of_steps_and_parameters_are_unique(definitions, name, tell):
    steps = [step["Name"] for step in steps_of(definitions[name]["Steps"])]
    parameters = [one["Name"] for one in definitions[name]["Parameters"]]
    assert len(set(steps)) == len(steps) > 0
    assert len(set(parameters)) == len(parameters)
    tell(f"pipeline   {name:11} {PIPELINE_NAMES[name]}: {', '.join(steps)}")


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_whatever_a_step_refers_to_exists(definitions, name):
    found = definitions[name]
    steps = {step["Name"]: step for step in steps_of(found["Steps"])}
    parameters = {one["Name"] for one in found["Parameters"]}
    referred = list(gets(found["Steps"]))
    assert referred
    assert [path for path in referred if not resolves(path, parameters, steps)] == []


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_every_parameter_is_used(definitions, name):
    used = set(gets(definitions[name]["Steps"]))
    unused = {one["Name"] for one in definitions[name]["Parameters"] if f"Parameters.{one['Name']}" not in used}
    assert unused <= ({"ModelPackageArn"} if name == "deploy" else set())


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_the_arguments_of_every_step_are_those_of_the_api_that_it_calls(definitions, name):
    wrong = []
    for step in steps_of(definitions[name]["Steps"]):
        if step["Type"] in CREATES:
            shape = SAGEMAKER.operation_model(CREATES[step["Type"]][0]).input_shape
            chosen = {one: "chosen-by-sagemaker" for one in CHOSEN & set(shape.members)}
            report = ParamValidator().validate({**chosen, **with_values(step["Arguments"], shape)}, shape)
            wrong += [f"{step['Name']}: {report.generate_report()}"] if report.has_errors() else []
    assert wrong == []


def test_each_repository_has_a_pipeline_of_its_own(definitions):
    assert len({PIPELINE_NAMES[name] for name in definitions}) == len(definitions)


# That of the deploy repository is read in test_deploy.py.
@pytest.mark.parametrize("name", ["preprocess", "build"])
def test_a_definition_is_what_was_read_before(definitions, name):
    # The place of a script tells its content; both change together.
    masked = re.sub(r"/code/[0-9a-f]{16}/", "/code/CONTENT/", json.dumps(definitions[name], indent=2, sort_keys=True))
    assert_golden(f"{name}-pipeline.json", masked + "\n")


def test_a_definition_is_the_same_each_time(definitions, tools):
    assert definition(tools, EXAMPLES / "build") == definitions["build"]


@pytest.mark.parametrize("name", PIPELINE_REPOSITORIES)
def test_a_wrong_argument_is_named_and_standard_output_stays_empty(tools, name):
    ended = command(
        tools, EXAMPLES / name, "pipelines.get_pipeline_definition", "--module-name", MODULES[name], "--kwarg", "colour=red"
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--kwargs does not fit" in ended.stderr and "Traceback" not in ended.stderr
