"""What all CloudFormation templates and IAM policies of the project keep to, whoever wrote them."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import warnings

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

with warnings.catch_warnings(action="ignore"):
    # It still reads its data with pkg_resources, which says that it is old.
    import parliament

from read import LONGEST, REGION, ROOT, Template, templates, walk, written_down

# Limits that the resource schemas lack, as the services' API references give them.
LIMITS = {
    ("AWS::CodeBuild::Project", "Name"): 150,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::Lambda::Function", "FunctionName"): 64,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
}
# Properties that name another thing than the resource itself.
FOREIGN = {("AWS::Lambda::Permission", "FunctionName"), ("AWS::Lambda::EventInvokeConfig", "FunctionName")}
# Actions that are given for every resource because what they are about has no name beforehand.
NAMELESS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}
# Roles that are about things whose names are AWS's own, or that the reader is asked to narrow.
WIDE_FILES = {"examples/aws/operator-role.yaml"}
# What the linter holds to be too much, and why it is not: whoever makes a bucket says what becomes of its old versions.
ACCEPTED = {"s3:PutLifecycleConfiguration"}
# The bytes of each version of the project template, by its name. One that was released never changes again: projects
# stand on it. A new form is a new name.
VERSIONS = {
    "jenkins-git-v1": "4b5c72a74366bfae82dc07d2adf0f9f2c9b81b96669b67ad75cf67648abb6df3",
}
TAGGED = "sagemaker:project-id", "sagemaker:project-name"


def policies(template, holds):
    """The identity policies of a template, worked out; those with a principal say who, not what, and are no such."""
    values = template.values(holds=holds)

    def find(node, path):
        if isinstance(node, dict):
            if "Statement" in node:
                yield "/".join(path), values.of(node)
                return
            for key, value in node.items():
                yield from find(value, (*path, str(key)))
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from find(value, (*path, str(number)))

    for path, policy in find(template.resources, ()):
        if not any("Principal" in statement for statement in policy["Statement"]):
            yield path, policy


def actions(policy):
    """All actions that a policy names."""
    return {text for path, text in walk(policy) if "Action" in path}


def complaints(policy, wide=()):
    """What the linter says of a policy; wide: the actions that may have every resource."""
    said = []
    for one in parliament.analyze_policy_string(json.dumps(policy), ignore_private_auditors=True).findings:
        detail = one.detail or one.location
        if one.issue == "RESOURCE_STAR":
            detail = sorted(set(detail) - set(wide))
        if detail and not (one.issue == "RESOURCE_POLICY_PRIVILEGE_ESCALATION" and ACCEPTED & set(str(detail).split())):
            said.append(f"{one.issue}: {detail}")
    return said


def schema(kind, name):
    """The schema of a property of a type, with its reference followed; None where the type has no such property."""
    whole = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    found = whole["properties"].get(name)
    if found and "$ref" in found:
        found = whole["definitions"][found["$ref"].rpartition("/")[2]]
    return found


def names(template):
    """The names that a template puts together, at their longest: (resource, type, property, name)."""
    values = template.values(longest=True)
    for resource, declared in template.resources.items():
        kind = declared["Type"]
        if kind.startswith("Custom::"):
            continue
        for key, value in declared.get("Properties", {}).items():
            if (key == "Name" or key.endswith("Name")) and (kind, key) not in FOREIGN and isinstance(value, dict):
                yield resource, kind, key, values.of(value)


class Templates(unittest.TestCase):
    def test_there_are_some(self):
        self.assertIn("src/templates/jenkins-git-v1.yaml", [template.name for template in templates()])

    def test_cfn_lint_has_neither_an_error_nor_a_warning(self):
        command = [pathlib.Path(sys.executable).with_name("cfn-lint"), "--format", "parseable", "--"]
        paths = [template.path for template in templates()]
        done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_they_fit_into_a_request_that_carries_them(self):
        for template in templates():
            with self.subTest(template.name):
                self.assertLess(len(template.text.encode()), 51_200)

    def test_no_region_account_or_partition_is_written_down(self):
        for template in templates():
            with self.subTest(template.name):
                self.assertEqual(list(written_down(template)), [])

    def test_no_name_is_too_long_however_long_the_projects_own_is(self):
        checked = 0
        for template in templates():
            with self.subTest(template.name):
                for resource, kind, key, name in names(template):
                    with self.subTest(resource):
                        limit = LIMITS.get((kind, key)) or (schema(kind, key) or {}).get("maxLength")
                        self.assertIsNotNone(limit, f"how long may {key} of {kind} be? LIMITS does not say")
                        self.assertLessEqual(len(name), limit, f"{key} {name!r}")
                        pattern = (schema(kind, key) or {}).get("pattern")
                        if pattern:
                            self.assertRegex(name, pattern.replace(r"\Z", "$"))
                        checked += 1
        self.assertGreater(checked, 5)

    def test_a_name_that_overflows_and_what_is_written_down_are_found(self):
        """The rule that samples are known for: 68 characters where EventBridge takes 64."""
        text = """
        AWSTemplateFormatVersion: '2010-09-09'
        Parameters:
          Name: {Type: String, AllowedPattern: '^[a-zA-Z](-*[a-zA-Z0-9]){0,31}'}
          Id: {Type: String, MaxLength: 14}
        Resources:
          Rule:
            Type: AWS::Events::Rule
            Properties:
              Name: !Sub sagemaker-${Name}-${Id}-event-rule
              Description: us-gov-west-1 may stand in a description
              RoleArn: arn:aws:iam::111122223333:role/x
              EventBusName: default-us-gov-west-1
        """
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            template = Template(pathlib.Path(file.name))
        self.assertEqual([(len(name), key) for _, _, key, name in names(template)], [(68, "Name")])
        found = [one.rpartition("/")[2] for one in written_down(template)]
        self.assertEqual(found, ["RoleArn: arn:aws:", "RoleArn: 111122223333", "EventBusName: us-gov-west-1"])

    def test_the_longest_project_is_32_and_20_characters(self):
        (template,) = [one for one in templates() if one.name == "src/templates/jenkins-git-v1.yaml"]
        values = template.values(longest=True)
        self.assertEqual(values.ref("SageMakerProjectName"), "a" * 32)
        self.assertEqual(values.ref("SageMakerProjectId"), "a" * 20)
        self.assertEqual(len(values.ref("ModelPackageGroup")), 53)
        self.assertEqual(len(values.ref("SeedCodeCheckInProject")), 83)

    def test_every_policy_passes_the_linter(self):
        for template in templates():
            with self.subTest(template.name):
                for holds in (True, False):
                    for path, policy in policies(template, holds):
                        with self.subTest(path):
                            wide = actions(policy) if template.name in WIDE_FILES else NAMELESS
                            self.assertEqual(complaints(policy, wide), [])

    def test_the_linter_sees_what_is_wrong(self):
        allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
        self.assertEqual(complaints({"Version": "2012-10-17", "Statement": [allow]}), [])
        for change in ({"Action": "s3:GetObjet"}, {"Resource": "arn:aws:s3:::bucket"}, {"Efect": "Allow"}):
            self.assertNotEqual(complaints({"Version": "2012-10-17", "Statement": [{**allow, **change}]}), [])

    def test_every_policy_in_the_documentation_passes_the_linter(self):
        """The pages give every resource where they ask the reader to name his own."""
        checked = 0
        for page in sorted((ROOT / "docs").glob("*.md")):
            for text in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
                policy = json.loads(text)
                if "Effect" in policy:
                    policy = {"Version": "2012-10-17", "Statement": [policy]}
                if "Statement" in policy:
                    checked += 1
                    with self.subTest(page.name, text=text[:80]):
                        self.assertEqual(complaints(policy, actions(policy)), [])
        self.assertGreater(checked, 0)


class ProjectTemplate(unittest.TestCase):
    """What the project template promises beyond what all templates do."""

    def setUp(self):
        (self.template,) = [one for one in templates() if one.name == "src/templates/jenkins-git-v1.yaml"]
        self.resources = self.template.resources

    def test_its_name_stands_for_these_very_bytes(self):
        for name, sha256 in VERSIONS.items():
            found = hashlib.sha256((ROOT / "src" / "templates" / f"{name}.yaml").read_bytes()).hexdigest()
            self.assertEqual(found, sha256, f"{name} was changed: where it is released already, it needs another name")

    def test_all_that_takes_tags_carries_the_projects(self):
        for resource, declared in self.resources.items():
            if declared["Type"].startswith("Custom::") or not schema(declared["Type"], "Tags"):
                continue
            with self.subTest(resource):
                tags = {one["Key"]: one["Value"] for one in declared["Properties"]["Tags"]}
                self.assertEqual(
                    tags, {TAGGED[0]: {"Ref": "SageMakerProjectId"}, TAGGED[1]: {"Ref": "SageMakerProjectName"}}
                )

    def test_it_makes_no_role_since_the_launch_role_may_not(self):
        self.assertEqual([kind for kind in map(self.kind, self.resources) if kind.startswith("AWS::IAM::")], [])

    def kind(self, resource):
        return self.resources[resource]["Type"]

    def test_what_users_put_in_outlives_the_stack_but_not_a_failed_creation(self):
        for resource in ("MlOpsArtifactsBucket", "MlOpsArtifactsBucketPolicy", "ModelPackageGroup"):
            declared = self.resources[resource]
            self.assertEqual(
                (declared["DeletionPolicy"], declared["UpdateReplacePolicy"]), ("RetainExceptOnCreate", "Retain")
            )
        others = set(self.resources) - {"MlOpsArtifactsBucket", "MlOpsArtifactsBucketPolicy", "ModelPackageGroup"}
        self.assertFalse([one for one in others if "DeletionPolicy" in self.resources[one]])

    def test_the_bucket_is_encrypted_versioned_private_tidy_and_spoken_to_over_tls_only(self):
        bucket = self.resources["MlOpsArtifactsBucket"]["Properties"]
        self.assertEqual(bucket["VersioningConfiguration"], {"Status": "Enabled"})
        self.assertEqual(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertIn("BucketEncryption", bucket)
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        # Nothing that is in force is ever removed: only what was replaced long ago, and uploads that never ended.
        self.assertEqual(
            set(rule) - {"Id", "Status"}, {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
        )
        (statement,) = self.resources["MlOpsArtifactsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertEqual(
            (statement["Effect"], statement["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        )

    def test_the_check_in_stands_under_conditions_and_its_logs_end(self):
        parts = [one for one in self.resources if one.startswith("SeedCodeCheckIn")]
        self.assertEqual(len(parts), 4)
        for part in parts:
            self.assertEqual(self.resources[part]["Condition"], "WantsAnySeedCode")
            if self.kind(part) == "AWS::Logs::LogGroup":
                self.assertEqual(self.resources[part]["Properties"]["RetentionInDays"], 30)

    def test_the_check_in_is_bounded_and_cloudformation_waits_longer(self):
        project = self.resources["SeedCodeCheckInProject"]["Properties"]
        bound = 60 * (project["TimeoutInMinutes"] + project["QueuedTimeoutInMinutes"])
        starters = [one for one in self.resources.values() if one["Type"] == "Custom::SeedCodeCheckIn"]
        self.assertEqual(len(starters), 4)
        for starter in starters:
            self.assertGreater(starter["Properties"]["ServiceTimeout"], bound)

    def test_the_check_in_itself_comes_from_a_bucket_of_the_platforms_own(self):
        source = self.resources["SeedCodeCheckInProject"]["Properties"]["Source"]
        location = {"Fn::Sub": "${SeedCodeBootstrapBucket}/${SeedCodeBootstrapKey}"}
        self.assertEqual(source, {"Type": "S3", "Location": location})

    def test_the_endpoint_repository_can_be_left_out_as_a_whole(self):
        rules = self.template.body["Metadata"]["SagemakerTemplateParameterRules"]
        for name, declared in self.template.body["Parameters"].items():
            if name.startswith("ModelDeployEndpoint"):
                self.assertIn("Default", declared, name)
                self.assertEqual(rules[name], {"Optional": True}, name)
        repository = self.resources["ModelDeployEndpointSagemakerCodeRepository"]
        self.assertEqual(repository["Condition"], "WantsEndpointRepository")

    def test_every_parameter_has_a_place_and_a_label_in_the_form_and_every_optional_one_a_default(self):
        parameters = set(self.template.body["Parameters"])
        form = self.template.body["Metadata"]["AWS::CloudFormation::Interface"]
        placed = [name for group in form["ParameterGroups"] for name in group["Parameters"]]
        # SageMaker fills in name and id.
        asked = parameters - {"SageMakerProjectName", "SageMakerProjectId"}
        self.assertEqual(sorted(placed), sorted(asked))
        self.assertEqual(set(form["ParameterLabels"]), asked)
        optional = set(self.template.body["Metadata"]["SagemakerTemplateParameterRules"])
        defaults = {name for name, one in self.template.body["Parameters"].items() if "Default" in one}
        self.assertEqual(optional, defaults)

    def test_what_became_of_each_seed_code_is_an_output(self):
        outputs = self.template.body["Outputs"]
        for group in ("ModelPreprocess", "ModelBuild", "ModelDeploy", "ModelDeployEndpoint"):
            output = outputs[f"{group}SeedCode"]
            self.assertEqual(output["Value"], {"Fn::GetAtt": [f"{group}SeedCodeCheckIn", "Result"]})
            self.assertEqual(output["Condition"], self.resources[f"{group}SeedCodeCheckIn"]["Condition"])

    def test_every_parameter_that_people_fill_in_is_held_to_a_pattern(self):
        for name, declared in self.template.body["Parameters"].items():
            self.assertTrue({"AllowedPattern", "AllowedValues"} & set(declared), name)
            self.assertIn("Description", declared, name)

    def test_every_rule_asks_in_a_sentence(self):
        rules = self.template.body["Rules"]
        self.assertEqual(len(rules), 5)
        for name, rule in rules.items():
            for assertion in rule["Assertions"]:
                self.assertRegex(assertion["AssertDescription"], r"^[A-Z].*, so .* must ", name)

    def test_no_runtime_is_on_its_way_out(self):
        self.assertEqual(self.resources["SeedCodeCheckInFunction"]["Properties"]["Runtime"], "python3.13")
        self.assertRegex(
            self.resources["SeedCodeCheckInProject"]["Properties"]["Environment"]["Image"],
            r"^aws/codebuild/amazonlinux-x86_64-standard:6\.0$",
        )

    def test_no_parameter_is_longer_than_sagemaker_takes(self):
        for name, declared in self.template.body["Parameters"].items():
            self.assertLessEqual(int(declared.get("MaxLength", 0)), LONGEST, name)
        self.assertLessEqual(len(self.template.body["Parameters"]), 60)


if __name__ == "__main__":
    unittest.main()
