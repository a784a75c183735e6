"""`deploy-endpoint`: what it does with a stack in each state."""

import pytest
from botocore.stub import ANY
from playing import PACKAGE

from endpoint import deploy
from endpoint.model_registry import Refused

NAME = "sagemaker-fares-p-1-deploy-staging"
ID = f"arn:aws:cloudformation:eu-central-1:111122223333:stack/{NAME}/1"
ARGUMENTS = ["--stage", "staging", "--export-dir"]
OUTPUTS = [
    {"OutputKey": "EndpointName", "OutputValue": "fares-p-1-staging"},
    {"OutputKey": "ModelPackageName", "OutputValue": PACKAGE},
]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Waits between looks at a stack take no time."""
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda _: None)


def stack(status):
    return {"Stacks": [{"StackName": NAME, "StackId": ID, "StackStatus": status, "CreationTime": 1, "Outputs": OUTPUTS}]}


def looks(session, *states):
    for state in states:
        if state is None:
            session.refuses("cloudformation", "describe_stacks", "ValidationError", f"Stack with id {NAME} does not exist")
        else:
            session.answers("cloudformation", "describe_stacks", stack(state))


def event(resource, kind, status, reason=None):
    mine = {"LogicalResourceId": resource, "ResourceType": kind, "ResourceStatus": status}
    physical = {"PhysicalResourceId": ID} if resource == NAME else {}
    because = {"ResourceStatusReason": reason} if reason else {}
    return {"StackId": ID, "EventId": resource + status, "StackName": NAME, "Timestamp": 1, **mine, **physical, **because}


def test_a_stack_that_does_not_exist_is_made_with_parameters_and_tags(session, exported):
    looks(session, None)
    wanted = {"StackName": NAME, "TemplateBody": ANY, "Parameters": ANY, "Tags": [{"Key": "team", "Value": "fares"}]}
    session.answers("cloudformation", "create_stack", {"StackId": ID}, wanted)
    looks(session, "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE")
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 0


def test_a_stack_that_exists_is_updated(session, exported):
    looks(session, "UPDATE_ROLLBACK_COMPLETE")
    session.answers("cloudformation", "update_stack", {"StackId": ID})
    looks(session, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_COMPLETE")
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 0


def test_a_stack_that_nothing_changes_is_left_alone(session, exported):
    looks(session, "CREATE_COMPLETE")
    session.refuses("cloudformation", "update_stack", "ValidationError", "No updates are to be performed.")
    looks(session, "CREATE_COMPLETE")
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 0


def test_a_stack_that_never_came_up_is_deleted_and_made_again(session, exported):
    looks(session, "ROLLBACK_COMPLETE")
    session.answers("cloudformation", "delete_stack", {}, {"StackName": NAME})
    looks(session, "DELETE_IN_PROGRESS", None)
    session.answers("cloudformation", "create_stack", {"StackId": ID})
    looks(session, "CREATE_COMPLETE", "CREATE_COMPLETE")
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 0


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_a_stack_that_is_busy_or_stuck_is_left_to_a_person(session, exported, status, capsys):
    looks(session, status)
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 1
    assert f"{NAME} is {status}" in capsys.readouterr().err


def test_a_failed_update_tells_its_first_cause_and_not_an_older_one(session, exported, capsys):
    looks(session, "UPDATE_COMPLETE")
    session.answers("cloudformation", "update_stack", {"StackId": ID})
    looks(session, "UPDATE_ROLLBACK_COMPLETE")
    newest_first = [
        event(NAME, "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_COMPLETE"),
        event("Model", "AWS::SageMaker::Model", "UPDATE_FAILED", "Resource update cancelled"),
        event("Endpoint", "AWS::SageMaker::Endpoint", "UPDATE_FAILED", "an alarm went off"),
        event(NAME, "AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Endpoint", "AWS::SageMaker::Endpoint", "CREATE_FAILED", "long ago"),
    ]
    session.answers("cloudformation", "describe_stack_events", {"StackEvents": newest_first})
    assert deploy.main([*ARGUMENTS, str(exported)], session) == 1
    said = capsys.readouterr().err
    assert said == f"{NAME} did not come up: Endpoint (AWS::SageMaker::Endpoint): an alarm went off\n"


def test_without_an_export_it_says_what_to_run_first(tmp_path):
    with pytest.raises(Refused, match="run build-endpoint first"):
        deploy.export_of(tmp_path, "prod")


def test_real_time_and_asynchronous_endpoints_of_a_stage_have_stacks_of_their_own():
    names = {deploy.stack_name("fares", "p-1", kind, stage) for kind in ("realtime", "async") for stage in ("staging", "prod")}
    assert len(names) == 4
