"""Terraform's AWS provider against the sandbox: what it makes it finds again as it made it, and takes away. Terraform is
used where it is installed with the provider; nothing is downloaded. It must reach no address but the sandbox's.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import zipfile

from asked import asking
from expect import Wrong

HERE = pathlib.Path(__file__).parent / "terraform"
PROVIDER = "registry.terraform.io/hashicorp/aws"
# Where Terraform's own documentation and Linux packages keep providers; TF_PLUGIN_DIR names another folder.
FOLDERS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/tf-plugins",
)


def mirror():
    """The folder that has the provider, if any."""
    folders = [os.environ.get("TF_PLUGIN_DIR", ""), *FOLDERS]
    candidates = (pathlib.Path(folder).expanduser() for folder in folders if folder)
    return next((folder for folder in candidates if any((folder / PROVIDER).glob("*/*/terraform-provider-aws*"))), None)


def missing():
    """Why the session cannot be held; empty where it can."""
    if not shutil.which("terraform"):
        return "Terraform is not installed"
    return "" if mirror() else "Terraform's AWS provider is in no folder that is looked into; TF_PLUGIN_DIR names one"


class Terraform:
    """Terraform in a folder of its own."""

    def __init__(self, folder, endpoint):
        self.folder = pathlib.Path(folder)
        settings = self.folder / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n')
        own = {"TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_VAR_endpoint": endpoint}
        # What the machine says of AWS and of proxies must not reach the provider.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_")) and "proxy" not in name.lower()}
        self.environment = kept | own | {"HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}

    def __call__(self, *arguments, wanted=0):
        """Runs one command, which must end with that status."""
        color = [] if arguments[0] == "state" else ["-no-color"]
        command = ["terraform", *arguments, *color]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != wanted:
            raise Wrong(f"terraform {arguments[0]} must end with {wanted}, but ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def session(server):
    """Makes everything, plans nothing more, takes everything away; gives how many resources there were."""
    before = world(server)
    with tempfile.TemporaryDirectory() as folder:
        for file in files(server):
            shutil.copy(file, folder)
        with zipfile.ZipFile(pathlib.Path(folder) / "hello.zip", "w") as archive:
            archive.writestr("index.py", "def handler(event, context):\n    return event\n")
        terraform = Terraform(folder, server.endpoint)
        terraform("init", "-input=false")
        terraform("apply", "-auto-approve", "-input=false")
        resources = terraform("state", "list").split()
        # Status 2 is a plan that is not empty.
        terraform("plan", "-detailed-exitcode", "-input=false")
        # The plan has just read everything.
        terraform("apply", "-auto-approve", "-input=false", "-destroy", "-refresh=false")
    after = world(server)
    if after != before:
        raise Wrong(f"after Terraform the world must be as before: {difference(before, after)}")
    return len(resources)


def files(server):
    """The configuration, without queues where the sandbox has none."""
    with asking(server) as asker:
        queues = asker.knows("sqs", "ListQueues")
    return [file for file in sorted(HERE.glob("*.tf")) if queues or file.name != "queues.tf"]


def world(server):
    """Everything that exists; what was deleted and is still remembered is none of it."""
    server.client("lambda").list_functions()  # A region that nobody has asked is not in the world yet.
    seen = server.control("world")
    seen.pop("now")
    for region in seen["regions"].values():
        kept = region["cloudformation"]
        kept["stacks"] = [stack for stack in kept["stacks"] if "DELETE_COMPLETE" not in json.dumps(stack)]
    return seen


def difference(before, after, where=""):
    """Where two worlds differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(set(before) | set(after))
        return [one for name in names for one in difference(before.get(name), after.get(name), f"{where}/{name}")]
    return [] if before == after else [f"{where}: {json.dumps(before)[:200]} became {json.dumps(after)[:200]}"]
