"""What one project costs Terraform, and what it costs the operator: to make it with all that it stands on, and to look at all
of it where nothing has changed. Both work at the same sandbox, one after the other.

Usage: beside.py FOLDER PHASE, with the environment that `bench` gives it:
  terraform   makes it, plans, and prints the row; says on standard error where Terraform is not installed, and ends with 4
  made        applies the project and waits until it is Ready
  looked      asks for a look, and prints the operator's row
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import figures as shown
import manifests
from api import Failed
from measure import LIMIT, PROJECTS, World

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests/python/contract"))
import session_terraform  # noqa: E402
from expect import Wrong  # noqa: E402

# A look is over when no call has come for so many seconds; it must begin within so many.
QUIET, BEGUN = 3, 30


def cost(world, work):
    """Does some work; gives how many seconds it took, and the calls of AWS and of Jenkins."""
    before, began = world.sandbox.requests(), time.monotonic()
    work()
    return [time.monotonic() - began, *shown.by_side(world.sandbox.journal(before))]


def terraform(world):
    """Makes the project with Terraform, and plans, which must find nothing to change."""
    if missing := session_terraform.missing():
        print(f"not measured: {missing}", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory() as folder:
        for file in (HERE / "terraform").glob("*.tf"):
            shutil.copy(file, folder)
        runs = session_terraform.Terraform(folder, world.sandbox.endpoint)
        ready = json.loads((world.folder / "ready.json").read_text())
        secret = json.dumps({"user": ready["jenkinsUser"], "token": ready["jenkinsToken"]})
        variables = {"templates": str(ROOT / "src/templates"), "jenkins_url": ready["jenkins"], "jenkins_secret": secret}
        runs.environment |= {f"TF_VAR_{name}": value for name, value in variables.items()}
        runs("init", "-input=false")
        made = cost(world, lambda: runs("apply", "-auto-approve", "-input=false"))
        looked = cost(world, lambda: runs("plan", "-detailed-exitcode", "-input=false"))
        command = ["terraform", "version", "-json"]
        told = json.loads(subprocess.run(command, cwd=folder, env=runs.environment, capture_output=True, timeout=60, check=True).stdout)
    provider = told["provider_selections"][session_terraform.PROVIDER]
    name = f"Terraform {told['terraform_version']}, AWS provider {provider}: `apply`, `plan`; without Jenkins"
    print(shown.beside(name, made, looked))
    return 0


def made(world):
    """Applies a project with a platform of its own; the clock runs from the request to the event that shows it Ready."""

    def work():
        world.cluster.apply(manifests.with_its_own(os.environ["JENKINS"]))
        if not world.until_ready(PROJECTS, 1, "projects"):
            raise Failed(f"the project did not become Ready within {LIMIT:.0f} s")

    world.figures["made"] = cost(world, work)
    return 0


def looked(world):
    """Asks for a look at all of it; it is over with the last answer before a time without calls."""
    metadata = manifests.with_its_own(os.environ["JENKINS"])["metadata"]
    before, began = world.sandbox.now()
    wanted = {"mlops-operator.io/reconcile-requested-at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    world.cluster.annotate(PROJECTS, metadata["namespace"], metadata["name"], wanted)
    count, since, end = before, time.monotonic(), time.monotonic() + BEGUN
    while time.monotonic() < since + QUIET or count == before:
        if count == before and time.monotonic() > end:
            raise Failed(f"no call came within {BEGUN} s of the annotation")
        time.sleep(0.1)
        if (now := world.sandbox.requests()) != count:
            count, since = now, time.monotonic()
    journal = world.sandbox.journal(before)
    took = max(shown.moment(entry["reply"]["at"]) for entry in journal if entry["reply"]) - began
    print(shown.beside("the operator: `kubectl apply`, a look after a restart", world.figures["made"], [took, *shown.by_side(journal)]))
    return 0


def main(folder, phase):
    """Runs a phase; gives the exit status."""
    world = World(folder)
    try:
        return {"terraform": terraform, "made": made, "looked": looked}[phase](world)
    finally:
        world.save()


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (Failed, Wrong) as error:
        sys.exit(f"bench: {error}")
