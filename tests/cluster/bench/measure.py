"""Measures a fleet, phase by phase; between the phases `bench` starts and stops the operator. What was measured lies in
FOLDER/figures.json, and so does what the next phase needs.

Usage: measure.py FOLDER PHASE [ARGUMENT...], with the environment that `bench` gives it:
  head TABLE                  prints the first two lines of a table
  platforms PROJECTS COUNT    applies so many platforms and waits until they are Ready
  projects                    applies the projects and waits until they are Ready; 3: not all became Ready in time
  idle                        calls and status writes while nothing happens
  changed, silent             the first call after a change; silent: while the last platform's Jenkins does not answer
  stopped, restarted          the first minute after a restart, of which `stopped` sees the beginning
  new                         the first call for a project that is applied
  row TABLE                   prints the row; 3: something is missing in it
"""

import json
import os
import pathlib
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import figures as shown
import manifests
from api import AT_ONCE, Cluster, Failed, Readiness, Sandbox, is_ready, resident

PROJECTS, PLATFORMS = "mlopsprojects", "mlopsplatforms"
LIMIT = float(os.environ.get("BENCH_LIMIT") or 3600)
IDLE = int(os.environ.get("IDLE") or 120)
# So many projects are touched, one after the other; each has so many seconds to become Ready before the next is.
TOUCHES, PATIENCE = 20, 60
# What follows at once upon Ready is over after so many seconds.
SETTLED = 10
# How long `restarted` looks.
MINUTE = 60


class World:
    """What is measured, and what is known of it so far."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "figures.json"
        self.figures = json.loads(self.file.read_text()) if self.file.exists() else {"memory": {}}
        self.cluster = Cluster(self.folder / "cluster" / "admin.kubeconfig")
        self.sandbox = Sandbox(os.environ["AWS"])
        self.operator = int(os.environ["OPERATOR"])

    def save(self):
        """Writes down what was measured."""
        self.file.write_text(json.dumps(self.figures))

    def project(self, number, description="Predicts taxi fares", kind="project"):
        """The manifest of a project: they go round among the platforms."""
        return manifests.project(f"{kind}-{number:05}", number % self.figures["platforms"], description)

    def until_ready(self, plural, wanted, what):
        """Waits until so many are Ready; gives whether they are."""
        readiness, end, told = Readiness(self.cluster, plural), time.monotonic() + LIMIT, 0
        while (ready := readiness.ready()) < wanted:
            now = time.monotonic()
            if now > end:
                self.figures["unready"] = f"{ready} of {wanted} {what} after {LIMIT:.0f} s"
                return False
            if now - told > 10:
                resident(self.operator)
                say(f"{ready} of {wanted} {what} Ready")
                told = now
            time.sleep(0.02)
        return True


def say(text):
    """Tells how far it is."""
    print(f"  {text}", file=sys.stderr, flush=True)


def platforms(world, of_projects, of_platforms):
    """Applies the platforms, each with its namespace."""
    count = int(of_platforms)
    most = len(manifests.REGIONS) * manifests.IN_A_REGION
    if count > most:
        raise Failed(f"AWS's quotas have place for {most} platforms in these regions, not for {count}")
    world.figures |= {"projects": int(of_projects), "platforms": count}
    ports = world.folder / "ports.json"
    ports = json.loads(ports.read_text()) if ports.exists() else []
    for number in range(count):
        world.sandbox.ask("POST", "connections", {"arn": manifests.connection(number)})
        world.cluster.apply(manifests.namespace(number))
        jenkins = f"http://127.0.0.1:{ports[number]}" if ports else os.environ["JENKINS"]
        world.cluster.apply(manifests.platform(number, jenkins))
    if not world.until_ready(PLATFORMS, count, "platforms"):
        return 3
    world.figures["memory"]["alone"] = resident(world.operator)
    return 0


def projects(world):
    """Applies the projects, many at once."""
    before, began = world.sandbox.requests(), time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(world.cluster.apply, map(world.project, range(world.figures["projects"]))))
    say(f"applied after {time.monotonic() - began:.1f} s")
    ready = world.until_ready(PROJECTS, world.figures["projects"], "projects")
    took = time.monotonic() - began
    world.figures["called"] = world.sandbox.requests() - before
    world.figures["memory"]["together"] = resident(world.operator)
    if not ready:
        return 3
    world.figures["ready"] = took
    return 0


def idle(world):
    """Calls, and writes of any object: each is an event of a watch."""
    time.sleep(SETTLED)
    versions = {plural: world.cluster.list(plural)[1] for plural in (PROJECTS, PLATFORMS)}
    before, until = world.sandbox.requests(), time.monotonic() + IDLE
    say(f"idle for {IDLE} s")
    with ThreadPoolExecutor(2) as pool:
        seen = [pool.submit(length, world.cluster.watch(plural, version, until)) for plural, version in versions.items()]
        time.sleep(max(0, until - time.monotonic()))
        calls = world.sandbox.requests() - before
        writes = sum(each.result() for each in seen)
    world.figures["idle"] = {"seconds": IDLE, "calls": calls, "writes": writes}
    return 0


def length(events):
    """How many there are."""
    return sum(1 for _ in events)


def touch(world, manifest):
    """Applies a manifest; gives how many seconds later the first call named the project, and waits until it is Ready."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    before, began = world.sandbox.now()
    world.cluster.apply(manifest)
    end = time.monotonic() + PATIENCE
    # Its generation is that of the change from the answer to `apply` on.
    while not is_ready(world.cluster.get(PROJECTS, namespace, name)):
        if time.monotonic() > end:
            say(f"{name} is not Ready after {PATIENCE} s")
            break
        time.sleep(0.25)
    resident(world.operator)
    came = shown.first_call(world.sandbox.journal(before), name)
    return None if came is None else came - began


