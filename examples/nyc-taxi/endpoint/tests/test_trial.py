"""`test-endpoint`: it invokes the endpoint, and no implausible answer passes."""

import io

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY
from playing import PACKAGE

from endpoint import trial
from endpoint.model_registry import Refused

ARGUMENTS = ["--stage", "staging", "--artifact-bucket", "artifacts", "--export-dir"]
ENDPOINT = "fares-p-1-staging"
OUTPUT = "s3://artifacts/fares-p-1/async-output/staging/1.out"
FAILURE = "s3://artifacts/fares-p-1/async-failure/staging/1-error.out"


def deployed(session, package=PACKAGE):
    outputs = [{"OutputKey": "EndpointName", "OutputValue": ENDPOINT}, {"OutputKey": "ModelPackageName", "OutputValue": package}]
    stack = {"StackName": "any", "StackStatus": "CREATE_COMPLETE", "CreationTime": 1, "Outputs": outputs}
    session.answers("cloudformation", "describe_stacks", {"Stacks": [stack]})


def body(text):
    return StreamingBody(io.BytesIO(text.encode()), len(text.encode()))


def endpoint_answers(session, text):
    expected = {"EndpointName": ENDPOINT, "ContentType": "text/csv", "Accept": "text/csv", "Body": ANY}
    session.answers("sagemaker-runtime", "invoke_endpoint", {"Body": body(text)}, expected)


@pytest.mark.parametrize("answer", ["8.5\n52.1\n14\n31.0\n", "8.5,52.1,14,31.0"])
def test_a_plausible_fare_for_each_trip_passes(session, exported, answer):
    deployed(session)
    endpoint_answers(session, answer)
    assert trial.main([*ARGUMENTS, str(exported)], session) == 0


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("", "0 predictions for 4 trips"),
        ("8.5\n52.1\n14\n", "3 predictions for 4 trips"),
        ("8.5\n52.1\n14\n900\n", r"fares of \[900.0\]: they must be from 0.0 to 200.0"),
        ("8.5\n52.1\n14\n-3\n", r"fares of \[-3.0\]"),
        ("8.5\n52.1\n14\nnan\n", r"fares of \[nan\]"),
        ("<html>\n\n<b>\n<i>\n<p>\n", "what is no number"),
    ],
)
def test_an_implausible_answer_fails(answer, sentence):
    with pytest.raises(Refused, match=sentence):
        trial.check(answer, 4, 0.0, 200.0)


def test_an_endpoint_that_serves_another_model_is_not_tested(session, exported, capsys):
    deployed(session, PACKAGE[:-1] + "6")
    assert trial.main([*ARGUMENTS, str(exported)], session) == 1
    assert "deploy it first" in capsys.readouterr().err


def test_an_endpoint_that_refuses_fails_the_test(session, exported, capsys):
    deployed(session)
    session.refuses("sagemaker-runtime", "invoke_endpoint", "ModelError", "the container answers 500")
    assert trial.main([*ARGUMENTS, str(exported)], session) == 1
    assert "the container answers 500" in capsys.readouterr().err


class Asynchronous:
    """An asynchronous endpoint and its bucket: what is not in `objects` yet comes with the looks."""

    def __init__(self, session, *looks):
        session.answers("s3", "put_object", {}, {"Bucket": "artifacts", "Key": ANY, "Body": ANY, "ContentType": "text/csv"})
        places = {"OutputLocation": OUTPUT, "FailureLocation": FAILURE}
        session.answers("sagemaker-runtime", "invoke_endpoint_async", places)
        for found in looks:
            if found is None:
                session.refuses("s3", "get_object", "NoSuchKey", "no such key")
            else:
                session.answers("s3", "get_object", {"Body": body(found)})
        session.answers("s3", "delete_object", {}, {"Bucket": "artifacts", "Key": ANY})

    @staticmethod
    def ask(session, seconds=60):
        uri = "s3://artifacts/fares-p-1/async-input/staging/1.csv"
        clients = session.client("sagemaker-runtime"), session.client("s3")
        return trial.ask_async(*clients, ENDPOINT, "1,2\n", uri, seconds=seconds, look=0)


def test_an_asynchronous_answer_is_waited_for(session):
    Asynchronous(session, None, None, None, None, "8.5\n")
    assert Asynchronous.ask(session) == "8.5\n"


def test_an_asynchronous_failure_ends_the_wait_and_is_told(session):
    Asynchronous(session, None, "the container answers 500")
    with pytest.raises(Refused, match="could not answer: the container answers 500"):
        Asynchronous.ask(session)


def test_an_asynchronous_answer_is_not_waited_for_without_end(session):
    Asynchronous(session, None, None)
    with pytest.raises(Refused, match="after 0 seconds"):
        Asynchronous.ask(session, seconds=0)


def test_the_whole_command_tests_an_asynchronous_endpoint(session, exported):
    deployed(session)
    Asynchronous(session, "8.5\n52.1\n14\n31.0\n")
    assert trial.main([*ARGUMENTS, str(exported), "--endpoint-type", "async"], session) == 0
