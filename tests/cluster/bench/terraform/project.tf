resource "aws_servicecatalog_portfolio" "ml" {
  name          = "MLOps terraform"
  provider_name = "ml-team"
  tags          = { team = "ml" }
}

resource "aws_servicecatalog_product" "project" {
  name  = "MLOps terraform"
  owner = "ml-team"
  type  = "CLOUD_FORMATION_TEMPLATE"
  provisioning_artifact_parameters {
    name         = "jenkins-git-v1"
    type         = "CLOUD_FORMATION_TEMPLATE"
    template_url = "https://${aws_s3_bucket.artifacts.bucket}.s3.us-east-1.amazonaws.com/${aws_s3_object.template.key}"
  }
  tags = { team = "ml", "sagemaker:studio-visibility" = "true" }
}

resource "aws_servicecatalog_product_portfolio_association" "project" {
  portfolio_id = aws_servicecatalog_portfolio.ml.id
  product_id   = aws_servicecatalog_product.project.id
}

resource "aws_servicecatalog_principal_portfolio_association" "operator" {
  portfolio_id  = aws_servicecatalog_portfolio.ml.id
  principal_arn = data.aws_caller_identity.operator.arn
}

resource "aws_servicecatalog_constraint" "launch" {
  portfolio_id = aws_servicecatalog_product_portfolio_association.project.portfolio_id
  product_id   = aws_servicecatalog_product_portfolio_association.project.product_id
  type         = "LAUNCH"
  parameters   = jsonencode({ RoleArn = "${local.roles}LaunchRole" })
}

resource "aws_sagemaker_project" "fares" {
  project_name        = local.project
  project_description = "Predicts taxi fares"
  service_catalog_provisioning_details {
    product_id = aws_servicecatalog_product.project.id
    dynamic "provisioning_parameter" {
      for_each = local.parameters
      content {
        key   = provisioning_parameter.key
        value = provisioning_parameter.value
      }
    }
  }
  tags       = { team = "ml" }
  depends_on = [aws_servicecatalog_constraint.launch, aws_servicecatalog_principal_portfolio_association.operator]
}
