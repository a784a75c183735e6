"""`test-endpoint`: asks a stage's endpoint for predictions of known trips, and fails unless they are plausible.

Every trip must get one finite number, within the fares that the model was trained on. An asynchronous endpoint reads
the trips from S3 and answers there; the command waits for the answer, or for the failure, for a limited time.
"""

import argparse
import math
import sys
import time
import uuid
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from endpoint import commands, settings
from endpoint.deploy import export_of, outputs, stack_name
from endpoint.model_registry import Refused

SECONDS = 600
SECONDS_BETWEEN_LOOKS = 5


def check(answer, trips, lowest, highest):
    """The predictions in `answer`: one for each trip, finite, from `lowest` to `highest`. Else a sentence."""
    texts = answer.replace(",", "\n").split()
    if len(texts) != trips:
        raise Refused(f"the endpoint answers {len(texts)} predictions for {trips} trips: {answer[:200]!r}")
    try:
        predictions = [float(text) for text in texts]
    except ValueError:
        raise Refused(f"the endpoint answers what is no number: {answer[:200]!r}") from None
    odd = [value for value in predictions if not (math.isfinite(value) and lowest <= value <= highest)]
    if odd:
        raise Refused(f"the endpoint predicts fares of {odd[:5]}: they must be from {lowest} to {highest}")
    return predictions


def ask(runtime, endpoint_name, body):
    """The answer of a real-time endpoint."""
    answer = runtime.invoke_endpoint(EndpointName=endpoint_name, ContentType="text/csv", Accept="text/csv", Body=body)
    return answer["Body"].read().decode()


def ask_async(runtime, storage, endpoint_name, body, input_uri, *, seconds=SECONDS, look=SECONDS_BETWEEN_LOOKS):
    """The answer of an asynchronous endpoint, once it is in S3. The request itself is removed again."""
    bucket, key = _place(input_uri)
    storage.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/csv")
    try:
        places = runtime.invoke_endpoint_async(
            EndpointName=endpoint_name, InputLocation=input_uri, ContentType="text/csv", Accept="text/csv"
        )
        return _await(storage, places["OutputLocation"], places.get("FailureLocation"), seconds, look)
    finally:
        storage.delete_object(Bucket=bucket, Key=key)


def _await(storage, output_uri, failure_uri, seconds, look):
    end = time.monotonic() + seconds
    while True:
        answer = _content(storage, output_uri)
        if answer is not None:
            return answer
        failure = _content(storage, failure_uri) if failure_uri else None
        if failure is not None:
            raise Refused(f"the endpoint could not answer: {failure[:500]}")
        if time.monotonic() >= end:
            raise Refused(f"no answer at {output_uri} after {seconds} seconds: look at the endpoint's log")
        time.sleep(look)


def _content(storage, uri):
    bucket, key = _place(uri)
    try:
        return storage.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "404"):
            return None
        if code in ("AccessDenied", "403"):
            # S3 says so of what does not exist to whoever may not list the bucket.
            raise Refused(f"{uri} cannot be read: allow s3:GetObject on it and s3:ListBucket on {bucket}") from None
        raise


def _place(uri):
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="test-endpoint", description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, choices=settings.STAGES)
    parser.add_argument("--endpoint-type", default="realtime", choices=settings.TYPES)
    parser.add_argument("--artifact-bucket", required=True)
    parser.add_argument("--export-dir", default="export", type=Path)
    parser.add_argument("--trips", type=Path, help="CSV of trips without a header and without the fare")
    parser.add_argument("--lowest", type=float, default=0.0, help="lowest plausible fare, in dollars")
    parser.add_argument("--highest", type=float, default=200.0, help="highest plausible fare, in dollars")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long an asynchronous answer may take")
    return parser.parse_args(argv)


def run(argv, session):
    arguments = _arguments(argv)
    parameters = export_of(arguments.export_dir, arguments.stage)["Parameters"]
    project = parameters["SageMakerProjectName"], parameters["SageMakerProjectId"]
    stack = stack_name(*project, arguments.endpoint_type, arguments.stage)
    made = outputs(session.client("cloudformation"), stack)
    if made.get("ModelPackageName") != parameters["ModelPackageName"]:
        raise Refused(f"{stack} serves {made.get('ModelPackageName')}, not {parameters['ModelPackageName']}: deploy it first")
    trips = arguments.trips or resources.files("endpoint") / "trips.csv"
    body = trips.read_text(encoding="utf-8")
    runtime = session.client("sagemaker-runtime")
    if arguments.endpoint_type == "async":
        name = f"{'-'.join(project)}/async-input/{arguments.stage}/{uuid.uuid4()}.csv"
        uri = f"s3://{arguments.artifact_bucket}/{name}"
        answer = ask_async(runtime, session.client("s3"), made["EndpointName"], body, uri, seconds=arguments.seconds)
    else:
        answer = ask(runtime, made["EndpointName"], body)
    predictions = check(answer, len(body.split()), arguments.lowest, arguments.highest)
    print(f"{made['EndpointName']} predicts {len(predictions)} fares, from {min(predictions):.2f} to {max(predictions):.2f}")


def main(argv=None, session=None):
    return commands.carry_out(run, sys.argv[1:] if argv is None else argv, session)
