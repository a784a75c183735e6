"""The walkthrough's steps at what IAM, Lambda, CodeBuild and Secrets Manager have beyond what projects are made of."""

import io
import json
import zipfile

from expect import eventually, refused
from steps_prerequisites import ACCOUNT


def pages(aws):
    """Lists in pages, by botocore's own paginators, and with markers that no list gave."""
    iam, functions, secrets = aws.client("iam"), aws.client("lambda"), aws.client("secretsmanager")
    for name in ("first", "second"):
        secrets.create_secret(Name=f"pages-{name}", SecretString="x")
    for client, operation, members in (
        (iam, "list_roles", {}),
        (iam, "list_role_policies", {"RoleName": "example"}),
        (iam, "list_attached_role_policies", {"RoleName": "example"}),
        (iam, "list_role_tags", {"RoleName": "example"}),
        (functions, "list_functions", {}),
        (secrets, "list_secrets", {}),
    ):
        list(client.get_paginator(operation).paginate(**members, PaginationConfig={"PageSize": 1}))
    refused("ValidationError", iam.list_roles, Marker="none")
    refused("InvalidParameterValueException", functions.list_functions, Marker="none")
    refused("InvalidNextTokenException", secrets.list_secrets, NextToken="none")
    for name in ("first", "second"):
        secrets.delete_secret(SecretId=f"pages-{name}", ForceDeleteWithoutRecovery=True)


def policies(aws):
    """Policies that IAM does not take, and trust policies whose conditions hold for whoever assumes the role, or do not."""
    iam, sts, functions = aws.client("iam"), aws.client("sts"), aws.client("lambda")
    wrong = json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*"}]})
    refused("MalformedPolicyDocument", iam.put_role_policy, RoleName="example", PolicyName="wrong", PolicyDocument=wrong)
    account = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:Assume*"}
    account["Condition"] = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/*"}}
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    service["Condition"] = {"StringEquals": {"aws:SourceAccount": "444455556666"}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [account, service]})
    arn = iam.create_role(RoleName="conditions", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    eventually(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="example"))
    code = {"ZipFile": archive()}
    refused(
        "InvalidParameterValueException", functions.create_function, FunctionName="conditions", Runtime="python3.13", Role=arn,
        Handler="index.handler", Code=code,
    )  # fmt: skip
    iam.delete_role(RoleName="conditions")


def archive():
    """An archive with a function that answers what it is asked."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    return content.getvalue()
