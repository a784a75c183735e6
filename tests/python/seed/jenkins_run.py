"""Runs Jenkinsfiles and Job DSL scripts through a real Groovy (tests/python/seed/jenkins) and hands back what they did."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent / "jenkins"
# A build of the seed code takes seconds here; what takes minutes hangs.
LIMIT_SECONDS = 600


def _groovy(tools: Path, program: str, *arguments: Path) -> subprocess.CompletedProcess:
    command = ["java", "-Xshare:auto", "-cp", str(tools / "groovy.jar"), "groovy.ui.GroovyMain", str(HERE / program)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )


def run_jenkinsfile(
    tools: Path, repository: Path, params: dict, aws_url: str, scratch: Path, fetch_all: bool = False, **answers
) -> dict:
    """Runs a repository's Jenkinsfile in that repository as its workspace.

    Answers the report: `result`, `description`, `failure`, `calls` (in order: stages, `sh` with status and output, what
    was played), and `log`. AWS is at `aws_url`. Packages come from the tools' own wheels; unless `fetch_all`, pip finds those
    of the tools' environment in place, holds them against the pins, and installs the repository alone: 300 MB less to unpack.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch / "home"),
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_ACCESS_KEY_ID": "agent",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tools / "wheels"),
        # Compiling what is run once takes longer than running it.
        "PIP_NO_COMPILE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    if not fetch_all:
        (environment["PYTHONPATH"],) = map(str, (tools / "sdk" / "lib").glob("python*/site-packages"))
    (scratch / "home").mkdir(exist_ok=True)
    request, report = scratch / "request.json", scratch / "report.json"
    request.write_text(json.dumps({"params": params, "answers": answers, "environment": environment}))
    done = _groovy(tools, "run_jenkinsfile.groovy", repository / "jenkins" / "Jenkinsfile", repository, request, report)
    assert done.returncode == 0, done.stderr
    return {"failure": None, **json.loads(report.read_text()), "log": done.stderr}


def shell_calls(report: dict) -> list[str]:
    """The `sh` scripts of a run in order."""
    return [call["script"] for call in report["calls"] if call["kind"] == "sh"]


def run_job_dsl(tools: Path, script: Path, variables: dict, scratch: Path) -> list[dict]:
    """The jobs that a Job DSL script declares, as trees of name, arguments, children."""
    bindings, tree = scratch / "variables.json", scratch / "jobs.json"
    bindings.write_text(json.dumps(variables))
    done = _groovy(tools, "run_job_dsl.groovy", script, bindings, tree)
    assert done.returncode == 0, done.stderr
    return json.loads(tree.read_text())
