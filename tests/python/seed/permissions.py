"""What `examples/aws/jenkins-user.yaml` lets the jobs do, and what the calls that they made need. Resources are not compared."""

from pathlib import Path

from stacks import read_template

TEMPLATE = Path(__file__).parents[3] / "examples" / "aws" / "jenkins-user.yaml"
SERVICES = {"SageMaker": "sagemaker", "Runtime": "sagemaker", "S3": "s3", "cloudformation": "cloudformation"}

# Calls whose action has another name.
OTHERWISE = {"S3.ListObjectsV2": "s3:ListBucket", "S3.HeadObject": "s3:GetObject"}


def allowed(*policies: str) -> set[str]:
    """The actions that the named policies of the template allow."""
    resources = read_template(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    found = set()
    for policy in policies:
        for statement in resources[policy]["Properties"]["PolicyDocument"]["Statement"]:
            for one in statement.get("If", [statement]):
                actions = one.get("Action", []) if isinstance(one, dict) and one.get("Effect") == "Allow" else []
                found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def needed(calls: list[dict]) -> set[str]:
    """The actions that these recorded calls need."""
    pairs = {call["operation"]: call["operation"].split(".") for call in calls}
    return {OTHERWISE.get(name, f"{SERVICES[service]}:{operation}") for name, (service, operation) in pairs.items()}
