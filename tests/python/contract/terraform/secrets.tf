resource "aws_secretsmanager_secret" "token" {
  name                    = "terraform-token"
  description             = "a token"
  recovery_window_in_days = 0
  tags                    = { team = "ml" }
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id     = aws_secretsmanager_secret.token.id
  secret_string = "a value"
}
