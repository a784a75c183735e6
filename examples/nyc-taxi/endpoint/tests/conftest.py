"""Fixtures of all tests."""

import json

import pytest
from playing import PACKAGE, ROLE, Session


@pytest.fixture
def session():
    """A session with stubbed clients, all of whose answers must be asked for."""
    played = Session()
    yield played
    played.all_asked()


@pytest.fixture
def exported(tmp_path):
    """What `build-endpoint` wrote, for both stages."""
    for stage in ("staging", "prod"):
        parameters = {"SageMakerProjectName": "fares", "SageMakerProjectId": "p-1", "StageName": stage, "ModelPackageName": PACKAGE}
        content = {"Parameters": {**parameters, "ModelExecutionRoleArn": ROLE}, "Tags": {"team": "fares"}}
        (tmp_path / f"{stage}-config-export.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path
