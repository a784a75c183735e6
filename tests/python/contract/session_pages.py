"""boto3's paginators: pages of a few items must give what one page gives. Each paginator whose operation the sandbox knows
is tried here or named with a reason; which there are botocore says, so that a new operation is missed at once.
"""

import io
import json
import zipfile

from asked import SERVICES, asking
from expect import Wrong, eventually, until
from steps_prerequisites import ALLOW, REGION, TRUST

# Why a paginator is not tried: the service alone decides how its pages are cut, or there is nothing to cut.
REASONS = {
    ("codebuild", "list_builds_for_project"): "CodeBuild gives a hundred builds a page, and so many would have to run",
    ("s3", "list_directory_buckets"): "directory buckets are another service, which the sandbox takes for this one",
    ("s3", "list_object_annotations"): "the sandbox takes it for another operation",
    ("sagemaker", "list_tags"): "SageMaker's pages of tags hold at least fifty, which is all that a resource may have",
}
MANY = 101
FEW = 5


class Tried:
    """How a paginator is tried: its members, the size of its pages where it may be asked for, how many there must be, and
    the size that one page of all is asked for with, where that differs from not asking."""

    def __init__(self, size=2, pages=2, whole=None, **members):
        self.members, self.size, self.pages, self.whole = members, size, pages, whole


def session(server):
    """Makes enough of everything, then pages through it; gives how many paginators there were."""
    with asking(server) as asker:
        tried = {}
        for make in (stacks, projects, rules, roles, functions, objects, secrets, models, catalog):
            tried |= make(server)
        for make in (uploads, queues):
            tried |= make(server, asker)
        count = 0
        for service in SERVICES:
            client = server.client(service)
            for name, operation in sorted(client.meta.method_to_api_mapping.items()):
                if client.can_paginate(name):
                    count += judge(client, (service, name), asker.knows(service, operation), tried)
        return count


def judge(client, key, known, tried):
    """Tries one paginator; gives 1 if the sandbox knows its operation."""
    if not known and (key in tried or key in REASONS):
        raise Wrong(f"{key} is tried or named, but the sandbox does not know it")
    if not known or key in REASONS:
        return int(known)
    if key not in tried:
        raise Wrong(f"the sandbox knows {key}, which is neither tried nor named with a reason")
    how, paginator = tried[key], client.get_paginator(key[1])
    config = {"PageSize": how.size} if how.size else {}
    pages = len(list(paginator.paginate(**how.members, PaginationConfig=config)))
    few = paginator.paginate(**how.members, PaginationConfig=config).build_full_result()
    config = {"PageSize": how.whole} if how.whole else {}
    whole = paginator.paginate(**how.members, PaginationConfig=config).build_full_result()
    if how.size and few != whole:
        raise Wrong(f"{key}: pages of {how.size} give {few}, one page gives {whole}")
    if pages < how.pages:
        raise Wrong(f"{key}: must have {how.pages} pages or more, but has {pages}")
    if not how.size and sum(len(value) for value in whole.values() if isinstance(value, list)) < MANY:
        raise Wrong(f"{key}: must give {MANY} items or more, but gives {whole}")
    return 1


def stacks(server):
    """CloudFormation, whose pages hold a hundred."""
    client = server.client("cloudformation")
    queue = {"Type": "AWS::SQS::Queue"}
    gives = {
        "Resources": {f"Queue{number}": queue for number in range(MANY)},
        "Outputs": {f"Name{number}": {"Value": "x", "Export": {"Name": f"pages-{number}"}} for number in range(MANY)},
    }
    takes = {"Resources": {"Queue": queue}, "Outputs": {"Taken": {"Value": {"Fn::ImportValue": "pages-0"}}}}
    client.create_stack(StackName="pages", TemplateBody=json.dumps(gives))
    until(lambda: client.describe_stacks(StackName="pages")["Stacks"][0]["StackStatus"], "CREATE_COMPLETE", "the large stack", 60)
    names = [f"pages-{number}" for number in range(MANY)]
    for name in names:
        client.create_stack(StackName=name, TemplateBody=json.dumps(takes))
    for name in names:
        until(lambda: client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"], "CREATE_COMPLETE", name)  # noqa: B023
    more = {"Resources": {f"Other{number}": queue for number in range(MANY)}, "Outputs": gives["Outputs"]}
    client.create_change_set(StackName="pages", ChangeSetName="large", TemplateBody=json.dumps(more))
    until(lambda: client.describe_change_set(StackName="pages", ChangeSetName="large")["Status"], "CREATE_COMPLETE", "the change set")
    small = takes | {"Resources": {"Queue": queue, "Other": queue}}
    for name in names:
        client.create_change_set(StackName="pages-0", ChangeSetName=f"of-{name}", TemplateBody=json.dumps(small))
    rows = {
        "describe_change_set": {"StackName": "pages", "ChangeSetName": "large"},
        "describe_stack_events": {"StackName": "pages"},
        "describe_stacks": {},
        "list_change_sets": {"StackName": "pages-0"},
        "list_exports": {},
        "list_imports": {"ExportName": "pages-0"},
        "list_stack_resources": {"StackName": "pages"},
        "list_stacks": {},
    }
    return {("cloudformation", name): Tried(size=None, **members) for name, members in rows.items()}


def projects(server):
    """CodeBuild, whose pages hold a hundred."""
    client, role = server.client("codebuild"), make_role(server, "pages-builds")
    environment = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"}
    source = {"type": "S3", "location": "bucket/key.zip"}
    for number in range(MANY):
        client.create_project(
            name=f"pages-{number}", source=source, artifacts={"type": "NO_ARTIFACTS"}, environment=environment, serviceRole=role
        )
    return {("codebuild", "list_projects"): Tried(size=None)}


def make_role(server, name):
    """A role that services may take; gives its ARN."""
    return server.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]


