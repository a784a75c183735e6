"""The walkthrough's steps at SageMaker and Service Catalog."""

import json

from expect import eventually, refused, until
from steps_prerequisites import ACCOUNT, REGION, TAGS
from steps_stacks import TEMPLATE


def models(aws):
    """SageMaker without projects."""
    models = aws.client("sagemaker")
    git = {"RepositoryUrl": "https://git.example/example.git", "Branch": "main"}
    arn = models.create_code_repository(CodeRepositoryName="example", GitConfig=git, Tags=TAGS)["CodeRepositoryArn"]
    eventually(lambda: models.describe_code_repository(CodeRepositoryName="example"))
    models.update_code_repository(
        CodeRepositoryName="example", GitConfig={"SecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:t-123456"}
    )
    models.list_code_repositories(NameContains="exam", SortBy="Name", SortOrder="Ascending", MaxResults=10)
    models.add_tags(ResourceArn=arn, Tags=TAGS)
    models.list_tags(ResourceArn=arn)
    models.delete_tags(ResourceArn=arn, TagKeys=["team"])
    models.delete_code_repository(CodeRepositoryName="example")
    refused("ValidationException", models.describe_model_package_group, ModelPackageGroupName="none")
    models.create_model_package_group(ModelPackageGroupName="group", ModelPackageGroupDescription="d", Tags=TAGS)
    eventually(lambda: models.describe_model_package_group(ModelPackageGroupName="group"))
    models.list_model_package_groups()
    package = eventually(lambda: models.create_model_package(ModelPackageGroupName="group", ModelApprovalStatus="PendingManualApproval"))[
        "ModelPackageArn"
    ]
    eventually(lambda: models.describe_model_package(ModelPackageName=package))
    models.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="good")
    models.list_model_packages(ModelPackageGroupName="group")
    refused("ConflictException", models.delete_model_package_group, ModelPackageGroupName="group")
    models.delete_model_package(ModelPackageName=package)
    eventually(lambda: models.delete_model_package_group(ModelPackageGroupName="group"))


