"""The function that starts a check-in, as it stands in the template, against a CodeBuild of the test's own."""

import os
import sys
import types
import unittest

from cfnlint.decode import cfn_yaml
from harness import BUILD, CONNECTION, ROOT, VALUES, responses

TEMPLATE = ROOT / "src" / "templates" / "jenkins-git-v1.yaml"
RESOURCES = cfn_yaml.load(str(TEMPLATE))["Resources"]
SOURCE = RESOURCES["SeedCodeCheckInFunction"]["Properties"]["Code"]["ZipFile"]


class CodeBuild:
    """Takes builds, or refuses them."""

    def __init__(self):
        self.started, self.refusal = [], None

    def start_build(self, **given):
        if self.refusal:
            raise RuntimeError(self.refusal)
        self.started.append(given)
        return {"build": {"id": f"{given['projectName']}:1"}}


class SeedCodeFunction(unittest.TestCase):
    def setUp(self):
        self.codebuild, self.waited = CodeBuild(), []
        sys.modules["boto3"] = types.SimpleNamespace(client=lambda name: {"codebuild": self.codebuild}[name])
        self.addCleanup(sys.modules.pop, "boto3")
        os.environ["PROJECT"] = "sagemaker-taxi-fares-p-abc123-git-seedcodecheckin"
        self.server, self.sent = responses(self)
        self.module = {"__name__": "index"}
        exec(compile(SOURCE, "index.py", "exec"), self.module)
        self.module["time"] = types.SimpleNamespace(sleep=self.waited.append)
        self.module["print"] = lambda *words: None

    def event(self, kind="Create", known=None, **changes):
        event = {
            "RequestType": kind,
            "ResponseURL": f"{self.server.url}/answer?signature=1",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/SC-1/2",
            "RequestId": "5d478078-13e9-baf0-464a-7ef285ecc786",
            "LogicalResourceId": "ModelBuildSeedCodeCheckIn",
            "ResourceProperties": {
                "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:f",
                "RepositoryFullName": "example/churn",
                "Branch": "main",
                "ConnectionArn": CONNECTION,
                "SeedCodeUrl": "s3://seeds/build.zip",
                "SeedCodeSha256": "a" * 64,
                **changes,
            },
        }
        return {**event, "PhysicalResourceId": known} if known else event

    def call(self, *words, **changes):
        self.module["handler"](self.event(*words, **changes), None)

    def variables(self, build=0):
        given = self.codebuild.started[build]["environmentVariablesOverride"]
        self.assertEqual({one["type"] for one in given}, {"PLAINTEXT"})
        return {one["name"]: one["value"] for one in given}

    def test_a_creation_starts_one_build_and_leaves_the_answer_to_it(self):
        self.call()
        build = self.codebuild.started[0]
        self.assertEqual(build["projectName"], "sagemaker-taxi-fares-p-abc123-git-seedcodecheckin")
        self.assertEqual(build["idempotencyToken"], "5d478078-13e9-baf0-464a-7ef285ecc786")
        given = self.variables()
        self.assertEqual(given.pop("RESPONSE_URL"), f"{self.server.url}/answer?signature=1")
        self.assertRegex(given.pop("PHYSICAL_RESOURCE_ID"), "^seed-code-[0-9a-f]{32}$")
        self.assertEqual(
            given,
            {
                "STACK_ID": "arn:aws:cloudformation:eu-west-1:111122223333:stack/SC-1/2",
                "REQUEST_ID": "5d478078-13e9-baf0-464a-7ef285ecc786",
                "LOGICAL_RESOURCE_ID": "ModelBuildSeedCodeCheckIn",
                "REPOSITORY_FULL_NAME": "example/churn",
                "BRANCH": "main",
                "CONNECTION_ARN": CONNECTION,
                "SEED_CODE_URL": "s3://seeds/build.zip",
                "SEED_CODE_SHA256": "a" * 64,
            },
        )
        self.assertEqual(self.sent, [])

    def test_a_call_that_lambda_repeats_has_the_same_token(self):
        self.call()
        self.call()
        self.assertEqual(len({build["idempotencyToken"] for build in self.codebuild.started}), 1)

    def test_only_another_repository_or_branch_is_another_thing(self):
        self.call()
        first = self.variables()["PHYSICAL_RESOURCE_ID"]
        cases = (
            ({"SeedCodeUrl": "https://example.com/a.zip", "SeedCodeSha256": "b" * 64}, True),
            ({"ConnectionArn": CONNECTION[:-1] + "2"}, True),
            ({"RepositoryFullName": "example/other"}, False),
            ({"Branch": "develop"}, False),
        )
        for number, (changes, same) in enumerate(cases, 1):
            with self.subTest(changes):
                self.call("Update", first, **changes)
                self.assertEqual(self.variables(number)["PHYSICAL_RESOURCE_ID"] == first, same)

    def test_a_deletion_starts_nothing_and_succeeds_at_once(self):
        self.call("Delete", "seed-code-1")
        self.assertEqual(self.codebuild.started, [])
        path, kind, answer, _ = self.sent[0]
        self.assertEqual((path, kind), ("/answer?signature=1", ""))
        self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("SUCCESS", "seed-code-1"))
        self.assertEqual(answer["RequestId"], "5d478078-13e9-baf0-464a-7ef285ecc786")

    def test_a_build_that_cannot_be_started_fails_the_stack_with_the_reason(self):
        self.codebuild.refusal = "the role is not authorized to perform: codebuild:StartBuild"
        self.call()
        answer = self.sent[0][2]
        self.assertEqual(answer["Status"], "FAILED")
        self.assertEqual(answer["Reason"], f"The seed code check-in did not start: {self.codebuild.refusal}")
        self.assertRegex(answer["PhysicalResourceId"], "^seed-code-")

    def test_even_an_event_that_lacks_everything_is_answered(self):
        event = self.event()
        event["ResourceProperties"] = {}
        self.module["handler"](event, None)
        self.assertEqual((self.sent[0][2]["Status"], self.sent[0][2]["PhysicalResourceId"]), ("FAILED", "unnamed"))

    def test_a_reason_of_any_length_and_language_fits_into_an_answer(self):
        self.codebuild.refusal = "拒" * 5000
        self.call()
        self.assertLessEqual(self.sent[0][3], 4096)

    def test_an_answer_that_is_not_taken_is_sent_again_and_then_left_to_lambda(self):
        self.server, self.sent = responses(self, [500, 503])
        self.call("Delete", "seed-code-1")
        self.assertEqual((len(self.sent), self.waited), (3, [1, 2]))
        self.server, self.sent = responses(self, [500] * 5)
        with self.assertRaises(OSError):
            self.call("Delete", "seed-code-1")
        self.assertEqual(len(self.sent), 5)

    def test_it_fits_where_inline_code_was_always_allowed(self):
        self.assertLessEqual(len(SOURCE), 4096)

    def test_the_build_is_told_what_the_check_ins_tests_tell_it(self):
        project = RESOURCES["SeedCodeCheckInProject"]["Properties"]["Environment"]["EnvironmentVariables"]
        self.call()
        self.assertEqual(set(self.variables()), set(BUILD))
        self.assertEqual({one["Name"] for one in project} | {"AWS_REGION"}, set(VALUES))


if __name__ == "__main__":
    unittest.main()
