"""What Argo CD must say of a platform and its projects, chapter by chapter: story.py CHAPTER [SECONDS].

argocd-test plays the chapters in the order in which they stand here. Each looks at the objects and at Argo CD's Applications
over and over, and ends with an error as soon as one says what the other does not. It decides nothing of what is healthy: the
conditions of the objects do, and Argo CD and kstatus by their own code (`judge`).
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

WORK = pathlib.Path(os.environ["WORK"])
TEAM = WORK / "ml-projects/teams/ml-team"
# For how long Argo CD may go on showing what was so before.
LAG = 10
LIMIT = 180
APPLICATIONS = {"mlops", "mlops-crds", "mlops-platform", "mlops-ml-team"}


def run(*command, text=None, check=True):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done


def kubectl(*words, check=True):
    return run("kubectl", *words, check=check).stdout


def listed(*words):
    text = kubectl("get", *words, "--output=json", check=False)
    return json.loads(text)["items"] if text.strip() else []


def objects():
    """Platforms and projects by name; nothing while their definitions are not there."""
    return {each["metadata"]["name"]: each for each in listed("mlpf,mlp", "--all-namespaces")}


def applications():
    return {each["metadata"]["name"]: each for each in listed("applications.argoproj.io", "--namespace=argocd")}


def condition(each, kind):
    return next((one for one in each.get("status", {}).get("conditions", []) if one["type"] == kind), {})


def is_current(each):
    return each.get("status", {}).get("observedGeneration") == each["metadata"]["generation"]


def is_ready(each):
    ready = condition(each, "Ready")
    return is_current(each) and ready.get("status") == "True" and ready["observedGeneration"] == each["metadata"]["generation"]


def is_stalled(each):
    return is_current(each) and condition(each, "Stalled").get("status") == "True"


class World:
    """What is so at one moment: Argo CD's view, between two looks at the objects."""

    def __init__(self):
        self.before, self.applications, self.after = objects(), applications(), objects()

    def health(self, name):
        """What Argo CD says of a platform or project."""
        for application in self.applications.values():
            for one in application.get("status", {}).get("resources", []):
                if one.get("group") == "mlops-operator.io" and one["name"] == name:
                    return one.get("health", {})
        return {}

    def looks(self, name):
        return [looked[name] for looked in (self.before, self.after) if name in looked]

    def of(self, name):
        """Sync, health and revision of an Application."""
        status = self.applications.get(name, {}).get("status", {})
        sync = status.get("sync", {})
        return sync.get("status"), status.get("health", {}).get("status"), sync.get("revision")

    def all_well(self):
        return set(self.applications) == APPLICATIONS and all(self.of(name)[:2] == ("Synced", "Healthy") for name in APPLICATIONS)

    def line(self):
        shown = [f"{name}: {' '.join(filter(None, self.of(name)[:2]))}" for name in sorted(self.applications)]
        return "  ".join(shown + [f"{name}: {self.health(name).get('status', '-')}" for name in sorted(self.after)])


