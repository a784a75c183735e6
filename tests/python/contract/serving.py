"""Starts the sandbox for a session and stops it: the one place that knows how, since the walkthrough and each judge
need a sandbox of their own in which nothing takes long. It says nothing about what is asked of it.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import boto3
from botocore.config import Config

from expect import until
from steps_prerequisites import ACCOUNT, REGION

QUICK = {"account": ACCOUNT, "project": 0.3, "stack": 0.3, "catalog": 0.1}


class Serving:
    """A sandbox that answers, by its ready file."""

    def __init__(self, ready, program):
        self.program = program
        self.endpoint, self.jenkins = ready["aws"], ready["jenkins"]
        self.user, self.token = ready["jenkinsUser"], ready["jenkinsToken"]

    def client(self, service, **credentials):
        """A client of one service that gives each answer as it is, at the first attempt."""
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        credentials = {"aws_access_key_id": "AKIAWALKTHROUGH", "aws_secret_access_key": "none"} | credentials
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, config=config, **credentials)

    def control(self, path, body=None):
        """What the control interface answers: JSON, or JSON a line."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_sandbox/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read().decode()
        if path.startswith("journal"):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text or "null")


@contextlib.contextmanager
def serving(sandbox, recorded=True, **settings):
    """A sandbox with these settings beside the quick ones, for as long as the block lasts; recorded where that is asked for
    by MLOPS_JOURNAL_DIR and not declined here."""
    with tempfile.TemporaryDirectory() as folder:
        ready, path = pathlib.Path(folder) / "ready.json", pathlib.Path(folder) / "settings.json"
        path.write_text(json.dumps(QUICK | settings))
        command = [sandbox, "serve", "--ready-file", ready, "--settings", path, "--until-stdin-closes"]
        environment = os.environ | {"MLOPS_SANDBOX_PYTHON": sys.executable}
        if not recorded:
            environment.pop("MLOPS_JOURNAL_DIR", None)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)
        try:
            until(ready.exists, True, "the sandbox's ready file")
            yield Serving(json.loads(ready.read_text()), sandbox)
        finally:
            process.stdin.close()
            process.wait(20)
