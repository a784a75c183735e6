"""Walks through the sandbox with boto3, AWS's SDK for Python: every operation that the sandbox has, the operator uses it
or not, so that each kind of reply is seen by a second client and by the contract check.

Usage: walkthrough.py SANDBOX, the path of the `mlops-sandbox` program, which it starts and stops. Where
MLOPS_JOURNAL_DIR is set the sandbox records the exchanges. Ends with 1 and a sentence at the first call that does not go
as it should.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import steps_builds
import steps_change_sets
import steps_drift
import steps_events
import steps_exports
import steps_iam
import steps_prerequisites
import steps_projects
import steps_s3
import steps_stacks
from expect import Wrong, until


class Aws:
    """Clients of the sandbox that give each answer as it is, at the first attempt."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def client(self, service, **credentials):
        """A client of one service that gives each answer as it is, at the first attempt."""
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        credentials = {"aws_access_key_id": "AKIAWALKTHROUGH", "aws_secret_access_key": "none"} | credentials
        region = steps_prerequisites.REGION
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, config=config, **credentials)


def walkthrough(aws):
    """All steps."""
    role = steps_prerequisites.identities(aws)
    steps_prerequisites.buckets(aws)
    steps_s3.storage(aws)
    steps_prerequisites.connections(aws)
    steps_prerequisites.secrets(aws)
    steps_stacks.stacks(aws, role)
    steps_change_sets.change_sets(aws)
    steps_change_sets.deployments(aws)
    steps_exports.exports(aws)
    steps_drift.drift(aws)
    steps_stacks.functions(aws, role)
    steps_stacks.events(aws)
    steps_events.queues(aws)
    steps_events.rules(aws)
    steps_events.dead_letters(aws, role)
    steps_events.mappings(aws)
    steps_events.tags(aws)
    steps_builds.builds(aws, role)
    steps_builds.asking(aws, role)
    steps_iam.pages(aws)
    steps_iam.policies(aws)
    steps_iam.boundaries(aws)
    steps_iam.revisions(aws, role)
    steps_iam.builds(aws, role)
    steps_iam.secrets(aws)
    steps_projects.models(aws)
    steps_projects.catalog(aws, role)


def main(sandbox):
    """Starts a sandbox in which nothing takes long, and walks through it."""
    with tempfile.TemporaryDirectory() as folder:
        ready, settings = pathlib.Path(folder) / "ready.json", pathlib.Path(folder) / "settings.json"
        settings.write_text(json.dumps({"account": steps_prerequisites.ACCOUNT, "project": 0.3, "stack": 0.3, "catalog": 0.1}))
        command = [sandbox, "serve", "--ready-file", ready, "--settings", settings, "--until-stdin-closes"]
        environment = os.environ | {"MLOPS_SANDBOX_PYTHON": sys.executable}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)
        try:
            until(ready.exists, True, "the sandbox's ready file")
            walkthrough(Aws(json.loads(ready.read_text())["aws"]))
        except (Wrong, ClientError) as error:
            print(f"walkthrough: {error}", file=sys.stderr)
            return 1
        finally:
            process.stdin.close()
            process.wait(20)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
