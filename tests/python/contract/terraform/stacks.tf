resource "aws_cloudformation_stack" "group" {
  name = "terraform-group"
  parameters = {
    Name = "terraform-group"
  }
  template_body = jsonencode({
    Parameters = { Name = { Type = "String" } }
    Resources = {
      Group = { Type = "AWS::SageMaker::ModelPackageGroup", Properties = { ModelPackageGroupName = { Ref = "Name" } } }
    }
    Outputs = { Group = { Value = { Ref = "Group" } } }
  })
  tags = { team = "ml" }
}
