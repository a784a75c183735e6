"""The walkthrough's steps at what other clients than boto3 ask of AWS as a matter of course: here, what Terraform asks."""

import io
import zipfile

from expect import eventually, refused


def asked_by_terraform(aws, role):
    """Reads that follow each creation, and members that are sent whether they are set or not."""
    functions, builds = aws.client("lambda"), aws.client("codebuild")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    refused("ResourceNotFoundException", functions.get_function_code_signing_config, FunctionName="judged")
    eventually(
        lambda: functions.create_function(
            FunctionName="judged", Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": code.getvalue()}
        )
    )
    functions.get_function_code_signing_config(FunctionName="judged")
    functions.delete_function(FunctionName="judged")
    builds.create_project(
        name="judged",
        source={"type": "S3", "location": "bucket/key.zip", "buildspec": "", "gitCloneDepth": 0, "insecureSsl": False},
        artifacts={"type": "NO_ARTIFACTS", "overrideArtifactName": False},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        logsConfig={"cloudWatchLogs": {"status": "ENABLED"}, "s3Logs": {"status": "DISABLED"}},
        serviceRole=role,
    )
    builds.delete_project(name="judged")
