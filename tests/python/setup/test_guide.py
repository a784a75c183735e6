"""docs/setup.md is run from top to bottom: its own shell blocks in bash, with an AWS CLI that reaches no AWS. Of two
alternatives one is run, and in a second run the other.

So a command that the CLI does not know, a parameter that the API or the template refuses, a variable that no earlier step
has set, or a step in the wrong order fails here.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
GUIDE = (ROOT / "docs" / "setup.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
# Where the page says "either ... or": what the shell blocks of each have in them, and no other block.
ALTERNATIVES = [
    (["ProjectNames='taxi-*'\n"], ["LaunchRoleName=", "get-role --role-name AmazonSageMakerServiceCatalogProductsUseRole"]),
    (["Trust=PodIdentity", "create-pod-identity-association"], ["Trust=Irsa", "eks.amazonaws.com/role-arn"]),
]
TRIGGER = {
    "Tags": [{"Key": "mlops-operator.io/object", "Value": "ml-team/taxi-fares"}],
    "Outputs": [
        {"OutputKey": "LogGroupName", "OutputValue": "mlops-0a1b-LogGroup"},
        {"OutputKey": "WaitingEventsArn", "OutputValue": "arn:aws:sqs:eu-central-1:111122223333:waiting"},
        {"OutputKey": "FailedEventsArn", "OutputValue": "arn:aws:sqs:eu-central-1:111122223333:failed"},
    ],
}


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("examples", "charts"):
            (self.folder / name).symlink_to(ROOT / name)
        self.program("aws", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(HERE / "offline_aws.py"))} "$@"')
        for name in ("kubectl", "helm"):
            self.program(name, f'echo "{name} $*" >> "$OTHERS"')
        self.state, self.others = self.folder / "state.json", self.folder / "others.txt"
        self.start_anew()

    def start_anew(self):
        self.others.write_text("")
        stacks = {"mlops-0a1b2c3d4e5f60718293-model-trigger": TRIGGER}
        self.state.write_text(json.dumps({"stacks": stacks, "calls": [], "commands": []}))

    def program(self, name, body):
        file = self.folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def run_shell(self, text):
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_EC2_METADATA_DISABLED": "true",
            "JENKINS_TOKEN": "example",
            "TRIGGER_TOKEN": "example",
            "OFFLINE_AWS_STATE": str(self.state),
            "OTHERS": str(self.others),
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300,
        )


class Guide(Bench):
    def test_every_command_works_in_the_order_of_the_page_with_one_of_each_two_alternatives(self):
        for taken, case in enumerate(("the first of each", "the second of each")):
            left_out = [sign for pair in ALTERNATIVES for sign in pair[1 - taken]]
            for sign in left_out:
                self.assertEqual(sum(sign in block for block in SHELL), 1, sign)
            with self.subTest(case=case):
                self.start_anew()
                self.run_page([block for block in SHELL if not any(sign in block for sign in left_out)])
                annotated = 'role-arn: "arn:aws:iam::111122223333:role/RoleArn"' in (self.folder / "values.yaml").read_text()
                self.assertEqual(annotated, "Trust=Irsa" not in left_out)

    def run_page(self, blocks):
        done = self.run_shell("\n".join(blocks))
        self.assertEqual(done.returncode, 0, done.stderr)
        state = json.loads(self.state.read_text())
        self.assertEqual(len(state["commands"]), len(re.findall(r"\baws [a-z0-9-]+ [a-z-]+", "\n".join(blocks))))
        made = {"mlops-connection", "mlops-project-roles-ml-team", "mlops-jenkins-taxi-fares", "mlops-operator"}
        self.assertEqual(made, {*state["stacks"]} - {"mlops-0a1b2c3d4e5f60718293-model-trigger"})
        self.assertIn("helm install mlops-operator", self.others.read_text())
        key = self.folder / "jenkins-access-key.json"
        self.assertEqual(key.stat().st_mode & 0o077, 0, "the access key is its owner's alone")
        self.assertEqual(json.loads(key.read_text())["AccessKey"]["UserName"], "arn:aws:iam::111122223333:role/UserName")
        self.assertEqual(state["calls"][-1], "StartMessageMoveTask")

    def test_it_names_every_template_of_examples_aws(self):
        for template in sorted((ROOT / "examples" / "aws").glob("*.yaml")):
            self.assertIn(f"examples/aws/{template.name}", "\n".join(SHELL))

    def test_the_values_are_ones_that_the_chart_has(self):
        values = "".join(re.findall(r"<<VALUES\n(.*?)^VALUES$", GUIDE, re.DOTALL | re.MULTILINE))
        chart = (ROOT / "charts" / "mlops-operator" / "values.yaml").read_text()
        for key in re.findall(r"^ *(?:- )?([a-zA-Z]+):", values, re.MULTILINE):
            self.assertRegex(chart, rf"(?m)^[ #]*{key}:")


class Wall(Bench):
    """What the run above would be worth nothing without: that it fails where it must."""

    def test_what_aws_does_not_take_fails(self):
        deploy = "aws cloudformation deploy --stack-name s --template-file examples/aws"
        role = "arn:aws:iam::111122223333:role/r"
        cases = {
            "an operation that is not there": "aws sts get-caller-id",
            "an option that is not there": "aws iam get-role --rolename x",
            "a value that is too short": "aws iam get-role --role-name ''",
            "an option that is missing": "aws eks describe-cluster",
            "a parameter that the template lacks": f"{deploy}/connection.yaml --parameter-overrides Name=x",
            "a value that the template refuses": f"{deploy}/connection.yaml --parameter-overrides ProviderType=CVS",
            "a parameter without value": f"{deploy}/jenkins-user.yaml --capabilities CAPABILITY_IAM",
            "roles without consent": f"{deploy}/operator-role.yaml --parameter-overrides StackRoleArns={role} LaunchRoleArns={role}",
            "a stack that nobody made": "aws cloudformation describe-stacks --stack-name none",
            "a variable that nobody set": 'aws iam get-role --role-name "$NOBODY"',
        }
        self.assertEqual(self.run_shell(f"export AWS_DEFAULT_REGION=eu-central-1\n{deploy}/connection.yaml").returncode, 0)
        for case, command in cases.items():
            with self.subTest(case=case):
                self.assertNotEqual(self.run_shell(f"export AWS_DEFAULT_REGION=eu-central-1\n{command}").returncode, 0)


if __name__ == "__main__":
    unittest.main()
