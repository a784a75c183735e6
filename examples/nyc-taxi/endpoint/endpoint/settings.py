"""The files in `config/`, read and checked: what a stage's endpoint is made of, and which model is pinned.

They are part of the installed package, so they are found wherever a command is started. A value that AWS would
refuse minutes later is refused here. What AWS takes is asked of its own API model in botocore, not listed again.
"""

import json
import re
from importlib import resources

import botocore.session

from endpoint.model_registry import ARN, Refused

STAGES = ("staging", "prod")
TYPES = ("realtime", "async")

_COMMON = ("StageName", "EndpointInstanceType", "EndpointInstanceCount", "ModelLatencyAlarmMicroseconds")
_OWN = {"realtime": ("EnableDataCapture", "SamplingPercentage"), "async": ("MaxConcurrentInvocationsPerInstance",)}
_OPTIONAL = ("ModelLatencyAlarmMicroseconds", "MaxConcurrentInvocationsPerInstance")
_LIMITS = {
    "EndpointInstanceCount": (1, 1000),
    "SamplingPercentage": (1, 100),
    "MaxConcurrentInvocationsPerInstance": (1, 1000),
    "ModelLatencyAlarmMicroseconds": (1, 60_000_000),
}


def stage(endpoint_type, name, folder=None):
    """Parameters and tags of one stage: `{"Parameters": {...}, "Tags": {...}}`."""
    file = f"{endpoint_type}-{name}.json"
    content = _read(file, folder)
    if set(content) - {"Parameters", "Tags"}:
        raise Refused(f"{file} has {_names(set(content) - {'Parameters', 'Tags'})}: it takes Parameters and Tags only")
    parameters = content.get("Parameters", {})
    tags = content.get("Tags", {})
    _known(file, parameters, _COMMON + _OWN[endpoint_type])
    if parameters["StageName"] != name:
        raise Refused(f"{file} says StageName {parameters['StageName']!r}: it must be {name!r}")
    for key, value in parameters.items():
        _check(file, key, value)
    for key, value in tags.items():
        if not isinstance(value, str) or key.lower().startswith("aws:"):
            raise Refused(f"{file}: the tag {key!r} must have a text as its value, and a name that does not begin with aws:")
    return {"Parameters": parameters, "Tags": tags}


def pinned(folder=None):
    """Version (integer) and ARN of the pinned model package; None and empty where nothing is pinned."""
    content = _read("model.json", folder)
    unknown = set(content) - {"ModelPackageVersion", "ModelPackageArn"}
    if unknown:
        raise Refused(f"model.json has {_names(unknown)}: it takes ModelPackageVersion and ModelPackageArn only")
    version, arn = content.get("ModelPackageVersion"), content.get("ModelPackageArn")
    if version is not None and (type(version) is not int or version < 1):
        raise Refused(f"model.json: ModelPackageVersion is {version!r}: it must be a whole number from 1 on, or null")
    if arn is not None and not (isinstance(arn, str) and ARN.fullmatch(arn)):
        raise Refused(f"model.json: ModelPackageArn is {arn!r}: it must be the ARN of a model package, or null")
    if version is not None and arn is not None:
        raise Refused("model.json pins a version and an ARN: pin one of them")
    return version, arn or ""


def _read(file, folder):
    source = (folder or resources.files("endpoint") / "config") / file
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"the configuration {file} is missing: add it to endpoint/config") from None
    except ValueError as error:
        raise Refused(f"{file} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{file} must hold a JSON object")
    return content


def _known(file, parameters, allowed):
    unknown = set(parameters) - set(allowed)
    missing = set(allowed) - set(parameters) - set(_OPTIONAL)
    if unknown:
        raise Refused(f"{file} has {_names(unknown)}, which is not known: it takes {_names(allowed)}")
    if missing:
        raise Refused(f"{file} lacks {_names(missing)}")


def _check(file, key, value):
    if key in _LIMITS:
        low, high = _LIMITS[key]
        if type(value) is not int or not low <= value <= high:
            raise Refused(f"{file}: {key} is {value!r}: it must be a whole number from {low} to {high}")
    elif key == "EnableDataCapture":
        if type(value) is not bool:
            raise Refused(f"{file}: {key} is {value!r}: it must be true or false, without quotes")
    elif key == "EndpointInstanceType" and value not in _instance_types():
        near = [one for one in _instance_types() if one.startswith(".".join(str(value).split(".")[:2]))]
        hint = f" such as {_names(near[:3])}" if near else " such as ml.m5.large"
        raise Refused(f"{file}: {key} is {value!r}, which no endpoint takes: name one{hint}")


def _instance_types():
    model = botocore.session.get_session().get_service_model("sagemaker")
    return model.shape_for("ProductionVariantInstanceType").enum


def _names(keys):
    return ", ".join(sorted(keys))


def boolean(text):
    """`true` or `false` from a command line; anything else, such as an empty text, is refused and not taken as true."""
    if re.fullmatch("true|yes|1", text, re.IGNORECASE):
        return True
    if re.fullmatch("false|no|0", text, re.IGNORECASE):
        return False
    raise ValueError(f"{text!r} is neither true nor false")
