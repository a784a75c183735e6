"""What a seed code check-in meets, on this machine: bare Git repositories, archives, CloudFormation's response URL.

The build runs as CodeBuild runs it: the bootstrap archive unpacked into a folder, the commands of the buildspec in
order, with bash. The connection's address is led to the repositories by git's own insteadOf; `aws` is a stand-in that
holds archives as files. What is on the other side is real: git, TLS, HTTP.
"""

import hashlib
import http.server
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile

import yaml

ROOT = pathlib.Path(__file__).parents[3]
CHECK_IN = ROOT / "src" / "templates" / "check-in"
TLS = ROOT / "tests" / "tls"
CONNECTION = "arn:aws:codeconnections:eu-west-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"
BASE = "https://codeconnections.eu-west-1.amazonaws.com/git-http/111122223333/eu-west-1/"
BASE += "0f0e0d0c-1a2b-4c3d-8e9f-001122334455/"
SIGNATURE = "X-Amz-Signature=0badc0ffee"
SECONDS = 60
# Whatever is not of this machine goes to a port where nobody listens: a test that loses its way reaches nobody.
NOWHERE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
NOWHERE |= {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
# What the project tells every build; AWS_REGION is CodeBuild's own.
VALUES = {
    "SAGEMAKER_PROJECT_NAME": "taxi-fares",
    "SAGEMAKER_PROJECT_ID": "p-abc123",
    "SAGEMAKER_PROJECT_ARN": "arn:aws:sagemaker:eu-west-1:111122223333:project/taxi-fares",
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/use,with/odd&signs\\1",
    "AWS_REGION": "eu-west-1",
    "ARTIFACT_BUCKET": "sagemaker-project-p-abc123",
    "MODEL_EXECUTION_ROLE_ARN": "arn:aws:iam::111122223333:role/use",
    "SOURCE_MODEL_PACKAGE_GROUP_NAME": "taxi-fares-p-abc123",
    "AWS_PARTITION": "aws",
}
# What the function tells one build.
BUILD = {
    "RESPONSE_URL": "",
    "STACK_ID": "arn:aws:cloudformation:eu-west-1:111122223333:stack/SC-1/2",
    "REQUEST_ID": "7f1c",
    "LOGICAL_RESOURCE_ID": "ModelBuildSeedCodeCheckIn",
    "PHYSICAL_RESOURCE_ID": "seed-code-1",
    "REPOSITORY_FULL_NAME": "example/churn",
    "BRANCH": "main",
    "CONNECTION_ARN": CONNECTION,
    "SEED_CODE_URL": "",
    "SEED_CODE_SHA256": "",
}
# Stands in for the AWS CLI: `s3api get-object` from a folder, and the credential helper of git.
AWS = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$HARNESS/aws-calls"
case "$*" in
  *"codecommit credential-helper get") cat > "$HARNESS/asked"; printf 'username=AKID\\npassword=%s\\n' "$(cat "$HARNESS/password")" ;;
  *"codecommit credential-helper "*) cat > /dev/null ;;
  "s3api get-object --bucket "*)
    if [ -e "$HARNESS/meanwhile" ]; then bash "$HARNESS/meanwhile" >&2; fi
    object="$HARNESS/s3/$4/$6"
    if [ ! -e "$object" ]; then echo "An error occurred (NoSuchKey) when calling the GetObject operation" >&2; exit 254; fi
    if [ ! -s "$object" ]; then echo "An error occurred (AccessDenied) when calling the GetObject operation" >&2; exit 254; fi
    cat "$object" > "$7" && touch "$HARNESS/all-of-it" ;;
  *) echo "the stand-in does not know: $*" >&2; exit 2 ;;
esac
"""
# Stands in front of git, so that something can happen in the very moment of a push.
GIT = f"""#!/usr/bin/env bash
if [ -e "$HARNESS/before-push" ] && [[ " $* " == *" push "* ]]; then
  mv "$HARNESS/before-push" "$HARNESS/happened"
  bash "$HARNESS/happened" >&2
