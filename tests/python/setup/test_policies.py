"""The policies of examples/aws say what docs/permissions.md says, and what the shipped templates need."""

import json
import pathlib
import re
import unittest

from templates import Stack, load

ROOT = pathlib.Path(__file__).parents[3]
PERMISSIONS = (ROOT / "docs" / "permissions.md").read_text()
DOCUMENTED = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PERMISSIONS, re.DOTALL)]
USE_ROLE = "arn:aws:iam::111122223333:role/use"
PROJECT = {"UseRoleArn": USE_ROLE, "ProjectName": "taxi", "ProjectId": "p-1"}
CONNECTION = "arn:aws:codeconnections:eu-central-1:111122223333:connection/c"


def example(name, **given):
    return Stack((ROOT / "examples" / "aws" / f"{name}.yaml").read_text(), given)


def listed(value):
    return value if isinstance(value, list) else [value]


def granted(statements):
    """Each action with the resources that it is granted on."""
    pairs = {}
    for one in (one for one in statements if one["Effect"] == "Allow"):
        for action in listed(one["Action"]):
            pairs.setdefault(action, set()).update(listed(one["Resource"]))
    return pairs


class OperatorRole(unittest.TestCase):
    given = {
        "StackRoleArns": "arn:aws:iam::*:role/REPLACE-WITH-roles.stack",
        "LaunchRoleArns": "arn:aws:iam::*:role/REPLACE-WITH-roles.launch",
    }

    def test_its_policy_is_the_one_of_the_documentation(self):
        ours = example("operator-role", **self.given).statements()
        documented = {one["Sid"]: one for one in DOCUMENTED[0]["Statement"]}
        self.assertEqual(ours.keys(), documented.keys())
        for sid, statement in documented.items():
            with self.subTest(sid=sid):
                self.assertEqual(ours[sid], statement)

    def test_it_deletes_data_only_on_request_and_then_as_documented(self):
        self.assertNotIn("DeleteData", example("operator-role", **self.given).statements())
        ours = example("operator-role", **self.given, DeletesData="true").statements()["DeleteData"]
        self.assertEqual(ours, {"Sid": "DeleteData"} | DOCUMENTED[1])

    def test_each_role_is_passed_to_its_own_service_alone(self):
        statements = example("operator-role", **self.given).statements().values()
        passed = {one["Resource"]: one["Condition"] for one in statements if "iam:PassRole" in listed(one["Action"])}
        services = {"StackRoleArns": "cloudformation.amazonaws.com", "LaunchRoleArns": "servicecatalog.amazonaws.com"}
        wanted = {self.given[name]: {"StringEquals": {"iam:PassedToService": one}} for name, one in services.items()}
        self.assertEqual(passed, wanted)

    def test_it_uses_a_key_only_where_one_is_named(self):
        self.assertNotIn("ArtifactsKey", example("operator-role", **self.given).statements())
        ours = example("operator-role", **self.given, KmsKeyArn="arn:k").statements()["ArtifactsKey"]
        self.assertEqual(ours["Resource"], "arn:k")
        for action in ours["Action"]:
            self.assertIn(f"`{action}`", PERMISSIONS)

    def trust(self, **given):
        [(_, role)] = example("operator-role", **self.given, **given).resources("AWS::IAM::Role")
        document = role["AssumeRolePolicyDocument"]
        [statement] = (json.loads(document) if isinstance(document, str) else document)["Statement"]
        return statement

    def test_only_the_operators_service_account_gets_it_by_pod_identity(self):
        equal = self.trust(Namespace="n", ServiceAccount="s")["Condition"]["StringEquals"]
        self.assertEqual(equal["aws:RequestTag/kubernetes-namespace"], "n")
        self.assertEqual(equal["aws:RequestTag/kubernetes-service-account"], "s")
        self.assertEqual(equal["aws:SourceAccount"], "111122223333")

    def test_only_the_operators_service_account_gets_it_by_oidc(self):
        statement = self.trust(Trust="Irsa", OidcProvider="oidc.example/id/1", Namespace="n", ServiceAccount="s")
        self.assertEqual(statement["Action"], "sts:AssumeRoleWithWebIdentity")
        self.assertEqual(statement["Principal"], {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/1"})
        equal = {"oidc.example/id/1:aud": "sts.amazonaws.com", "oidc.example/id/1:sub": "system:serviceaccount:n:s"}
        self.assertEqual(statement["Condition"], {"StringEquals": equal})

    def test_what_goes_into_the_trust_policys_text_cannot_leave_its_place(self):
        declared = example("operator-role").template["Parameters"]
        for name in ("OidcProvider", "Namespace", "ServiceAccount"):
            for bad in ('a"', "a\\", "a}", "a\n", "a b", "a*"):
                with self.subTest(name=name, bad=bad):
                    self.assertIsNone(re.fullmatch(declared[name]["AllowedPattern"], bad))


class ProjectRoles(unittest.TestCase):
    def roles(self, **given):
        return example("project-roles", ConnectionArns=CONNECTION, Repositories=["team/taxi-*"], ProjectNames="taxi-*", **given)

    def test_four_roles_are_made_each_for_the_services_that_need_it(self):
        trusted = {}
        for name, role in self.roles().resources("AWS::IAM::Role"):
            [statement] = role["AssumeRolePolicyDocument"]["Statement"]
            trusted[name] = listed(statement["Principal"]["Service"])
        self.assertEqual(
            trusted,
            {
                "LaunchRole": ["servicecatalog.amazonaws.com"],
                "UseRole": ["sagemaker.amazonaws.com"],
                "CheckInRole": ["codebuild.amazonaws.com", "lambda.amazonaws.com"],
                "StackRole": ["cloudformation.amazonaws.com"],
            },
        )

    def test_existing_roles_are_left_as_they_are_and_get_what_they_lack(self):
        stack = self.roles(LaunchRoleName="launch", UseRoleName="use")
        self.assertEqual([name for name, _ in stack.resources("AWS::IAM::Role")], ["CheckInRole", "StackRole"])
        policies = dict(stack.resources("AWS::IAM::Policy"))
        self.assertEqual(policies["LaunchPolicy"]["Roles"], ["launch"])
        self.assertEqual(policies["CheckInPolicy"]["Roles"], ["<CheckInRole>"])
        self.assertEqual(policies["OwnerTagsPolicy"]["Roles"], ["use", "<CheckInRole>"])
        self.assertNotIn("PipelinePolicy", policies)

    def test_the_launch_role_may_pass_the_check_in_role_alone(self):
        statement = dict(self.roles(UseRoleName="use").resources("AWS::IAM::Policy"))["LaunchPolicy"]
        [passed] = [one for one in statement["PolicyDocument"]["Statement"] if one["Action"] == "iam:PassRole"]
        self.assertEqual(passed["Resource"], "<CheckInRole.Arn>")

    def test_a_seed_code_check_in_uses_the_given_connections_alone_and_for_the_given_repositories(self):
        for sid, service in (("Connections", "codeconnections"), ("OlderConnections", "codestar-connections")):
            statement = self.roles().statements()[sid]
            self.assertEqual(statement["Resource"], CONNECTION)
            self.assertEqual(statement["Condition"], {"StringLike": {f"{service}:FullRepositoryId": ["team/taxi-*"]}})

    def test_a_connection_is_not_tagged_so_that_studios_use_role_may_use_it(self):
        [(_, connection)] = example("connection").resources("AWS::CodeConnections::Connection")
        self.assertNotIn("Tags", connection)

    def test_archives_of_ones_own_are_read_from_the_bucket_that_is_named(self):
        self.assertNotIn("Archives", self.roles().statements())
        self.assertEqual(self.roles(ArchiveBuckets="seeds").statements()["Archives"]["Resource"], "arn:aws:s3:::seeds/*")

    def test_the_use_role_gets_every_key_that_is_named_that_of_the_operators_artifacts_too(self):
        self.assertNotIn("Key", self.roles().statements())
        keys = ["arn:aws:kms:eu-central-1:111122223333:key/buckets", "arn:aws:kms:eu-central-1:111122223333:key/artifacts"]
        self.assertEqual(self.roles(KmsKeyArn=keys).statements()["Key"]["Resource"], keys)

    def test_no_role_may_write_roles_but_the_stack_role_and_only_those_of_triggers(self):
        for name, policy in self.roles().resources("AWS::IAM::Policy"):
            for statement in policy["PolicyDocument"]["Statement"]:
                writes = [action for action in listed(statement["Action"]) if re.match(r"iam:(Create|Put|Attach|Update)", action)]
                if writes:
                    self.assertEqual(policy["Roles"], ["<StackRole>"], name)
                    self.assertEqual(statement["Resource"], "arn:aws:iam::111122223333:role/mlops-*-FunctionRole-*")
                bounds = [action for action in writes if re.match(r"iam:(Create|Put|Attach)", action)]
                if bounds:
                    self.assertEqual(statement["Condition"], {"ArnEquals": {"iam:PermissionsBoundary": "<TriggerBoundary>"}})
        self.assertNotIn("iam:CreateRole", granted(self.roles(RuntimeRoleArn=USE_ROLE).statements().values()))

    def test_a_triggers_role_needs_nothing_beyond_its_boundary(self):
        bounds = granted(dict(self.roles().resources("AWS::IAM::ManagedPolicy"))["TriggerBoundary"]["PolicyDocument"]["Statement"])
        text = (ROOT / "src" / "templates" / "model-trigger.yaml").read_text()
        given = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "ArtifactBucket": "mlops-b", "BucketPrefix": "mlops-operator/0a1b/"}
        [(_, role)] = Stack(text, given).resources("AWS::IAM::Role")
        needs = granted(sum((one["PolicyDocument"]["Statement"] for one in role["Policies"]), []))
        self.assertEqual(needs.keys(), bounds.keys())

    def test_the_stack_role_makes_each_type_of_the_triggers_stack(self):
        makes = {
            "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
            "AWS::Events::Rule": "events:PutRule",
            "AWS::IAM::Role": "iam:CreateRole",
            "AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping",
            "AWS::Lambda::Function": "lambda:CreateFunction",
            "AWS::Logs::LogGroup": "logs:CreateLogGroup",
            "AWS::SQS::Queue": "sqs:CreateQueue",
            "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
            "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
        }
        trigger = load((ROOT / "src" / "templates" / "model-trigger.yaml").read_text())
        self.assertEqual({one["Type"] for one in trigger["Resources"].values()}, makes.keys())
        policies = self.roles().resources("AWS::IAM::Policy")
        ours = [policy["PolicyDocument"]["Statement"] for _, policy in policies if policy["Roles"] == ["<StackRole>"]]
        self.assertLessEqual({*makes.values()}, granted(sum(ours, [])).keys())


class JenkinsUser(unittest.TestCase):
    def test_it_may_do_what_the_jobs_do_and_touch_no_endpoint_where_there_is_none(self):
        actions = granted(example("jenkins-user", **PROJECT).statements().values())
        for action in ("sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution", "s3:PutObject", "iam:PassRole"):
            self.assertIn(action, actions)
        self.assertNotIn("cloudformation:CreateStack", actions)
        self.assertNotIn("sagemaker:CreateEndpoint", actions)
        with_endpoints = granted(example("jenkins-user", **PROJECT, DeploysEndpoints="true").statements().values())
        self.assertLess(actions.keys(), with_endpoints.keys())
        self.assertIn("sagemaker:CreateEndpoint", with_endpoints)

    def test_it_may_make_every_call_that_the_jobs_were_seen_to_make(self):
        """What the seed code's tests record of each job; they run its commands against a stand-in for AWS."""
        services = {"s3": "s3", "sagemaker": "sagemaker", "runtime": "sagemaker", "cloudformation": "cloudformation"}
        others = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject"}
        ours = granted(example("jenkins-user", **PROJECT, DeploysEndpoints="true").statements().values())
        seen = set()
        for golden in (ROOT / "tests" / "python" / "seed" / "golden").glob("*.txt"):
            for service, operation in re.findall(r"\b([A-Za-z0-9]+)\.([A-Z][A-Za-z0-9]+) (?:\{|as )", golden.read_text()):
                action = f"{services[service.lower()]}:{operation}"
                seen.add(others.get(action, action))
        self.assertGreater(len(seen), 5)
        self.assertEqual(seen - ours.keys(), set())

    def test_it_passes_the_use_role_alone_and_to_sagemaker_alone(self):
        passed = example("jenkins-user", **PROJECT).statements()["RunAs"]
        self.assertEqual(passed["Resource"], USE_ROLE)
        self.assertEqual(passed["Condition"], {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}})

    def test_its_access_key_stands_in_no_stack(self):
        template = example("jenkins-user").template
        self.assertNotIn("AWS::IAM::AccessKey", {one["Type"] for one in template["Resources"].values()})

    def test_one_identity_is_made_as_asked_for(self):
        kinds = {"User": ["AWS::IAM::User"], "InstanceRole": ["AWS::IAM::InstanceProfile", "AWS::IAM::Role"], "PodRole": ["AWS::IAM::Role"]}
        for identity, wanted in kinds.items():
            stack = example("jenkins-user", **PROJECT, Identity=identity)
            made = [kind for kind in ("AWS::IAM::User", "AWS::IAM::InstanceProfile", "AWS::IAM::Role") if any(stack.resources(kind))]
            self.assertEqual(made, wanted)


class LeastPrivilege(unittest.TestCase):
    def test_no_example_grants_all_of_a_service_or_what_can_be_narrowed_everywhere(self):
        stacks = [
            example("operator-role", StackRoleArns="arn:r", LaunchRoleArns="arn:l", DeletesData="true", KmsKeyArn="arn:k"),
            example("project-roles", ConnectionArns=CONNECTION, Repositories=["team/x"], ProjectNames="taxi-*", ProjectBucketArns=["arn:aws:s3:::b*"], KmsKeyArn="arn:k"),
            example("jenkins-user", **PROJECT, DeploysEndpoints="true", KmsKeyArn="arn:k"),
        ]
        for stack in stacks:
            for action, resources in granted(stack.statements().values()).items():
                with self.subTest(action=action):
                    self.assertNotIn("*", action)
                    if action.startswith(("iam:Pass", "s3:Get", "s3:Put", "kms:", "codeconnections:Use", "secretsmanager:Get")):
                        self.assertNotIn("*", resources - ({"*"} if action == "secretsmanager:GetRandomPassword" else set()))


if __name__ == "__main__":
    unittest.main()