def rules(server):
    """EventBridge."""
    client = server.client("events")
    for number in range(FEW):
        client.put_rule(Name=f"pages-{number}", EventPattern='{"source":["aws.sagemaker"]}')
    arn = f"arn:aws:lambda:{REGION}:111122223333:function:none"
    client.put_targets(Rule="pages-0", Targets=[{"Id": str(number), "Arn": arn} for number in range(FEW)])
    return {("events", "list_rules"): Tried(), ("events", "list_targets_by_rule"): Tried(Rule="pages-0")}


def roles(server):
    """IAM."""
    client = server.client("iam")
    make_role(server, "pages")
    client.tag_role(RoleName="pages", Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(FEW)])
    for number, managed in enumerate(("ReadOnlyAccess", "PowerUserAccess", "AdministratorAccess")):
        client.attach_role_policy(RoleName="pages", PolicyArn=f"arn:aws:iam::aws:policy/{managed}")
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        client.put_role_policy(RoleName="pages", PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
    of_role = ("list_attached_role_policies", "list_role_policies", "list_role_tags")
    tried = {("iam", name): Tried(RoleName="pages") for name in of_role}
    # The sandbox has no instance profiles: the list is empty however it is cut.
    return tried | {("iam", "list_roles"): Tried(), ("iam", "list_instance_profiles_for_role"): Tried(pages=1, RoleName="pages")}


def functions(server):
    """Lambda."""
    client, role = server.client("lambda"), make_role(server, "pages-functions")
    # A queue may be read for a function whose role may read it.
    server.client("iam").put_role_policy(RoleName="pages-functions", PolicyName="all", PolicyDocument=json.dumps(ALLOW))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("i.py", "def h(event, context):\n    return event\n")
    for number in range(FEW):
        eventually(lambda: client.create_function(
            FunctionName=f"pages-{number}", Runtime="python3.12", Role=role, Handler="i.h", Code={"ZipFile": code.getvalue()}  # noqa: B023
        ))  # fmt: skip
    # A function of the sandbox has one version.
    return {("lambda", "list_functions"): Tried(), ("lambda", "list_versions_by_function"): Tried(pages=1, FunctionName="pages-0")}


def objects(server):
    """S3."""
    client = server.client("s3")
    for number in range(FEW):
        client.create_bucket(Bucket=f"pages-{number}", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket="pages-0", VersioningConfiguration={"Status": "Enabled"})
    for key in ("a/1", "a/2", "b", "b", "c", "d"):
        client.put_object(Bucket="pages-0", Key=key, Body=key.encode())
    client.delete_object(Bucket="pages-0", Key="d")
    of_bucket = ("list_object_versions", "list_objects", "list_objects_v2")
    tried = {("s3", name): Tried(Bucket="pages-0") for name in of_bucket}
    # Regions of buckets are told only where something is asked for (API reference of ListBuckets, BucketRegion).
    return tried | {("s3", "list_buckets"): Tried(whole=1000)}


def uploads(server, asker):
    """Uploads in parts, where S3 has them."""
    if not asker.knows("s3", "ListParts"):
        return {}
    client, place = server.client("s3"), {"Bucket": "pages-0", "Key": "large"}
    begun = [client.create_multipart_upload(**place)["UploadId"] for _ in range(FEW)]
    for number in range(1, FEW + 1):
        client.upload_part(**place, UploadId=begun[0], PartNumber=number, Body=b"part")
    return {("s3", "list_parts"): Tried(**place, UploadId=begun[0]), ("s3", "list_multipart_uploads"): Tried(Bucket="pages-0")}


def secrets(server):
    """Secrets Manager."""
    for number in range(FEW):
        server.client("secretsmanager").create_secret(Name=f"pages-{number}", SecretString="s")
    return {("secretsmanager", "list_secrets"): Tried()}


def models(server):
    """SageMaker without projects."""
    client = server.client("sagemaker")
    for number in range(FEW):
        client.create_code_repository(CodeRepositoryName=f"pages-{number}", GitConfig={"RepositoryUrl": "https://git.example/x.git"})
        client.create_model_package_group(ModelPackageGroupName=f"pages-{number}")
        client.create_model_package(ModelPackageGroupName="pages-0", ModelApprovalStatus="PendingManualApproval")
    tried = {("sagemaker", name): Tried() for name in ("list_code_repositories", "list_model_package_groups")}
    return tried | {("sagemaker", "list_model_packages"): Tried(ModelPackageGroupName="pages-0")}


def catalog(server):
    """Service Catalog, and SageMaker's projects, which come from it."""
    client, storage = server.client("servicecatalog"), server.client("s3")
    template = {
        "Parameters": {name: {"Type": "String", "Default": "x"} for name in ("SageMakerProjectName", "SageMakerProjectId")},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    }
    storage.put_object(Bucket="pages-1", Key="template.json", Body=json.dumps(template).encode())
    caller, role = server.client("sts").get_caller_identity()["Arn"], make_role(server, "pages-launch")
    portfolios, products = [], []
    for number in range(3):
        made = client.create_portfolio(DisplayName=f"pages-{number}", ProviderName="us", IdempotencyToken=f"f{number}")
        portfolios.append(made["PortfolioDetail"]["Id"])
        user, kind = make_role(server, f"user-{number}"), {"PrincipalType": "IAM"}
        client.associate_principal_with_portfolio(PortfolioId=portfolios[0], PrincipalARN=user, **kind)
        client.associate_principal_with_portfolio(PortfolioId=portfolios[-1], PrincipalARN=caller, **kind)
        info = {"LoadTemplateFromURL": f"https://pages-1.s3.{REGION}.amazonaws.com/template.json"}
        version = {"Type": "CLOUD_FORMATION_TEMPLATE", "Info": info}
        products.append(client.create_product(
            Name=f"pages-{number}", Owner="us", ProductType="CLOUD_FORMATION_TEMPLATE", IdempotencyToken=f"d{number}",
            ProvisioningArtifactParameters=version,
        ))  # fmt: skip
    first = products[0]["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    place = [(portfolio, first) for portfolio in portfolios]
    place += [(portfolios[0], one["ProductViewDetail"]["ProductViewSummary"]["ProductId"]) for one in products[1:]]
    for number, (portfolio, product) in enumerate(place):
        eventually(lambda: client.associate_product_with_portfolio(PortfolioId=portfolio, ProductId=product))  # noqa: B023
        asked = {"PortfolioId": portfolio, "ProductId": product, "Type": "LAUNCH", "Parameters": json.dumps({"RoleArn": role})}
        eventually(lambda: client.create_constraint(**asked, IdempotencyToken=f"c{number}"))  # noqa: B023
    provision(server, first, products[0]["ProvisioningArtifactDetail"]["Id"], portfolios[0])
    rows = {
        "list_constraints_for_portfolio": {"PortfolioId": portfolios[0]},
        "list_launch_paths": {"ProductId": first},
        "list_portfolios": {},
        "list_portfolios_for_product": {"ProductId": first},
        "list_principals_for_portfolio": {"PortfolioId": portfolios[0]},
        "list_record_history": {},
        "search_products_as_admin": {},
    }
    tried = {("servicecatalog", name): Tried(**members) for name, members in rows.items()}
    return tried | {("sagemaker", "list_projects"): Tried()}


def provision(server, product, artifact, portfolio):
    """Three projects, and with them three records."""
    client, models = server.client("servicecatalog"), server.client("sagemaker")
    paths = eventually(lambda: client.list_launch_paths(ProductId=product)["LaunchPathSummaries"])
    path = next(one["Id"] for one in paths if one["Name"] == "pages-0")
    details = {"ProductId": product, "ProvisioningArtifactId": artifact, "PathId": path}
    for number in range(3):
        name = f"pages-{number}"
        eventually(lambda: models.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details))  # noqa: B023
        until(lambda: models.describe_project(ProjectName=name)["ProjectStatus"], "CreateCompleted", name)  # noqa: B023


def queues(server, asker):
    """SQS, where the sandbox has it: queues, and those whose messages end in the first of them."""
    if not asker.knows("sqs", "ListQueues"):
        return {}
    client, tried = server.client("sqs"), {}
    dead = client.create_queue(QueueName="pages-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    for number in range(FEW):
        client.create_queue(QueueName=f"pages-{number}", Attributes={"RedrivePolicy": redrive})
    if asker.knows("lambda", "ListEventSourceMappings"):
        for number in range(FEW):
            source = arn.replace("pages-dead", f"pages-{number}")
            eventually(lambda: server.client("lambda").create_event_source_mapping(EventSourceArn=source, FunctionName="pages-0"))  # noqa: B023
        tried = {("lambda", "list_event_source_mappings"): Tried(FunctionName="pages-0")}
    return tried | {("sqs", "list_queues"): Tried(), ("sqs", "list_dead_letter_source_queues"): Tried(QueueUrl=dead)}
