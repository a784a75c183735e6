resource "aws_cloudformation_stack" "trigger" {
  name         = "terraform-model-trigger"
  capabilities = ["CAPABILITY_IAM"]
  # The function's source stands in the template, where the operator puts it.
  template_body = replace(file("${var.templates}/model-trigger.yaml"), "# model_trigger.py", indent(10, file("${var.templates}/model_trigger.py")))
  parameters = {
    ArtifactBucket = aws_s3_bucket.artifacts.bucket
    BucketPrefix   = local.prefix
    JenkinsUrl     = var.jenkins_url
    JenkinsSecret  = var.jenkins_secret
  }
  tags = { team = "ml" }

  # CloudFormation shows it as asterisks, which the provider takes for a change each time.
  lifecycle {
    ignore_changes = [parameters["JenkinsSecret"]]
  }
}

resource "aws_s3_object" "route" {
  bucket       = aws_s3_bucket_versioning.artifacts.bucket
  key          = "${local.prefix}routes/${local.project}-${aws_sagemaker_project.fares.project_id}.json"
  content_type = "application/json"
  content = jsonencode({
    version           = 1
    owner             = "ml-team/${local.project}"
    projectId         = aws_sagemaker_project.fares.project_id
    projectName       = local.project
    modelPackageGroup = "${local.project}-${aws_sagemaker_project.fares.project_id}"
    approvalStatuses  = ["Approved"]
    jobs              = []
  })
}
