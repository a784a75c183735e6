"""The Job DSL scripts declare the jobs that the operator registers, with the same parameters."""

import re
from pathlib import Path

import pytest
from conftest import EXAMPLES
from jenkins_run import run_job_dsl

OPERATOR = Path(__file__).parents[3] / "src" / "resources" / "jenkins_jobs" / "job.rs"
SEEDED = sorted(path.parts[-3] for path in EXAMPLES.glob("*/jenkins/seed_job.groovy"))
SUFFIXES = {"preprocess": "preprocess", "build": "modelbuild", "deploy": "modeldeploy", "endpoint": "modeldeploy-endpoint"}
VARIABLES = {"GIT_URL": "https://github.com/example/fares.git", "GIT_BRANCH": "origin/release/2"}
FILLED = {
    "SAGEMAKER_PROJECT_NAME": "fares",
    "SAGEMAKER_PROJECT_ID": "p-1",
    "SAGEMAKER_PROJECT_ARN": "arn:aws:sagemaker:eu-central-1:111122223333:project/fares",
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipelines",
    "AWS_REGION": "eu-central-1",
    "ARTIFACT_BUCKET": "fares-bucket",
    "MODEL_EXECUTION_ROLE_ARN": "arn:aws:iam::111122223333:role/models",
    "SOURCE_MODEL_PACKAGE_GROUP_NAME": "fares-p-1",
}


@pytest.fixture
def declared(tools, tmp_path):
    """The one job that a repository's script declares once the check-in has filled its placeholders."""

    def run(name, **variables):
        text = (EXAMPLES / name / "jenkins/seed_job.groovy").read_text()
        for placeholder, value in FILLED.items():
            text = text.replace(f"@@@{placeholder}@@@", value)
        assert "@@@" not in text
        (tmp_path / "filled.groovy").write_text(text)
        (job,) = run_job_dsl(tools, tmp_path / "filled.groovy", {**VARIABLES, **variables}, tmp_path)
        return job

    return run


def find(node, *names):
    """The children of that name, through nested contexts."""
    found = [node]
    for name in names:
        found = [child for one in found for child in one["children"] if child["name"] == name]
    return found


def parameters_of(job):
    return {one["arguments"][0]: one for context in find(job, "parameters") for one in context["children"]}


def in_the_operator(name):
    """The parameters that the operator gives the job: read from its source, so that neither can change alone."""
    source = OPERATOR.read_text().split("fn parameters(", 1)[1]
    names = re.findall(r'\(?\s*"([A-Z_]+)"\.to_owned\(\)', source)
    extra = {"MODEL_PACKAGE_ARN", "EVENT_ID"} if name in ("deploy", "endpoint") else set()
    extra |= {"SOURCE_MODEL_PACKAGE_GROUP_NAME", "MODEL_EXECUTION_ROLE_ARN", "ENDPOINT_TYPE"} if name == "endpoint" else set()
    common = {
        "ARTIFACT_BUCKET",
        "SAGEMAKER_PROJECT_NAME",
        "SAGEMAKER_PROJECT_ID",
        "SAGEMAKER_PROJECT_ARN",
        "AWS_REGION",
        "SAGEMAKER_PIPELINE_ROLE_ARN",
        "AWS_CREDENTIAL",
    }
    assert common | (extra if name == "deploy" else set()) <= set(names)
    return common | extra


@pytest.mark.parametrize("name", SEEDED)
def test_the_job_has_the_name_and_the_parameters_that_the_operator_gives_it(declared, name):
    job = declared(name)
    assert job["name"] == f"sagemaker-fares-p-1-{SUFFIXES[name]}"
    assert set(parameters_of(job)) == in_the_operator(name)


@pytest.mark.parametrize("name", SEEDED)
def test_every_parameter_has_a_default_so_that_git_and_the_trigger_can_start_the_job(declared, name):
    parameters = parameters_of(declared(name))
    assert {one: parameters[one]["arguments"][1] for one in FILLED if one in parameters} == {
        one: value for one, value in FILLED.items() if one in parameters
    }
    assert all(len(one["arguments"]) >= 2 for one in parameters.values())


@pytest.mark.parametrize("name", SEEDED)
def test_the_job_builds_the_repository_and_branch_that_the_seed_job_was_given(declared, name):
    job = declared(name)
    git = ("definition", "cpsScm", "scm", "git")
    assert find(job, *git, "remote", "url")[0]["arguments"] == ["https://github.com/example/fares.git"]
    assert find(job, *git, "branch")[0]["arguments"] == ["*/release/2"]
    assert find(job, *git, "remote", "credentials") == []
    assert find(job, "definition", "cpsScm", "scriptPath")[0]["arguments"] == ["jenkins/Jenkinsfile"]
    assert find(job, "properties", "pipelineTriggers", "triggers", "pollSCM", "scmpoll_spec")[0]["arguments"] == ["* * * * *"]


@pytest.mark.parametrize("name", SEEDED)
def test_no_job_can_be_started_with_a_token_that_everybody_knows(name):
    text = (EXAMPLES / name / "jenkins/seed_job.groovy").read_text()
    assert "authenticationToken" not in text


@pytest.mark.parametrize("name", ["preprocess", "build"])
def test_credentials_are_a_credentials_parameter_where_the_seed_job_names_some(declared, name):
    job = declared(name, AWS_CREDENTIAL="pipelines", GIT_CREDENTIAL="github")
    credential = parameters_of(job)["AWS_CREDENTIAL"]
    assert credential["name"] == "credentialsParam"
    assert find(credential, "defaultValue")[0]["arguments"] == ["pipelines"]
    assert find(job, "definition", "cpsScm", "scm", "git", "remote", "credentials")[0]["arguments"] == ["github"]


def test_every_repository_has_a_job_of_its_own(declared):
    names = [declared(name)["name"] for name in SEEDED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/jenkins/*file")), ids=lambda path: path.parts[-3])
def test_a_jenkinsfile_makes_no_object_and_calls_no_class_that_the_sandbox_refuses(path):
    code = re.sub(r"//.*", "", path.read_text())
    assert not re.search(r"^\s*import |\bnew [A-Z]|\b[A-Z]\w+\.\w+\(|@Grab|JsonOutput|JsonSlurper", code, flags=re.MULTILINE)
