# One of each kind of resource that a person keeps beside an MLOps project. The provider speaks to the sandbox alone.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {
  type = string
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "AKIATERRAFORM"
  secret_key                  = "none"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  skip_region_validation      = true
  max_retries                 = 3

  endpoints {
    cloudformation = var.endpoint
    codebuild      = var.endpoint
    events         = var.endpoint
    iam            = var.endpoint
    lambda         = var.endpoint
    s3             = var.endpoint
    secretsmanager = var.endpoint
    servicecatalog = var.endpoint
    sqs            = var.endpoint
    sts            = var.endpoint
  }
}
