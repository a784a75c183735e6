# The AWS part of one project and of what it stands on, as the operator makes it of examples/quickstart.yaml: bucket, portfolio,
# product, version, association, principal, launch constraint, SageMaker project, the model trigger's stack (queues, Lambda,
# rule) and the project's route. `make bench-cluster` compares what it costs to make and to look at. The templates are the
# operator's own. What Terraform has no part in is the Jenkins jobs.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {
  type = string
}

variable "templates" {
  type        = string
  description = "The folder src/templates"
}

variable "jenkins_url" {
  type = string
}

variable "jenkins_secret" {
  type      = string
  sensitive = true
}

locals {
  project    = "terraform-fares"
  prefix     = "mlops/"
  connection = "arn:aws:codeconnections:us-east-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"
  roles      = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProducts"
  repositories = {
    ModelPreprocess = "example/taxi-preprocess"
    ModelBuild      = "example/taxi-build"
    ModelDeploy     = "example/taxi-deploy"
  }
  parameters = merge(
    { UseRoleArn = "${local.roles}UseRole" },
    { for role, name in local.repositories : "${role}CodeRepositoryUrl" => "https://github.com/${name}.git" },
    { for role, name in local.repositories : "${role}CodeRepositoryBranch" => "main" },
    { for role, name in local.repositories : "${role}CodeRepositoryFullname" => name },
    { for role, name in local.repositories : "${role}CodeRepositoryCodestarConnectionArn" => local.connection },
  )
}

provider "aws" {
  region                  = "us-east-1"
  access_key              = "AKIATERRAFORM"
  secret_key              = "none"
  s3_use_path_style       = true
  skip_metadata_api_check = true

  endpoints {
    cloudformation = var.endpoint
    iam            = var.endpoint
    s3             = var.endpoint
    sagemaker      = var.endpoint
    servicecatalog = var.endpoint
    sts            = var.endpoint
  }
}

data "aws_caller_identity" "operator" {}
