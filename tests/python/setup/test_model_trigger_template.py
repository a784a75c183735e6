"""The model trigger's template: who starts it, what it may do, and what it is without its options."""

import pathlib
import unittest

from templates import Stack

TEXT = (pathlib.Path(__file__).parents[3] / "src" / "templates" / "model-trigger.yaml").read_text()
PARAMETERS = {
    "ArtifactBucket": "artifacts", "BucketPrefix": "mlops-operator/0a1b/", "JenkinsUrl": "https://ci.example", "JenkinsSecret": "{}",
}
OURS = "arn:aws:s3:::artifacts/mlops-operator/0a1b/"
TOPIC = "arn:aws:sns:eu-central-1:111122223333:mlops-alarms"


def stack(**given):
    return Stack(TEXT, PARAMETERS | given)


def only(kind, **given):
    [(_, properties)] = stack(**given).resources(kind)
    return properties


class ModelTriggerTemplate(unittest.TestCase):
    def test_finished_packages_of_every_group_and_status_go_to_the_queue_and_none_without_a_group(self):
        rule = only("AWS::Events::Rule")
        self.assertEqual(
            rule["EventPattern"],
            {
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {"ModelPackageStatus": ["Completed"], "ModelPackageGroupName": [{"exists": True}]},
            },
        )
        [target] = rule["Targets"]
        self.assertEqual((target["Arn"], target["DeadLetterConfig"]), ("<WaitingEvents.Arn>", {"Arn": "<FailedEvents.Arn>"}))

    def test_it_knows_no_project(self):
        for name in Stack(TEXT).template["Parameters"]:
            self.assertNotRegex(name, "Project|PackageGroup|Job|Status")

    def test_only_the_rule_may_write_to_the_queues(self):
        policies = dict(stack().resources("AWS::SQS::QueuePolicy"))
        queues = [one["Queues"] for one in policies.values()]
        self.assertEqual(queues, [["<WaitingEvents>"], ["<FailedEvents>"]])
        for policy in policies.values():
            [statement] = policy["PolicyDocument"]["Statement"]
            self.assertEqual((statement["Principal"], statement["Action"]), ({"Service": "events.amazonaws.com"}, "sqs:SendMessage"))
            self.assertEqual(statement["Condition"], {"ArnEquals": {"aws:SourceArn": "<Rule.Arn>"}})

    def test_a_message_comes_again_for_three_days_and_is_kept_for_two_weeks(self):
        queues = dict(stack().resources("AWS::SQS::Queue"))
        for name, queue in queues.items():
            self.assertEqual((queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]), (14 * 24 * 3600, True), name)
        waiting = queues["WaitingEvents"]
        redrive = waiting["RedrivePolicy"]
        self.assertEqual(redrive["deadLetterTargetArn"], "<FailedEvents.Arn>")
        # What the function makes of the queue's own time after the first failures (FIRST_WAIT, LONGEST_WAIT).
        sooner = [60, 120, 240, 480]
        rest = (redrive["maxReceiveCount"] - len(sooner)) * waiting["VisibilityTimeout"]
        self.assertGreaterEqual(sum(sooner) + rest, 3 * 24 * 3600)
        self.assertLess(sum(sooner) + rest, 3 * 24 * 3600 + waiting["VisibilityTimeout"])
        self.assertGreaterEqual(waiting["VisibilityTimeout"], 6 * only("AWS::Lambda::Function")["Timeout"])

    def test_a_message_that_fails_holds_no_other_and_several_runs_go_on_at_once(self):
        mapping = only("AWS::Lambda::EventSourceMapping")
        self.assertEqual((mapping["EventSourceArn"], mapping["BatchSize"]), ("<WaitingEvents.Arn>", 1))
        self.assertGreater(mapping["ScalingConfig"]["MaximumConcurrency"], 1)
        self.assertNotIn("ReservedConcurrentExecutions", only("AWS::Lambda::Function"))

    def test_its_role_reaches_what_is_its_own_and_no_more(self):
        [policy] = only("AWS::IAM::Role")["Policies"]
        statements = policy["PolicyDocument"]["Statement"]
        self.assertEqual(
            [(one["Action"], one["Resource"]) for one in statements],
            [
                (["logs:CreateLogStream", "logs:PutLogEvents"], "<LogGroup.Arn>"),
                ("secretsmanager:GetSecretValue", "<JenkinsCredentials>"),
                (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"], "<WaitingEvents.Arn>"),
                ("s3:GetObject", OURS + "routes/*"),
                (["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], [OURS + "events/*", OURS + "starting/*"]),
                (["s3:ListBucket", "s3:ListBucketVersions"], "arn:aws:s3:::artifacts"),
                (["kms:Decrypt", "kms:GenerateDataKey"], "arn:aws:kms:eu-central-1:*:key/*"),
            ],
        )
        lists, keys = statements[5]["Condition"]["StringLike"], statements[6]["Condition"]["StringLike"]
        self.assertEqual(lists, {"s3:prefix": [f"mlops-operator/0a1b/{folder}/*" for folder in ("routes", "events", "starting")]})
        self.assertEqual(keys["kms:ViaService"], "s3.eu-central-1.amazonaws.com*")
        self.assertEqual(keys["kms:EncryptionContext:aws:s3:arn"], ["arn:aws:s3:::artifacts", OURS + "*"])

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
        wanted = {
            "ARTIFACT_BUCKET": "artifacts", "BUCKET_PREFIX": "mlops-operator/0a1b/",
            "JENKINS_URL": "https://ci.example", "QUEUE_URL": "<WaitingEvents>", "SECRET_ARN": "<JenkinsCredentials>",
        }
        self.assertEqual(variables, wanted)
        self.assertTrue(Stack(TEXT).template["Parameters"]["JenkinsSecret"]["NoEcho"])

    def test_there_are_alarms_only_where_a_topic_is_given(self):
        self.assertEqual(list(stack().resources("AWS::CloudWatch::Alarm")), [])
        alarms = dict(stack(AlarmTopicArn=TOPIC).resources("AWS::CloudWatch::Alarm"))
        self.assertEqual({name: one["AlarmActions"] for name, one in alarms.items()}, dict.fromkeys(alarms, [TOPIC]))
        self.assertEqual(set(alarms), {"WaitingEventsAlarm", "FailedEventsAlarm"})
        failed = alarms["FailedEventsAlarm"]
        self.assertEqual((failed["Namespace"], failed["MetricName"]), ("AWS/SQS", "ApproximateNumberOfMessagesVisible"))
        self.assertEqual(failed["Dimensions"], [{"Name": "QueueName", "Value": "<FailedEvents.QueueName>"}])

    def test_the_first_alarm_counts_what_waits_visible_or_hidden_for_twenty_minutes_without_a_break(self):
        waiting = dict(stack(AlarmTopicArn=TOPIC).resources("AWS::CloudWatch::Alarm"))["WaitingEventsAlarm"]
        *parts, total = waiting["Metrics"]
        queue = [{"Name": "QueueName", "Value": "<WaitingEvents.QueueName>"}]
        for part, name in zip(parts, ("Visible", "NotVisible"), strict=True):
            metric = {"Namespace": "AWS/SQS", "MetricName": f"ApproximateNumberOfMessages{name}", "Dimensions": queue}
            # The maximum of each minute: the moment in which a message passes from one number to the other is no break.
            self.assertEqual(part["MetricStat"], {"Metric": metric, "Period": 60, "Stat": "Maximum"})
            self.assertFalse(part["ReturnData"])
        self.assertEqual(total["Expression"], " + ".join(part["Id"] for part in parts))
        self.assertTrue(total["ReturnData"])
        self.assertEqual((waiting["ComparisonOperator"], waiting["Threshold"]), ("GreaterThanThreshold", 0))
        self.assertEqual((waiting["EvaluationPeriods"], waiting["DatapointsToAlarm"]), (20, 20))
        self.assertEqual(set(waiting) & {"Namespace", "MetricName", "Dimensions", "Statistic", "Period"}, set())
        # What is served is out of the queue after less than the function's own time.
        self.assertGreater(20 * 60, 5 * only("AWS::Lambda::Function")["Timeout"])

    def test_it_is_in_a_vpc_only_where_subnets_are_given(self):
        self.assertNotIn("VpcConfig", only("AWS::Lambda::Function", SubnetIds="", SecurityGroupIds=""))
        inside = only("AWS::Lambda::Function", SubnetIds=["subnet-1"], SecurityGroupIds=["sg-1"])
        self.assertEqual(inside["VpcConfig"], {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})

    def test_the_log_is_kept_as_long_as_asked_for(self):
        self.assertEqual(only("AWS::Logs::LogGroup", LogRetentionDays=7)["RetentionInDays"], 7)


if __name__ == "__main__":
    unittest.main()
