resource "aws_iam_role" "work" {
  name                 = "terraform-work"
  description          = "does the work"
  path                 = "/example/"
  max_session_duration = 7200
  tags                 = { team = "ml" }
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "sts:AssumeRole"
      Principal = { Service = [
        "cloudformation.amazonaws.com", "codebuild.amazonaws.com", "lambda.amazonaws.com", "servicecatalog.amazonaws.com"
      ] }
    }]
  })
}

resource "aws_iam_role_policy" "work" {
  name   = "all"
  role   = aws_iam_role.work.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "work" {
  role       = aws_iam_role.work.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
