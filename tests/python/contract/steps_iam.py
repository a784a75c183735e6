"""The walkthrough's steps at what IAM, Lambda, CodeBuild and Secrets Manager have beyond what projects are made of."""

from expect import refused


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
