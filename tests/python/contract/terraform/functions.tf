resource "aws_lambda_function" "hello" {
  function_name    = "terraform-hello"
  role             = aws_iam_role.work.arn
  handler          = "index.handler"
  runtime          = "python3.12"
  filename         = "${path.module}/hello.zip"
  source_code_hash = filebase64sha256("${path.module}/hello.zip")
  timeout          = 10
  environment {
    variables = { STAGE = "test" }
  }
  tags = { team = "ml" }
}

resource "aws_lambda_permission" "events" {
  statement_id  = "events"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.hello.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.models.arn
}

resource "aws_cloudwatch_event_rule" "models" {
  name        = "terraform-models"
  description = "models that are approved"
  event_pattern = jsonencode({
    source      = ["aws.sagemaker"]
    detail-type = ["SageMaker Model Package State Change"]
  })
  tags = { team = "ml" }
}

resource "aws_cloudwatch_event_target" "hello" {
  rule      = aws_cloudwatch_event_rule.models.name
  target_id = "hello"
  arn       = aws_lambda_function.hello.arn
}
