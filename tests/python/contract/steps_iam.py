"""The walkthrough's steps at what IAM, Lambda, CodeBuild and Secrets Manager have beyond what projects are made of."""

import io
import json
import zipfile

from expect import eventually, refused, until
from steps_prerequisites import ACCOUNT

BOUNDARY = """\
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: boundary
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: "iam:Get*", Resource: "*"}]
  User:
    Type: AWS::IAM::User
    Properties: {UserName: boundary-tester, Path: /test/, Tags: [{Key: team, Value: ml}]}
"""


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


def boundaries(aws):
    """A permissions boundary that binds a role's sessions, and users."""
    iam, sts, stacks = aws.client("iam"), aws.client("sts"), aws.client("cloudformation")
    stacks.create_stack(StackName="boundary", TemplateBody=BOUNDARY, Capabilities=["CAPABILITY_NAMED_IAM"])
    until(lambda: stacks.describe_stacks(StackName="boundary")["Stacks"][0]["StackStatus"], "CREATE_COMPLETE", "the boundary's stack")
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    missing = boundary + "-none"
    refused("NoSuchEntity", iam.create_role, RoleName="bound", AssumeRolePolicyDocument=trust, PermissionsBoundary=missing)
    arn = iam.create_role(RoleName="bound", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)["Role"]["Arn"]
    given = eventually(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="example"))["Credentials"]
    inside = aws.client("iam", aws_access_key_id=given["AccessKeyId"], aws_session_token=given["SessionToken"])
    inside.get_role(RoleName="bound")
    refused("AccessDenied", inside.list_roles)
    refused("ValidationError", inside.get_user)
    iam.delete_role_permissions_boundary(RoleName="bound")
    inside.list_roles()
    iam.put_role_permissions_boundary(RoleName="bound", PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.get_role(RoleName="bound")
    iam.delete_role(RoleName="bound")
    iam.get_user()
    iam.get_user(UserName="boundary-tester")
    refused("NoSuchEntity", iam.get_user, UserName="none")
    stacks.delete_stack(StackName="boundary")


def revisions(aws, role):
    """Functions that are made and changed, with revisions, qualifiers, versions and a dry run."""
    functions = aws.client("lambda")
    made = functions.create_function(
        FunctionName="revisions", Runtime="python3.13", Role=role, Handler="index.handler", Code={"ZipFile": archive()}
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="revisions", WaiterConfig={"Delay": 1})
    named = {"FunctionName": "revisions"}
    refused("PreconditionFailedException", functions.update_function_configuration, **named, Timeout=5, RevisionId="none")
    functions.update_function_code(**named, ZipFile=archive(), DryRun=True, RevisionId=made["RevisionId"])
    functions.update_function_configuration(**named, Timeout=5, RevisionId=made["RevisionId"])
    functions.get_waiter("function_updated_v2").wait(**named, WaiterConfig={"Delay": 1})
    functions.get_function_configuration(**named, Qualifier="$LATEST")
    refused("ResourceNotFoundException", functions.get_function, **named, Qualifier="1")
    list(functions.get_paginator("list_versions_by_function").paginate(**named))
    functions.list_functions(FunctionVersion="ALL")
    functions.delete_function(**named)


def builds(aws, role):
    """A build that outlives its project, and a size of machines that takes a fleet."""
    builds = aws.client("codebuild")
    environment = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"}
    project = {
        "name": "outlived",
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [echo]}}\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "serviceRole": role,
    }
    refused("InvalidInputException", builds.create_project, **project, environment=environment | {"computeType": "CUSTOM_INSTANCE_TYPE"})
    builds.create_project(**project, environment=environment)
    build = builds.start_build(projectName="outlived")["build"]["id"]
    until(lambda: builds.batch_get_builds(ids=[build])["builds"][0]["buildComplete"], True, "the build")
    builds.delete_project(name="outlived")
    until(lambda: len(builds.batch_get_builds(ids=[build])["builds"]), 1, "the build of a project that is gone")


def secrets(aws):
    """Passwords with options, and the resource policy of a secret."""
    secrets = aws.client("secretsmanager")
    secrets.get_random_password(PasswordLength=8, ExcludeCharacters="abc", ExcludePunctuation=True, IncludeSpace=True)
    refused("InvalidParameterException", secrets.get_random_password, PasswordLength=3)
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    secrets.create_secret(Name="policies", SecretString="x")
    named = {"SecretId": "policies"}
    secrets.get_resource_policy(**named)
    refused("MalformedPolicyDocumentException", secrets.put_resource_policy, **named, ResourcePolicy="{")
    anyone = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Principal": "*"}]})
    refused("PublicPolicyException", secrets.put_resource_policy, **named, ResourcePolicy=anyone, BlockPublicPolicy=True)
    secrets.put_resource_policy(**named, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    secrets.get_resource_policy(**named)
    secrets.delete_resource_policy(**named)
    secrets.delete_secret(**named, ForceDeleteWithoutRecovery=True)
