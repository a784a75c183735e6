resource "aws_servicecatalog_portfolio" "ml" {
  name          = "terraform-ml"
  description   = "projects"
  provider_name = "ml"
  tags          = { team = "ml" }
}

resource "aws_servicecatalog_product" "project" {
  name  = "terraform-project"
  owner = "ml"
  type  = "CLOUD_FORMATION_TEMPLATE"
  provisioning_artifact_parameters {
    name         = "v1"
    type         = "CLOUD_FORMATION_TEMPLATE"
    template_url = "https://${aws_s3_bucket.data.bucket}.s3.eu-west-1.amazonaws.com/${aws_s3_object.template.key}"
  }
  tags = { team = "ml" }
}

resource "aws_s3_object" "template" {
  bucket  = aws_s3_bucket.data.bucket
  key     = "template.json"
  content = jsonencode({ Resources = { Queue = { Type = "AWS::SQS::Queue" } } })
}

resource "aws_servicecatalog_product_portfolio_association" "project" {
  portfolio_id = aws_servicecatalog_portfolio.ml.id
  product_id   = aws_servicecatalog_product.project.id
}

resource "aws_servicecatalog_principal_portfolio_association" "work" {
  portfolio_id  = aws_servicecatalog_portfolio.ml.id
  principal_arn = aws_iam_role.work.arn
}

resource "aws_servicecatalog_constraint" "launch" {
  description  = "who launches it"
  portfolio_id = aws_servicecatalog_product_portfolio_association.project.portfolio_id
  product_id   = aws_servicecatalog_product_portfolio_association.project.product_id
  type         = "LAUNCH"
  parameters   = jsonencode({ RoleArn = aws_iam_role.work.arn })
}