class Watch:
    """Looks until something is so, holding what Argo CD says against the objects all the while."""

    def __init__(self):
        self.began, self.seen, self.states, self.last_ready = time.monotonic(), None, {}, {}
        self.turns = []

    def passed(self):
        return time.monotonic() - self.began

    def look(self):
        world = World()
        line = world.line()
        if line != self.seen:
            print(f"  {self.passed():6.1f} s  {line}", flush=True)
            self.seen = line
        for name in {*world.before, *world.after}:
            looks = world.looks(name)
            self.states.update({one["metadata"]["uid"] + one["metadata"]["resourceVersion"]: one for one in looks})
            if any(map(is_ready, looks)):
                self.last_ready[name] = time.monotonic()
            self.holds(name, world.health(name), looks)
        return world

    def holds(self, name, health, looks):
        said = health.get("status")
        if not self.turns or self.turns[-1] != (name, said):
            self.turns.append((name, said))
        if said == "Healthy" and time.monotonic() - self.last_ready.get(name, float("-inf")) > LAG:
            sys.exit(f"Argo CD shows {name} Healthy, and it is not Ready: {json.dumps(looks[-1].get('status'))}")

    def until(self, what, done, limit=LIMIT):
        while not done(world := self.look()):
            if self.passed() > limit:
                details = [condition(one, "Ready") for one in world.after.values()]
                operations = {name: one.get("status", {}).get("operationState", {}).get("message") for name, one in world.applications.items()}
                sys.exit(f"{what} did not happen within {limit} s: {json.dumps(details)} {json.dumps(operations)}")
            time.sleep(0.3)
        took = self.passed()
        print(f"{what}: after {took:.1f} s", flush=True)
        self.judged()
        return world

    def stays(self, what, seconds, so):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            world = self.look()
            if not so(world):
                sys.exit(f"{what} does not last: {world.line()}")
            time.sleep(0.5)
        print(f"{what}: for {seconds} s", flush=True)

    def judged(self):
        """Argo CD's script and kstatus agree on every state that was seen."""
        states = list(self.states.values())
        said = run("judge", text="\n".join(map(json.dumps, states))).stdout.splitlines()
        pairs = set()
        for state, verdict in zip(states, map(json.loads, said), strict=True):
            pair = verdict["kstatus"], verdict["health"]
            pairs.add(pair)
            fits = {
                "Current": ["Healthy"], "Failed": ["Degraded"], "InProgress": ["Progressing"], "Terminating": ["Progressing", "Degraded"],
            }[pair[0]]
            if pair[1] not in fits + ["Suspended"]:
                sys.exit(f"kstatus and Argo CD differ, {pair}: {json.dumps(state)}")
        self.states.clear()
        print("  kstatus and Argo CD of all states seen: " + ", ".join(sorted("/".join(pair) for pair in pairs)), flush=True)


def refresh():
    for name in applications():
        kubectl("--namespace=argocd", "annotate", "application", name, "--overwrite", "argocd.argoproj.io/refresh=hard", check=False)


def commit(message):
    """Commits and pushes what was changed of the projects; the revision."""
    repository = WORK / "ml-projects"
    run("git", "-C", repository, "add", "--all")
    run("git", "-C", repository, "commit", "--quiet", "--message", message)
    run("git", "-C", repository, "push", "--quiet", "origin", "main")
    refresh()
    return run("git", "-C", repository, "rev-parse", "HEAD").stdout.strip()


def replace(path, old, new):
    text = path.read_text()
    if old not in text:
        sys.exit(f"{path} lacks {old!r}")
    path.write_text(text.replace(old, new))


def spec(name):
    return json.loads(kubectl("--namespace=ml-team", "get", "mlp", name, "--output=json"))["spec"]


def unseen():
    kubectl("apply", "--filename", WORK / "argocd/app-projects.yaml", "--filename", WORK / "argocd/root.yaml")
    watch = Watch()
    world = watch.until("the platform is there, and Progressing", lambda world: world.health("main").get("status") == "Progressing")
    observed = world.after["main"].get("status", {}).get("observedGeneration")
    if observed != -1:
        sys.exit(f"before the operator's first look observedGeneration is {observed}")

    def nothing_healthy(world):
        return world.health("main")["status"] == "Progressing" and set(world.after) == {"main"} and world.of("mlops-platform")[1] == "Progressing"

    watch.stays("it is not Healthy, and its projects wait for it", 5, nothing_healthy)


def install():
    watch = Watch()
    world = watch.until("everything is Healthy", lambda world: world.all_well() and len(world.after) == 3 and all(map(is_ready, world.after.values())))
    ready = condition(world.after["main"], "Ready")["lastTransitionTime"]
    for name in ("taxi-fares", "taxi-tips"):
        made = world.after[name]["metadata"]["creationTimestamp"]
        if made < ready:
            sys.exit(f"{name} was made at {made}, before the platform was Ready at {ready}")
    print("no project was made before the platform was Ready")