def catalog(aws, role):
    """Service Catalog, and a SageMaker project made from it."""
    catalog, models, s3 = aws.client("servicecatalog"), aws.client("sagemaker"), aws.client("s3")
    s3.create_bucket(Bucket="example-templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="example-templates", Key="one.yaml", Body=TEMPLATE.encode())
    info = {"LoadTemplateFromURL": f"https://example-templates.s3.{REGION}.amazonaws.com/one.yaml"}
    version = {"Name": "v1", "Description": "first", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info}
    refused("ResourceNotFoundException", catalog.describe_portfolio, Id="port-none")
    portfolio = catalog.create_portfolio(DisplayName="example", ProviderName="us", IdempotencyToken="p", Tags=TAGS)["PortfolioDetail"]["Id"]
    catalog.describe_portfolio(Id=portfolio)
    catalog.update_portfolio(Id=portfolio, Description="d", AddTags=TAGS, RemoveTags=["x"])
    catalog.list_portfolios(PageSize=20)
    made = eventually(lambda: catalog.create_product(
        Name="example", Owner="us", ProductType="CLOUD_FORMATION_TEMPLATE", IdempotencyToken="q", Tags=TAGS,
        Description="d", SupportEmail="us@example.com", SupportUrl="https://example.com", ProvisioningArtifactParameters=version,
    ))  # fmt: skip
    product, artifact = (made["ProductViewDetail"]["ProductViewSummary"]["ProductId"], made["ProvisioningArtifactDetail"]["Id"])
    eventually(lambda: catalog.describe_product_as_admin(Id=product))
    catalog.update_product(Id=product, Description="e", AddTags=TAGS)
    catalog.search_products_as_admin(PageSize=20, Filters={"FullTextSearch": ["example"]}, SortBy="Title", SortOrder="ASCENDING")
    second = catalog.create_provisioning_artifact(ProductId=product, Parameters=version | {"Name": "v2"}, IdempotencyToken="r")
    second = second["ProvisioningArtifactDetail"]["Id"]
    eventually(
        lambda: catalog.describe_provisioning_artifact(
            ProductId=product, ProvisioningArtifactId=second, IncludeProvisioningArtifactParameters=True, Verbose=True
        )
    )
    catalog.update_provisioning_artifact(
        ProductId=product, ProvisioningArtifactId=second, Active=False, Guidance="DEPRECATED", Description="x"
    )
    catalog.list_provisioning_artifacts(ProductId=product)
    catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    catalog.list_portfolios_for_product(ProductId=product)
    caller = aws.client("sts").get_caller_identity()["Arn"]
    catalog.associate_principal_with_portfolio(PortfolioId=portfolio, PrincipalARN=caller, PrincipalType="IAM")
    catalog.list_principals_for_portfolio(PortfolioId=portfolio)
    constraint = constraints(catalog, role, {"PortfolioId": portfolio, "ProductId": product})
    eventually(lambda: catalog.list_launch_paths(ProductId=product)["LaunchPathSummaries"][0])
    catalog.search_products(Filters={"FullTextSearch": ["example"]})
    catalog.describe_product(Id=product)
    catalog.describe_provisioning_parameters(ProductId=product, ProvisioningArtifactId=artifact)
    provisioned(catalog, product, artifact)
    projects(models, product, artifact)
    refused("ResourceInUseException", catalog.delete_product, Id=product)
    catalog.delete_constraint(Id=constraint)
    catalog.disassociate_principal_from_portfolio(PortfolioId=portfolio, PrincipalARN=caller, PrincipalType="IAM")
    catalog.disassociate_product_from_portfolio(ProductId=product, PortfolioId=portfolio)
    catalog.delete_provisioning_artifact(ProductId=product, ProvisioningArtifactId=second)
    eventually(lambda: catalog.delete_product(Id=product))
    eventually(lambda: catalog.delete_portfolio(Id=portfolio))


def constraints(catalog, role, place):
    """The launch constraint of a product in a portfolio; gives its id."""
    asked = place | {"Type": "LAUNCH", "Parameters": json.dumps({"RoleArn": role}), "Description": "d"}
    constraint = catalog.create_constraint(**asked, IdempotencyToken="s")["ConstraintDetail"]["ConstraintId"]
    refused("DuplicateResourceException", catalog.create_constraint, **asked, IdempotencyToken="s2")
    catalog.describe_constraint(Id=constraint)
    catalog.update_constraint(Id=constraint, Description="e", Parameters=json.dumps({"RoleArn": role}))
    catalog.list_constraints_for_portfolio(**place)
    return constraint


def provisioned(catalog, product, artifact):
    """A provisioned product of its own."""
    name = [{"Key": "Name", "Value": "example-provisioned"}]
    record = catalog.provision_product(
        ProductId=product,
        ProvisioningArtifactId=artifact,
        ProvisionedProductName="example",
        ProvisioningParameters=name,
        ProvisionToken="t",
        Tags=TAGS,
    )
    done(catalog, record)
    catalog.describe_provisioned_product(Name="example")
    catalog.get_provisioned_product_outputs(ProvisionedProductName="example", OutputKeys=["Name"], PageSize=10)
    refused(
        "InvalidParametersException", catalog.get_provisioned_product_outputs, ProvisionedProductName="example", OutputKeys=["None"]
    )
    refused("ResourceNotFoundException", catalog.get_provisioned_product_outputs, ProvisionedProductId="pp-none")
    catalog.search_provisioned_products(AccessLevelFilter={"Key": "Account", "Value": "self"})
    catalog.list_record_history()
    new = [{"Key": "Name", "Value": "example-provisioned-2", "UsePreviousValue": False}]
    done(
        catalog,
        catalog.update_provisioned_product(
            ProvisionedProductName="example",
            ProvisioningArtifactId=artifact,
            ProductId=product,
            ProvisioningParameters=new,
            UpdateToken="u",
        ),
    )
    done(catalog, catalog.terminate_provisioned_product(ProvisionedProductName="example", TerminateToken="v"))


def projects(models, product, artifact):
    """A SageMaker project."""
    details = {
        "ProductId": product,
        "ProvisioningArtifactId": artifact,
        "ProvisioningParameters": [{"Key": "Name", "Value": "example-project"}],
    }
    refused("ValidationException", models.describe_project, ProjectName="example")
    eventually(
        lambda: models.create_project(ProjectName="example", ProjectDescription="d", ServiceCatalogProvisioningDetails=details, Tags=TAGS)
    )
    project(models, "CreateCompleted")
    models.list_projects(NameContains="exam", SortBy="Name", SortOrder="Descending")
    models.update_project(
        ProjectName="example", ProjectDescription="e", ServiceCatalogProvisioningUpdateDetails={"ProvisioningArtifactId": artifact}
    )
    project(models, "UpdateCompleted")
    models.delete_project(ProjectName="example")
    project(models, "DeleteCompleted")


def project(models, status):
    """The project has this status."""
    until(lambda: models.describe_project(ProjectName="example")["ProjectStatus"], status, "the project")


def done(catalog, record):
    """A record of Service Catalog has succeeded."""
    identity = record["RecordDetail"]["RecordId"]
    until(lambda: catalog.describe_record(Id=identity)["RecordDetail"]["Status"], "SUCCEEDED", "the record")
