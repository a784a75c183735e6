"""The manifests of a fleet: those of the examples, so many times, with what the sandbox needs instead."""

import copy
import functools
import pathlib

import yaml

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1",
    "eu-north-1", "ap-south-1", "ap-northeast-1", "ap-southeast-2",
)  # fmt: skip
# Platforms in one region: AWS takes 100 portfolios there.
IN_A_REGION = 90


@functools.cache
def parsed(name):
    """The first document of an example."""
    return next(yaml.safe_load_all((EXAMPLES / name).read_text()))


def example(name):
    """The first document of an example, to be changed."""
    return copy.deepcopy(parsed(name))


def region(number):
    """The region of a platform: each has one of its own as far as there are regions."""
    return REGIONS[number % len(REGIONS)]


def connection(number):
    """The Git connection of a platform."""
    return parsed("platform/platform.yaml")["spec"]["git"]["connectionArn"].replace("us-east-1", region(number))


def namespace(number):
    """The namespace whose projects stand on a platform."""
    name = f"team-{number:04}"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def platform(number, jenkins):
    """A platform with a region, a namespace and a Jenkins folder of its own; no code is checked in for its projects."""
    manifest = example("platform/platform.yaml")
    manifest["metadata"]["name"] = f"platform-{number:04}"
    spec = manifest["spec"]
    spec["aws"]["region"] = region(number)
    spec["jenkins"] |= {"url": jenkins, "allowPlainHttp": True, "folder": f"ml-{number:04}"}
    spec["namespaces"] = {"names": [namespace(number)["metadata"]["name"]]}
    spec["git"]["connectionArn"] = connection(number)
    spec["projects"]["seedCode"] = "None"
    del spec["projects"]["maxPerNamespace"]
    return manifest


def project(name, platform_number, description="Predicts taxi fares"):
    """A project on a platform."""
    manifest = example("platform/projects.yaml")
    manifest["metadata"] = {"name": name, "namespace": namespace(platform_number)["metadata"]["name"]}
    spec = manifest["spec"]
    spec["description"] = description
    spec["platformRef"]["name"] = f"platform-{platform_number:04}"
    spec["repositories"] = {role: {"name": f"{name}-{role}"} for role in spec["repositories"]}
    return manifest


def with_its_own(jenkins):
    """A project with a platform of its own, into whose repositories no code is checked in."""
    manifest = example("quickstart.yaml")
    manifest["metadata"]["namespace"] = "own-team"
    manifest["spec"]["platform"]["jenkins"] |= {"url": jenkins, "allowPlainHttp": True}
    for repository in manifest["spec"]["repositories"].values():
        repository["seedCode"] = {"source": "None"}
    return manifest
