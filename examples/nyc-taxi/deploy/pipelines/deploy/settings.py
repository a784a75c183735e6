"""`batch-config.json`, read and checked: the machines of the batch transform, and which model is pinned.

The file is part of the installed package, so it is found wherever a command is started. A value that AWS would refuse
minutes later is refused here. Which machines a transform takes is asked of AWS's own API model in botocore, not listed again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import botocore.session

from pipelines.deploy.model_registry import ARN, Refused

FILE = "batch-config.json"


@dataclass(frozen=True)
class Settings:
    """What `batch-config.json` says. A model is pinned by its version (an integer, as the API has it) or by its ARN."""

    instance_type: str
    instance_count: int
    max_payload_megabytes: int = 6
    model_package_version: int | None = None
    model_package_arn: str | None = None

    def __post_init__(self) -> None:
        types = botocore.session.get_session().get_service_model("sagemaker").shape_for("TransformInstanceType").enum
        if self.instance_type not in types:
            raise Refused(f"{FILE}: instance_type is {self.instance_type!r}, which cannot transform: name one such as ml.m5.xlarge")
        _whole("instance_count", self.instance_count, 1, 100)
        _whole("max_payload_megabytes", self.max_payload_megabytes, 1, 100)
        if self.model_package_version is not None:
            _whole("model_package_version", self.model_package_version, 1, 2**31 - 1, ", or null")
        arn = self.model_package_arn
        if arn is not None and not (isinstance(arn, str) and ARN.fullmatch(arn)):
            raise Refused(f"{FILE}: model_package_arn is {arn!r}: it must be the ARN of a model package, or null")
        if arn is not None and self.model_package_version is not None:
            raise Refused(f"{FILE} pins a version and an ARN: pin one of them")


def read(path: Path | None = None) -> Settings:
    """The settings in `path`; without one, those of the installed package."""
    source = path or resources.files("pipelines.deploy") / FILE
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(f"{FILE} is no JSON: {error}") from None
    known = set(Settings.__dataclass_fields__)
    if not isinstance(content, dict) or set(content) - known:
        raise Refused(f"{FILE} must be an object with no keys but {', '.join(sorted(known))}")
    missing = {"instance_type", "instance_count"} - set(content)
    if missing:
        raise Refused(f"{FILE} lacks {', '.join(sorted(missing))}")
    return Settings(**content)


def _whole(name: str, value: Any, low: int, high: int, otherwise: str = "") -> None:
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{FILE}: {name} is {value!r}: it must be a whole number from {low} to {high}{otherwise}")
