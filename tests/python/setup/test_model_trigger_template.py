"""The model trigger's template: who starts it, what it may do, and what it is without its options."""

import pathlib
import unittest

from templates import Stack

TEXT = (pathlib.Path(__file__).parents[3] / "src" / "templates" / "model-trigger.yaml").read_text()
PARAMETERS = {
    "ProjectId": "p-1", "ProjectName": "taxi", "ModelPackageGroupName": "taxi-p-1", "ApprovalStatuses": ["Approved"],
    "JenkinsUrl": "https://ci.example", "JobPaths": ["job/deploy", "job/endpoint"], "JenkinsSecret": "{}",
}
TOPIC = "arn:aws:sns:eu-central-1:111122223333:mlops-alarms"


def stack(**given):
    return Stack(TEXT, PARAMETERS | given)


def only(kind, **given):
    [(_, properties)] = stack(**given).resources(kind)
    return properties


class ModelTriggerTemplate(unittest.TestCase):
    def test_only_finished_packages_of_the_projects_own_group_with_the_wanted_status_start_it(self):
        self.assertEqual(
            only("AWS::Events::Rule")["EventPattern"],
            {
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {
                    "ModelPackageGroupName": ["taxi-p-1"],
                    "ModelApprovalStatus": ["Approved"],
                    "ModelPackageStatus": ["Completed"],
                },
            },
        )

    def test_a_rejected_model_starts_nothing_unless_asked_for(self):
        self.assertEqual(Stack(TEXT).template["Parameters"]["ApprovalStatuses"]["Default"], "Approved")

    def test_only_the_rule_may_call_the_function(self):
        permission = only("AWS::Lambda::Permission")
        self.assertEqual((permission["Principal"], permission["SourceArn"]), ("events.amazonaws.com", "<Rule.Arn>"))

    def test_what_cannot_be_delivered_or_served_goes_to_one_queue_that_only_the_rule_may_write_to(self):
        self.assertEqual(only("AWS::Lambda::Function")["DeadLetterConfig"], {"TargetArn": "<FailedEvents.Arn>"})
        [target] = only("AWS::Events::Rule")["Targets"]
        self.assertEqual(target["DeadLetterConfig"], {"Arn": "<FailedEvents.Arn>"})
        policy = only("AWS::SQS::QueuePolicy")
        self.assertEqual(policy["Queues"], ["<FailedEvents>"])
        [statement] = policy["PolicyDocument"]["Statement"]
        self.assertEqual(statement["Condition"], {"ArnEquals": {"aws:SourceArn": "<Rule.Arn>"}})
        self.assertEqual(only("AWS::SQS::Queue")["MessageRetentionPeriod"], 14 * 24 * 3600)

    def test_its_role_reads_its_own_secret_and_no_other(self):
        [policy] = only("AWS::IAM::Role")["Policies"]
        statements = policy["PolicyDocument"]["Statement"]
        self.assertEqual(
            [(one["Action"], one["Resource"]) for one in statements],
            [
                (["logs:CreateLogStream", "logs:PutLogEvents"], "<LogGroup.Arn>"),
                ("secretsmanager:GetSecretValue", "<JenkinsCredentials>"),
                ("sqs:SendMessage", "<FailedEvents.Arn>"),
            ],
        )

    def test_a_role_that_is_given_is_used_and_none_is_made(self):
        given = {"LambdaRoleArn": "arn:aws:iam::111122223333:role/run"}
        self.assertEqual(list(stack(**given).resources("AWS::IAM::Role")), [])
        self.assertEqual(only("AWS::Lambda::Function", **given)["Role"], given["LambdaRoleArn"])

    def test_its_role_is_bounded_where_a_boundary_is_given(self):
        self.assertNotIn("PermissionsBoundary", only("AWS::IAM::Role"))
        policy = "arn:aws:iam::111122223333:policy/bounds"
        self.assertEqual(only("AWS::IAM::Role", PermissionsBoundaryArn=policy)["PermissionsBoundary"], policy)

    def test_neither_user_nor_token_stands_in_the_functions_environment(self):
        variables = only("AWS::Lambda::Function")["Environment"]["Variables"]
        wanted = {"JENKINS_URL": "https://ci.example", "JOB_PATHS": "job/deploy,job/endpoint", "SECRET_ARN": "<JenkinsCredentials>"}
        self.assertEqual(variables, wanted)
        self.assertTrue(Stack(TEXT).template["Parameters"]["JenkinsSecret"]["NoEcho"])

    def test_there_are_alarms_only_where_a_topic_is_given(self):
        self.assertEqual(list(stack().resources("AWS::CloudWatch::Alarm")), [])
        alarms = dict(stack(AlarmTopicArn=TOPIC).resources("AWS::CloudWatch::Alarm"))
        self.assertEqual(
            {(one["Namespace"], one["MetricName"], *one["AlarmActions"]) for one in alarms.values()},
            {("AWS/Lambda", "Errors", TOPIC), ("AWS/SQS", "ApproximateNumberOfMessagesVisible", TOPIC)},
        )

    def test_it_is_in_a_vpc_only_where_subnets_are_given(self):
        self.assertNotIn("VpcConfig", only("AWS::Lambda::Function", SubnetIds="", SecurityGroupIds=""))
        inside = only("AWS::Lambda::Function", SubnetIds=["subnet-1"], SecurityGroupIds=["sg-1"])
        self.assertEqual(inside["VpcConfig"], {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})

    def test_all_that_takes_tags_carries_the_projects(self):
        untagged = {"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission", "AWS::SQS::QueuePolicy"}
        for kind in {one["Type"] for one in stack().template["Resources"].values()} - untagged:
            for name, properties in stack(AlarmTopicArn=TOPIC).resources(kind):
                tags = {one["Key"]: one["Value"] for one in properties["Tags"]}
                self.assertEqual(tags, {"sagemaker:project-id": "p-1", "sagemaker:project-name": "taxi"}, name)

    def test_a_retry_is_made_twice_and_the_log_is_kept_as_long_as_asked_for(self):
        self.assertEqual(only("AWS::Lambda::EventInvokeConfig")["MaximumRetryAttempts"], 2)
        self.assertEqual(only("AWS::Logs::LogGroup", LogRetentionDays=7)["RetentionInDays"], 7)


if __name__ == "__main__":
    unittest.main()
