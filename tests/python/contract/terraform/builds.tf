resource "aws_codebuild_project" "train" {
  name         = "terraform-train"
  description  = "trains a model"
  service_role = aws_iam_role.work.arn
  artifacts {
    type = "NO_ARTIFACTS"
  }
  environment {
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
    type         = "LINUX_CONTAINER"
    environment_variable {
      name  = "STAGE"
      value = "test"
    }
  }
  source {
    type     = "S3"
    location = "${aws_s3_bucket.data.bucket}/source.zip"
  }
  tags = { team = "ml" }
}
