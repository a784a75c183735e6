"""Executes the definition of a SageMaker pipeline on this machine: each step is a process on a root folder laid out like
/opt/ml, and S3 is a folder.

It stands alone since it knows nothing of taxis: what runs, where, with which input comes from the definition alone. Own code
where SageMaker has a service: SDK's local mode needs Docker, images, and registers no model. What a definition asks for that
is not here raises `NotImplementedError`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMIT_SECONDS = 400


class StepFailed(Exception):
    """A step ended with an error; the text is what it said."""


@dataclass
class Execution:
    """One execution: `python` runs the steps' code, `bucket` is the folder that stands for S3, `work` holds the roots."""

    definition: dict[str, Any]
    parameters: dict[str, Any]
    bucket: Path
    work: Path
    python: Path
    id: str
    model_packages: list[dict[str, Any]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    _properties: dict[str, Any] = field(default_factory=dict)

    def run(self) -> "Execution":
        """Runs all steps in the order of the definition."""
        given = {one["Name"]: one["DefaultValue"] for one in self.definition["Parameters"] if "DefaultValue" in one}
        names = {one["Name"] for one in self.definition["Parameters"]}
        assert set(self.parameters) <= names, f"unknown parameters: {set(self.parameters) - names}"
        self.parameters = {**given, **self.parameters}
        self._run_steps(self.definition["Steps"])
        return self

    def path(self, uri: str) -> Path:
        """Where an object of S3 lies here."""
        assert uri.startswith("s3://"), uri
        return self.bucket / uri.removeprefix("s3://")

    def _run_steps(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            runner = getattr(self, f"_run_{step['Type'].lower()}", None)
            if runner is None:
                raise NotImplementedError(f"step {step['Name']} is of type {step['Type']}")
            runner(step["Name"], step, self._resolve_outside_steps(step["Arguments"]))
            self.done.append(step["Name"])

    def _resolve_outside_steps(self, arguments: dict[str, Any]) -> dict[str, Any]:
        # The steps of a condition are resolved when, and if, their turn comes.
        later = {name: arguments[name] for name in ("IfSteps", "ElseSteps") if name in arguments}
        now = {name: value for name, value in arguments.items() if name not in later}
        return {**self.resolve(now), **later}

    def resolve(self, value: Any) -> Any:
        """Puts values in the place of `Get`, `Std:Join` and `Std:JsonGet`."""
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Get"}:
            return self._get(value["Get"])
        if set(value) == {"Std:Join"}:
            join = value["Std:Join"]
            return join["On"].join(str(self.resolve(one)) for one in join["Values"])
        if set(value) == {"Std:JsonGet"}:
            return self._json_get(value["Std:JsonGet"])
        return {name: self.resolve(one) for name, one in value.items()}

    def _get(self, path: str) -> Any:
        kind, name, *rest = path.split(".")
        if kind == "Parameters":
            return self.parameters[name]
        if kind == "Execution":
            arn = f"arn:aws:sagemaker:eu-central-1:111122223333:pipeline/p/execution/{self.id}"
            return {"PipelineExecutionId": self.id, "PipelineExecutionArn": arn}[name]
        found = self._properties[name]
        for part in rest:
            found = found[part]
        return found

    def _json_get(self, value: dict[str, Any]) -> Any:
        found = json.loads(Path(self._get(value["PropertyFile"]["Get"])).read_text())
        for part in value["Path"].split("."):
            found = found[part]
        return found

    # Types of steps

    def _run_processing(self, name: str, step: dict[str, Any], arguments: dict[str, Any]) -> None:
        root = self._root(name)
        for one in arguments["ProcessingInputs"]:
            self._fetch(one["S3Input"]["S3Uri"], self._inside(root, one["S3Input"]["LocalPath"]))
        application = arguments["AppSpecification"]
        interpreter, script = application["ContainerEntrypoint"]
        assert interpreter == "python3"
        command = [self._inside(root, script), *application.get("ContainerArguments", []), "--root", root]
        self.said[name] = self._process(name, command)
        outputs = {one["OutputName"]: one["S3Output"] for one in arguments["ProcessingOutputConfig"]["Outputs"]}
        for output in outputs.values():
            self._store(self._inside(root, output["LocalPath"]), output["S3Uri"])
        files = {
            one["PropertyFileName"]: self._inside(root, outputs[one["OutputName"]]["LocalPath"]) / one["FilePath"]
            for one in step.get("PropertyFiles", [])
        }
        self._properties[name] = {"PropertyFiles": files}

    def _run_training(self, name: str, _: dict[str, Any], arguments: dict[str, Any]) -> None:
        root = self._root(name)
        for channel in arguments["InputDataConfig"]:
            self._fetch(channel["DataSource"]["S3DataSource"]["S3Uri"], root / "input/data" / channel["ChannelName"])
        (root / "input/config").mkdir(parents=True)
        (root / "input/config/hyperparameters.json").write_text(json.dumps(arguments["HyperParameters"]))
        self.said[name] = self._process(name, [HERE / "train.py", root])
        job = f"pipelines-{self.id}-{name}"
        uri = f"{arguments['OutputDataConfig']['S3OutputPath']}/{job}/output/model.tar.gz"
        self.path(uri).parent.mkdir(parents=True)
        with tarfile.open(self.path(uri), "w:gz") as archive:
            for file in sorted((root / "model").iterdir()):
                archive.add(file, arcname=file.name)
        self._properties[name] = {"TrainingJobName": job, "ModelArtifacts": {"S3ModelArtifacts": uri}}

    def _run_condition(self, _: str, step: dict[str, Any], arguments: dict[str, Any]) -> None:
        def holds(condition: dict[str, Any]) -> bool:
            if condition["Type"] != "LessThanOrEqualTo":
                raise NotImplementedError(condition["Type"])
            return float(condition["LeftValue"]) <= float(condition["RightValue"])

        holding = all(holds(condition) for condition in arguments["Conditions"])
        self._run_steps(step["Arguments"]["IfSteps" if holding else "ElseSteps"])

    def _run_fail(self, name: str, _: dict[str, Any], arguments: dict[str, Any]) -> None:
        raise StepFailed(f"{name}: {arguments['ErrorMessage']}")

    def _run_registermodel(self, name: str, _: dict[str, Any], arguments: dict[str, Any]) -> None:
        assert len(arguments["InferenceSpecification"]["Containers"]) == 1
        self.model_packages.append(arguments)
        self._properties[name] = {"ModelPackageArn": f"arn:aws:sagemaker:eu-central-1:111122223333:model-package/{name}/1"}

    def _run_model(self, name: str, _: dict[str, Any], arguments: dict[str, Any]) -> None:
        self._properties[name] = {"ModelName": f"{name}-{self.id}", "Container": arguments["PrimaryContainer"]}

    def _run_transform(self, name: str, _: dict[str, Any], arguments: dict[str, Any]) -> None:
        made = (one for one in self._properties.values() if one.get("ModelName") == arguments["ModelName"])
        model = self.path(next(made)["Container"]["ModelDataUrl"])
        root = self._root(name)
        self._fetch(arguments["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"], root / "input")
        (root / "step.json").write_text(json.dumps(arguments))
        self.said[name] = self._process(
            name, [HERE / "inference.py", "transform", model, root / "step.json", root / "input", root / "output"]
        )
        self._store(root / "output", arguments["TransformOutput"]["S3OutputPath"])

    # Files and processes

    def _root(self, name: str) -> Path:
        root = self.work / self.id / name / "opt" / "ml"
        root.mkdir(parents=True)
        return root

    @staticmethod
    def _inside(root: Path, container_path: str) -> Path:
        assert container_path.startswith("/opt/ml/"), container_path
        return root / container_path.removeprefix("/opt/ml/")

    def _fetch(self, uri: str, target: Path) -> None:
        source = self.path(uri)
        target.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, target)
        else:
            raise StepFailed(f"No S3 objects found under {uri}")

    def _store(self, source: Path, uri: str) -> None:
        if source.is_dir():
            shutil.copytree(source, self.path(uri), dirs_exist_ok=True)

    def _process(self, name: str, command: list[Any]) -> str:
        # -I: nothing but the container's own libraries, and no environment.
        ended = subprocess.run(
            [str(self.python), "-I", "-B", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
            # Threads that wait for each other on a busy machine wait long, and the data are small.
            env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
            cwd=self.work,
        )
        if ended.returncode != 0:
            raise StepFailed(f"{name}: {ended.stderr.strip()}")
        return ended.stdout.strip()