def some(of):
    """The numbers of the projects that are touched, spread over all of `of`."""
    return of[:: -(-len(of) // TOUCHES)]


def changed(world, into="changed", description="Predicts other fares"):
    """Changes descriptions, one after the other. Where Jenkins servers may fall silent: of the projects of the others."""
    of = range(world.figures["projects"])
    if (world.folder / "ports.json").exists():
        of = [number for number in of if number % world.figures["platforms"] != world.figures["platforms"] - 1]
    world.figures[into] = []
    for number in some(list(of)):
        world.figures[into].append(touch(world, world.project(number, description)))
    say(f"{into}: {shown.touched(world.figures[into])}")
    return 0


def silent(world):
    """The last platform's Jenkins falls silent, and all its projects are changed, so that all wait for it."""
    os.kill(int(os.environ["PROXIES"]), signal.SIGUSR1)
    platforms = world.figures["platforms"]
    for number in range(platforms - 1, world.figures["projects"], platforms):
        world.cluster.apply(world.project(number, "Waits for its Jenkins"))
    time.sleep(SETTLED)
    return changed(world, "silent", "Predicts fares while a Jenkins is silent")


def stopped(world):
    """Just before the operator starts again."""
    world.figures["before"] = world.sandbox.requests()
    return 0


def restarted(world):
    """A minute after its start, which is when the calls of a minute are over."""
    time.sleep(max(0, int(os.environ["STARTED"]) / 1000 + MINUTE - time.time()))
    world.figures["restarted"] = world.sandbox.requests() - world.figures.pop("before")
    world.figures["memory"]["restarted"] = resident(world.operator)
    return 0


def new(world):
    """Applies projects, one after the other."""
    world.figures["new"] = []
    for number in range(TOUCHES):
        world.figures["new"].append(touch(world, world.project(number, kind="newcomer")))
    say(f"new: {shown.touched(world.figures['new'])}")
    return 0


def row(world, table):
    """Prints what was measured."""
    print(getattr(shown, table)(world.figures), flush=True)
    return 0 if shown.complete(world.figures) else 3


PHASES = {each.__name__: each for each in (platforms, projects, idle, changed, silent, stopped, restarted, new, row)}


def main(folder, phase, *arguments):
    """Runs a phase; gives the exit status."""
    if phase == "head":
        print(shown.head(*arguments))
        return 0
    world = World(folder)
    try:
        return PHASES[phase](world, *arguments)
    finally:
        world.save()


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Failed as error:
        sys.exit(f"bench: {error}")