def intruder():
    """Who may write projects may write no Namespace, whatever it is called."""
    kubectl("apply", "--filename", WORK / "argocd/intruder.yaml")

    def refused(world):
        state = world.applications.get("intruder", {}).get("status", {}).get("operationState", {})
        if state.get("phase") == "Succeeded":
            sys.exit("a team's Application has written a Namespace")
        return state.get("phase") == "Failed" and "is not permitted in project" in json.dumps(state)

    Watch().until("a Namespace from a team is refused", refused)
    kubectl("--namespace=argocd", "delete", "application", "intruder")
    labels = json.loads(kubectl("get", "namespace", "kube-system", "--output=json"))["metadata"].get("labels", {})
    if "mlops-operator.io/platform" in labels:
        sys.exit(f"kube-system has the labels {labels}")
    kept = json.loads(kubectl("get", "namespace", "ml-team", "--output=json"))["metadata"]["labels"]
    if kept.get("mlops-operator.io/platform") != "main":
        sys.exit(f"the team's namespace has the labels {kept}")


def edit():
    replace(TEAM / "taxi-tips.yaml", "Predicts tips", "Predicts tips, hourly")
    # SageMaker updates the whole project for a branch, which takes its time.
    replace(TEAM / "taxi-tips.yaml", "branch: release", "branch: stable")
    revision, watch = commit("hourly"), Watch()

    def arrived(world):
        if world.of("mlops-ml-team") != ("Synced", "Healthy", revision):
            return False
        # Both are said of one state of the object.
        if not any(map(is_ready, world.looks("taxi-tips"))):
            sys.exit(f"the edit is shown as Healthy before it is Ready: {world.line()}")
        return all(map(is_ready, world.after.values()))

    watch.until("the edit is applied, and Healthy again", arrived)
    if ("taxi-tips", "Progressing") not in watch.turns:
        sys.exit(f"taxi-tips was never Progressing: {watch.turns}")
    if spec("taxi-tips")["description"] != "Predicts tips, hourly":
        sys.exit("the description did not arrive")


def stalled():
    replace(TEAM / "taxi-fares.yaml", "  platformRef:", "  parameters: [{name: Colour, value: blue}]\n  platformRef:")
    revision, watch = commit("a parameter that the platform does not allow"), Watch()

    def degraded(world):
        said, project = world.health("taxi-fares"), world.after["taxi-fares"]
        sync = world.of("mlops-ml-team")
        told = said.get("status") == "Degraded" and said.get("message") == condition(project, "Stalled").get("message")
        return sync == ("Synced", "Degraded", revision) and is_stalled(project) and told

    world = watch.until("Degraded, with the operator's message", degraded)
    print(f"  {world.health('taxi-fares')['message']}")
    if world.health("taxi-tips").get("status") != "Healthy":
        sys.exit("the other project is no longer Healthy")


def corrected():
    replace(TEAM / "taxi-fares.yaml", "  parameters: [{name: Colour, value: blue}]\n", "")
    revision = commit("without it")
    Watch().until("Healthy again", lambda world: world.of("mlops-ml-team") == ("Synced", "Healthy", revision) and world.all_well())


def healed():
    kubectl("--namespace=ml-team", "patch", "mlp", "taxi-tips", "--type=merge", "--patch", '{"spec": {"description": "by hand"}}')
    watch = Watch()
    watch.until(
        "the edit by hand is taken back, and everything Healthy",
        lambda world: world.after["taxi-tips"]["spec"]["description"] != "by hand" and all(map(is_ready, world.after.values())) and world.all_well(),
    )