fi
exec "{shutil.which("git")}" "$@"
"""


class Server:
    """An HTTP server on a free port of this machine, in a thread of its own."""

    def __init__(self, test, handler, tls=False):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(TLS / "server.pem", TLS / "server-key.pem")
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.http.server_port}"
        thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        test.addCleanup(thread.join, 5)
        test.addCleanup(self.http.server_close)
        test.addCleanup(self.http.shutdown)


def responses(test, statuses=()):
    """CloudFormation's response URL: the server and what it was sent; it answers with the statuses, then with 200."""
    sent, left = [], list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append((self.path, self.headers["Content-Type"], json.loads(body), len(body)))
            self.send_response(left.pop(0) if left else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Server(test, Handler), sent


def archive(entries):
    """A zip archive: bytes by name, or (bytes, Unix mode)."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as written:
            for name, content in entries.items():
                content, mode = content if isinstance(content, tuple) else (content, 0o100644)
                entry = zipfile.ZipInfo(name)
                entry.external_attr = mode << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                written.writestr(entry, content)
        file.seek(0)
        return file.read()


class Harness(unittest.TestCase):
    """One repository, one archive, one build."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("git", "bin", "s3/seeds", "home"):
            (self.folder / name).mkdir(parents=True)
        # A version manager's python3 would put folders of its own in front of PATH, and their aws in front of this one.
        python = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
        for name, script in (("aws", AWS), ("git", GIT), ("python3", python)):
            command = self.folder / "bin" / name
            command.write_text(script)
            command.chmod(0o755)
        (self.folder / "password").write_text("0123Zsecret")
        (self.folder / "home" / ".gitconfig").write_text(
            f'[url "{self.folder}/git/"]\n\tinsteadOf = {BASE}\n'
            "[user]\n\tname = Test\n\temail = test@example.com\n[init]\n\tdefaultBranch = main\n"
        )
        self.output = ""
        self.server, self.answers = responses(self)
        self.source = self.folder / "source"
        shutil.copytree(CHECK_IN, self.source, ignore=shutil.ignore_patterns("__pycache__"))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AWS_"))},
            **NOWHERE,
            **VALUES,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": f"{self.folder}/home",
            "HARNESS": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "SSL_CERT_FILE": str(TLS / "ca.pem"),
            "CODEBUILD_BUILD_ID": "sagemaker-taxi-fares-p-abc123-git-seedcodecheckin:7",
            **BUILD,
            "RESPONSE_URL": f"{self.server.url}/answer?{SIGNATURE}",
        }
        self.seed({"setup.py": b"name = '@@@SAGEMAKER_PROJECT_NAME@@@'\n", "README.md": b"# Seed\n"})

    def seed(self, entries, key="seed.zip"):
        """Makes this the seed code, in S3."""
        self.store(archive(entries), key)

    def store(self, content, key="seed.zip"):
        (self.folder / "s3" / "seeds" / key).write_bytes(content)
        self.environment["SEED_CODE_URL"] = f"s3://seeds/{key}"
        self.environment["SEED_CODE_SHA256"] = hashlib.sha256(content).hexdigest()

    def git(self, *words, folder=None, check=True):
        environment = {"PATH": os.environ["PATH"], "HOME": f"{self.folder}/home", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words],
            cwd=folder or self.bare,
            env=environment,
            check=check,
            capture_output=True,
            timeout=SECONDS,
        )
        return done.stdout.decode()

    @property
    def bare(self):
        return self.folder / "git" / f"{self.environment['REPOSITORY_FULL_NAME']}.git"

    def repository(self, *commits, branch="main"):
        """Makes the repository; each commit is files by name."""
        if not self.bare.exists():
            self.bare.mkdir(parents=True)
            self.git("init", "--quiet", "--bare")
        work = self.folder / f"work-{branch.replace('/', '-')}"
        if commits:
            self.git("init", "--quiet", f"--initial-branch={branch}", str(work), folder=self.folder)
        for files in commits:
            for name, content in files.items():
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).write_bytes(content)
            self.git("add", "--all", folder=work)
            self.git("commit", "--quiet", "--allow-empty", "--message=theirs", folder=work)
            self.git("push", "--quiet", str(self.bare), f"HEAD:refs/heads/{branch}", folder=work)

    def hook(self, name, script):
        hook = self.bare / "hooks" / name
        hook.write_text("#!/usr/bin/env bash\n" + script)
        hook.chmod(0o755)

    def connect(self, connection, base):
        """Makes this the connection, and leads its address to the repositories too."""
        config = self.folder / "home" / ".gitconfig"
        config.write_text(config.read_text().replace(BASE, base))
        self.environment["CONNECTION_ARN"] = connection

    def somebody_else(self, name):
        """A script that pushes a file of somebody else's to main."""
        other = self.folder / "other"
        self.git("clone", "--quiet", str(self.bare), str(other), folder=self.folder)
        return f"cd {other}; touch {name}; git add .; git commit --quiet -m theirs; git push --quiet origin HEAD:main\n"

    def patch(self, name, old, new):
        """Changes a constant of the build's own copy, so that a limit is met in a test's time."""
        path = self.source / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def build(self, **changes):
        """Runs the buildspec: its exit code. What it prints must hold no secret, and it must answer once."""
        self.environment.update(changes)
        spec = yaml.safe_load((self.source / "buildspec.yml").read_text())
        self.assertEqual((spec["version"], spec["env"]["shell"]), (0.2, "bash"))
        before, code, self.output = len(self.answers), 0, ""
        for phase in ("install", "pre_build", "build", "post_build"):
            steps = spec["phases"].get(phase, {})
            for command in steps.get("commands", []):
                code = self.command(command)
                if code != 0:
                    break
            for command in steps.get("finally", []):
                code = self.command(command) or code
        for secret in (SIGNATURE, (self.folder / "password").read_text(), "token=hush"):
            self.assertNotIn(secret, self.output)
        self.assertEqual(len(self.answers), before + 1, self.output)
        return code

    def command(self, command):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.source,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            start_new_session=True,
        )
        self.output += done.stdout.decode()
        return done.returncode

    def succeeds(self, **changes):
        """Builds: what the answer's result says."""
        code = self.build(**changes)
        answer = self.answer("SUCCESS")
        self.assertEqual(code, 0, self.output)
        return answer["Data"]["Result"]

    def fails(self, **changes):
        """Builds: what the answer's reason says."""
        code = self.build(**changes)
        answer = self.answer("FAILED")
        self.assertNotEqual(code, 0, self.output)
        self.assertTrue(answer["Reason"].endswith(" (build sagemaker-taxi-fares-p-abc123-git-seedcodecheckin:7)"))
        self.assertNotIn("Traceback", answer["Reason"])
        return answer["Reason"]

    def answer(self, status):
        """The last answer, of which everything that CloudFormation looks at is checked."""
        path, kind, answer, size = self.answers[-1]
        self.assertEqual((path, kind, answer["Status"]), (f"/answer?{SIGNATURE}", "", status), answer)
        self.assertLessEqual(size, 4096)
        self.assertEqual(answer["StackId"], self.environment["STACK_ID"])
        self.assertEqual(answer["RequestId"], "7f1c")
        self.assertEqual(answer["LogicalResourceId"], "ModelBuildSeedCodeCheckIn")
        self.assertEqual(answer["PhysicalResourceId"], "seed-code-1")
        return answer

    def commits(self, branch="main"):
        return self.git("log", "--format=%an: %s", f"refs/heads/{branch}").splitlines()

    def tree(self, branch="main"):
        listed = self.git("ls-tree", "-r", "-z", "--name-only", f"refs/heads/{branch}")
        return [name for name in listed.split("\0") if name]

    def file(self, name, branch="main"):
        done = subprocess.run(
            ["git", "cat-file", "blob", f"refs/heads/{branch}:{name}"], cwd=self.bare, check=True, capture_output=True
        )
        return done.stdout
