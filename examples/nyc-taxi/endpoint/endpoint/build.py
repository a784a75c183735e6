"""`build-endpoint`: chooses the model package, and writes what the stacks of both stages are made with.

Both stages get the same model package, so that production serves what was tested. Each stage's files are
`STAGE-config-export.json` (what `deploy-endpoint` reads) and, unless told not to, `STAGE-params-export.json` and
`STAGE-tags-export.json`, in the form that `aws cloudformation create-stack` and Jenkins' `cfnUpdate` read.
"""

import argparse
import json
import sys
from pathlib import Path

from endpoint import commands, model_registry, settings


def stage_export(endpoint_type, stage, arguments, model_package_arn, project_tags):
    """Stack parameters and tags of one stage."""
    config = settings.stage(endpoint_type, stage)
    project = f"{arguments.project_name}-{arguments.project_id}"
    data = f"s3://{arguments.artifact_bucket}/{project}"
    parameters = {
        **config["Parameters"],
        "SageMakerProjectName": arguments.project_name,
        "SageMakerProjectId": arguments.project_id,
        "ModelPackageName": model_package_arn,
        "ModelExecutionRoleArn": arguments.model_execution_role,
    }
    if endpoint_type == "async":
        parameters["AsyncOutputPath"] = f"{data}/async-output/{stage}"
        parameters["AsyncFailurePath"] = f"{data}/async-failure/{stage}"
    else:
        parameters["DataCaptureUploadPath"] = f"{data}/datacapture/{stage}"
    tags = {
        **project_tags,
        **config["Tags"],
        "sagemaker:project-name": arguments.project_name,
        "sagemaker:project-id": arguments.project_id,
        "sagemaker:deployment-stage": stage,
    }
    return {"Parameters": {key: _text(value) for key, value in parameters.items()}, "Tags": tags}


def write(folder, stage, export, params_and_tags):
    """Writes the files of one stage and returns their names."""
    files = {f"{stage}-config-export.json": export}
    if params_and_tags:
        pairs = export["Parameters"].items()
        files[f"{stage}-params-export.json"] = [{"ParameterKey": key, "ParameterValue": value} for key, value in pairs]
        files[f"{stage}-tags-export.json"] = [{"Key": key, "Value": value} for key, value in export["Tags"].items()]
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return sorted(files)


def project_tags(client, project_arn):
    """The tags of the SageMaker project, without those that AWS keeps for itself."""
    pages = client.get_paginator("list_tags").paginate(ResourceArn=project_arn)
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="build-endpoint", description=__doc__.splitlines()[0])
    parser.add_argument("--project-name", required=True)
    parser.add_argument("--project-id", required=True)
    parser.add_argument("--project-arn", required=True)
    parser.add_argument("--model-package-group-name", required=True)
    parser.add_argument("--model-package-arn", default="", help="deploy this one; empty: as the configuration says")
    parser.add_argument("--model-execution-role", required=True, help="ARN of the role that the model runs as")
    parser.add_argument("--artifact-bucket", required=True)
    parser.add_argument("--endpoint-type", default="realtime", choices=settings.TYPES)
    parser.add_argument("--export-dir", default="export", type=Path)
    parser.add_argument("--export-cfn-params-tags", default=True, type=settings.boolean, metavar="true|false")
    return parser.parse_args(argv)


def run(argv, session):
    arguments = _arguments(argv)
    client = session.client("sagemaker")
    version, arn = settings.pinned()
    choice = model_registry.choose(
        client,
        arguments.model_package_group_name,
        named=arguments.model_package_arn.strip(),
        pinned_version=version,
        pinned_arn=arn,
    )
    print(choice.because)
    tags = project_tags(client, arguments.project_arn)
    for stage in settings.STAGES:
        export = stage_export(arguments.endpoint_type, stage, arguments, choice.arn, tags)
        for name in write(arguments.export_dir, stage, export, arguments.export_cfn_params_tags):
            print(f"wrote {arguments.export_dir / name}")


def main(argv=None, session=None):
    return commands.carry_out(run, sys.argv[1:] if argv is None else argv, session)