def act(action):
    """Does what an action's script makes of a project, as Argo CD does: by a patch with what it has changed."""
    before = kubectl("--namespace=ml-team", "get", "mlp", "taxi-tips", "--output=json")
    after = json.loads(run("judge", action, text=before).stdout)
    before, patch = json.loads(before), {}
    for part, field in (("spec", "suspend"), ("metadata", "annotations")):
        if before[part].get(field) != after[part].get(field):
            patch[part] = {field: after[part][field]}
    if not patch:
        sys.exit(f"the action {action} changes nothing")
    print(f"the action {action} changes {json.dumps(patch)}")
    kubectl("--namespace=ml-team", "patch", "mlp", "taxi-tips", "--type=merge", "--patch", json.dumps(patch))


def actions():
    def suspended(world):
        project = world.after["taxi-tips"]
        kept = condition(project, "Ready").get("status") == "True" and condition(project, "Suspended").get("status") == "True"
        return world.health("taxi-tips").get("status") == "Suspended" and kept and world.of("mlops-ml-team")[:2] == ("Synced", "Suspended")

    act("suspend")
    watch = Watch()
    watch.until("Suspended, with what was last known", suspended)
    refresh()
    watch.stays("Argo CD leaves it suspended", 10, suspended)
    act("resume")
    Watch().until("Healthy again", lambda world: world.all_well() and all(map(is_ready, world.after.values())))
    act("reconcile")
    Watch().stays("a look that was asked for is no difference", 5, World.all_well)


def idle(seconds):
    def footprint():
        versions = {name: each["metadata"]["resourceVersion"] for name, each in objects().items()}
        syncs = {name: each["status"]["operationState"]["startedAt"] for name, each in applications().items()}
        return versions, syncs

    before, watch, end = footprint(), Watch(), time.monotonic() + seconds
    while time.monotonic() < end:
        refresh()
        watch.stays("Synced and Healthy", min(10, max(1, round(end - time.monotonic()))), World.all_well)
    if (after := footprint()) != before:
        sys.exit(f"something was written while nothing happened: {before} {after}")
    print(f"{seconds} s without a difference, a sync, or a write to a platform or project")


def diff():
    files = [WORK / "ml-platform/platform", TEAM]
    kustomization = WORK / "kustomize"
    kustomization.mkdir()
    names = []
    for each in (file for folder in files for file in folder.glob("*.yaml")):
        shutil.copy(each, kustomization)
        names.append(each.name)
    (kustomization / "kustomization.yaml").write_text(f"resources: {json.dumps(names)}\n")
    everything = [word for folder in files for word in ("--filename", folder)]
    for how in (everything, [*everything, "--server-side", "--force-conflicts"], ["--kustomize", kustomization]):
        done = run("kubectl", "diff", *how, check=False)
        if done.returncode != 0:
            sys.exit(f"kubectl diff {how}: {done.stdout}{done.stderr}")
    print("kubectl diff is empty: by files, server-side, by kustomize")


def prune():
    (TEAM / "taxi-tips.yaml").unlink()
    revision = commit("without the tips")
    watch = Watch()
    watch.until(
        "taxi-tips is pruned, and its neighbours are Healthy",
        lambda world: world.of("mlops-ml-team") == ("Synced", "Healthy", revision) and set(world.after) == {"main", "taxi-fares"},
    )


def delete():
    kubectl("--namespace=argocd", "delete", "application", "mlops", "--wait=false")
    watch = Watch()

    def gone(world):
        if any("deletionTimestamp" in one["metadata"] for one in [*world.looks("main")]) and "taxi-fares" in world.after:
            sys.exit("the platform is being deleted before its projects are gone")
        return not world.applications and not world.after

    watch.until("everything is deleted, the projects before the platform", gone)
    for crd in ("mlopsplatforms", "mlopsprojects"):
        kubectl("get", "crd", f"{crd}.mlops-operator.io")
    print("the CRDs stay")
    kubectl("get", "namespace", "ml-team")
    print("the team's namespace stays")


if __name__ == "__main__":
    chapter = globals()[sys.argv[1]]
    print(f"\n-- {sys.argv[1]}", flush=True)
    chapter(*map(int, sys.argv[2:]))
