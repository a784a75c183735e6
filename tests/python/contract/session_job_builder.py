"""What a person does with jenkins-job-builder against the sandbox's Jenkins: jobs from YAML, made, made again, changed and
deleted. What it sends is seen in the sandbox's journal; it stands alone since it runs as a program.
"""

import pathlib
import subprocess
import sys
import tempfile

import jenkins

from expect import Wrong, table

DEFINITIONS = """\
- job:
    name: ci
    project-type: folder
    description: made from YAML
- job:
    name: ci/taxi
    project-type: pipeline
    description: takes two parameters
    concurrent: false
    parameters:
      - string: {{name: REGION, default: eu-west-1, description: where}}
      - bool: {{name: DEPLOY, default: false}}
      - choice: {{name: SIZE, choices: [small, large]}}
    triggers:
      - pollscm: {{cron: "H/5 * * * *"}}
    properties:
      - build-discarder: {{num-to-keep: 10}}
    pipeline-scm:
      scm:
        - git: {{url: "https://git.example.com/taxi.git", branches: [{branch}], credentials-id: git}}
      script-path: jenkins/build/Jenkinsfile
- job:
    name: plain
    project-type: freestyle
    builders:
      - shell: make
"""
VIEWS = """\
- view:
    name: mine
    view-type: list
    job-name: [plain]
"""


class Builder:
    """The program with a cache of its own, and the requests that it made."""

    def __init__(self, server, folder):
        self.server, self.folder, self.seen = server, pathlib.Path(folder), 0
        settings = f"[jenkins]\nurl={server.jenkins}\nuser={server.user}\npassword={server.token}\n"
        (self.folder / "settings.ini").write_text(settings)
        self.plain = jenkins.Jenkins(server.jenkins, server.user, server.token)

    def run(self, *arguments, text=""):
        """Runs it; gives the writes that reached Jenkins, without what a cache saves."""
        (self.folder / "jobs.yaml").write_text(text)
        command = [pathlib.Path(sys.executable).parent / "jenkins-jobs", "--conf", self.folder / "settings.ini", *arguments]
        environment = {"XDG_CACHE_HOME": str(self.folder), "HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Wrong(f"jenkins-jobs {arguments[0]} ended with {done.returncode}: {done.stderr}")
        entries = [one for one in self.server.control(f"journal?since={self.seen}") if one["service"] == "jenkins"]
        self.seen = max([self.seen, *(one["number"] for one in entries)])
        return sorted(one["uri"].split("?")[0] for one in entries if one["method"] == "POST")

    def update(self, branch="main", *options):
        """Makes or changes what the YAML says."""
        return self.run(*options, "update", str(self.folder / "jobs.yaml"), text=DEFINITIONS.format(branch=branch) + VIEWS)


def session(server):
    """All rows, in this order."""
    with tempfile.TemporaryDirectory() as folder:
        return table(rows(Builder(server, folder)))


def rows(builder):
    """What is done, and which writes of it reach Jenkins."""
    plain = builder.plain
    job = "/job/ci/job/taxi/config.xml"
    return [
        ("folder, jobs and view are made", builder.update, ["/createItem", "/createItem", "/createView", "/job/ci/createItem"]),
        ("a second update changes nothing", builder.update, []),
        ("a changed branch changes one job", lambda: builder.update("release"), [job]),
        ("the branch is there", lambda: "<name>release</name>" in plain.get_job_config("ci/taxi"), True),
        ("its parameters are there", lambda: [one["name"] for one in parameters(plain)], ["REGION", "DEPLOY", "SIZE"]),
        ("its poll is kept", lambda: "<spec>H/5 * * * *</spec>" in plain.get_job_config("ci/taxi"), True),
        ("the view lists its job", lambda: [one["name"] for one in plain.get_jobs(view_name="mine")], ["plain"]),
        ("its jobs are listed", lambda: listed(builder), ["ci", "ci/taxi", "plain"]),
        ("without its cache it sends all again", lambda: len(builder.update("release", "--flush-cache")), 4),
        ("what was sent again is as before", lambda: again(builder), True),
        ("all is deleted", lambda: sorted(builder.run("delete", "ci", "plain")), ["/job/ci/doDelete", "/job/plain/doDelete"]),
        ("nothing is left", plain.get_all_jobs, []),
    ]  # fmt: skip


def parameters(plain):
    """The parameters of the pipeline."""
    properties = plain.get_job_info("ci/taxi")["property"]
    return [one for single in properties for one in single.get("parameterDefinitions", [])]


def listed(builder):
    """What the program lists."""
    builder.run("list")
    return sorted(one["fullname"] for one in builder.plain.get_all_jobs())


def again(builder):
    """Whether a configuration that is sent once more leaves the job as it was."""
    before = builder.plain.get_job_config("ci/taxi")
    builder.update("release", "--flush-cache")
    return builder.plain.get_job_config("ci/taxi") == before
