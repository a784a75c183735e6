"""The project's CloudFormation templates, and what their values come to. It only knows what the tests ask of it.

A value is worked out for one choice of every parameter (the longest that it may have, or one that fits its pattern)
and of every condition (all that the template names hold, or none). What it cannot work out, it refuses.
"""

import functools
import pathlib
import re

from cfnlint.decode import cfn_yaml

ROOT = pathlib.Path(__file__).parents[3]
PLACES = (
    "src/templates/*.yaml",
    "examples/templates/**/*.y*ml",
    "examples/aws/**/*.y*ml",
    "examples/aws/**/*.json",
    "examples/nyc-taxi/**/*.y*ml",
)
ACCOUNT, REGION = "111122223333", "eu-west-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}
LONGEST = 2048
# Values that people give, for parameters whose pattern asks for something of a form.
GIVEN = (
    f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
    f"arn:aws:codestar-connections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
    f"arn:aws:iam::{ACCOUNT}:role/path/one",
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "arn:aws:s3:::sagemaker-project-p-0a1b2c3d4e5f*",
    f"arn:aws:sns:{REGION}:{ACCOUNT}:topic",
    f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:jenkins-AbCdEf",
    f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/group/1",
    "https://example.com/team/one.git",
    "s3://bucket/key",
    "team/one",
    "name",
    "1",
    "",
)
# What Ref or Fn::GetAtt of an ARN give, by type.
ARNS = {
    "AWS::CodeBuild::Project": "codebuild:{r}:{a}:project/{n}",
    "AWS::CodeConnections::Connection": "codeconnections:{r}:{a}:connection/{n}",
    "AWS::CodeStarConnections::Connection": "codestar-connections:{r}:{a}:connection/{n}",
    "AWS::Events::Rule": "events:{r}:{a}:rule/{n}",
    "AWS::IAM::ManagedPolicy": "iam::{a}:policy/{n}",
    "AWS::IAM::Role": "iam::{a}:role/{n}",
    "AWS::IAM::User": "iam::{a}:user/{n}",
    "AWS::KMS::Key": "kms:{r}:{a}:key/{n}",
    "AWS::Lambda::Function": "lambda:{r}:{a}:function:{n}",
    "AWS::Logs::LogGroup": "logs:{r}:{a}:log-group:{n}:*",
    "AWS::S3::Bucket": "s3:::{n}",
    "AWS::SNS::Topic": "sns:{r}:{a}:{n}",
    "AWS::SQS::Queue": "sqs:{r}:{a}:{n}",
    "AWS::SecretsManager::Secret": "secretsmanager:{r}:{a}:secret:{n}-AbCdEf",
}
REF_IS_ARN = (
    "AWS::CodeConnections::Connection",
    "AWS::CodeStarConnections::Connection",
    "AWS::IAM::ManagedPolicy",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
)


# A region, an account, a partition; a pattern that takes any of them is none.
FIXED = re.compile(
    r"\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)-(?:gov-)?(?:north|south|east|west|central)(?:east|west)?-\d\b"
    r"|(?<![0-9a-f])\d{12}(?![0-9a-f])|\barn:aws(?:-cn|-us-gov)?:|\.amazonaws\.com\.cn\b"
)


class Template:
    """One template, in the long form of its functions."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        self.text = path.read_text()
        self.body = cfn_yaml.load(str(path))

    @property
    def resources(self):
        return self.body["Resources"]

    def values(self, longest=False, holds=True):
        return Values(self, longest, holds)


@functools.cache
def templates():
    """All of them; a file without resources, such as a list of parameters or a policy, is none."""
    paths = sorted({path for place in PLACES for path in ROOT.glob(place)})
    found = [Template(path) for path in paths if "AWSTemplateFormatVersion" in path.read_text()]
    return [template for template in found if "Resources" in template.body]


def written_down(template):
    """Regions, accounts and partitions that stand in a template's values, with the place of each."""
    body = {key: value for key, value in template.body.items() if key not in ("Description", "Metadata")}
    for path, value in walk(body):
        if isinstance(value, str) and path[-1] not in ("AllowedPattern", "Description", "ConstraintDescription"):
            for match in FIXED.finditer(value):
                yield f"{'/'.join(path)}: {match[0]}"


def walk(node, path=()):
    """Every value of a tree that is no object or list, with its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from walk(value, (*path, str(number)))
    else:
        yield path, node


def longest_match(pattern):
    """How many letters a may follow each other in a text of this pattern, up to LONGEST."""
    if re.fullmatch(pattern, "a" * LONGEST):
        return LONGEST
    return max((length for length in range(300) if re.fullmatch(pattern, "a" * length)), default=0)


class Values:
    """Values of a template for one choice of parameters and conditions."""

    def __init__(self, template, longest, holds):
        self.template, self.longest, self.holds = template, longest, holds

    def parameter(self, declared):
        """A parameter's value; of a list, everything that people may give."""
        pattern, most = declared.get("AllowedPattern", ".*"), int(declared.get("MaxLength", LONGEST))
        choices = [str(one) for one in declared.get("AllowedValues", [])]
        letters = "a" * min(most, longest_match(pattern))
        if self.longest:
            values = [max([*choices, letters if not choices else ""], key=len)]
        else:
            fits = [one for one in GIVEN if re.fullmatch(pattern, one) and len(one) <= most]
            values = list(filter(None, [str(declared.get("Default", ""))])) or choices or fits or [letters]
        return list(filter(None, values)) or values if "List" in declared["Type"] else values[0]

    def of(self, node):
        if isinstance(node, list):
            return [one for one in map(self.of, node) if one is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return getattr(self, function.removeprefix("Fn::").lower())(argument)
        worked = {key: self.of(value) for key, value in node.items()}
        return {key: value for key, value in worked.items() if value is not None}

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.template.body.get("Parameters", {}):
            return self.parameter(self.template.body["Parameters"][name])
        kind = self.template.resources[name]["Type"]
        return self.arn(name) if kind in REF_IS_ARN else self.named(name)

    def named(self, resource):
        """The name of a resource: its own, or a stand-in for the one that CloudFormation makes up."""
        properties = self.template.resources[resource].get("Properties", {})
        own = next((key for key in properties if key == "Name" or key.endswith("Name")), None)
        return self.of(properties[own]) if own else resource.lower()

    def arn(self, resource):
        form = ARNS[self.template.resources[resource]["Type"]]
        return "arn:aws:" + form.format(r=REGION, a=ACCOUNT, n=self.named(resource))

    def getatt(self, argument):
        resource, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        return self.arn(resource) if attribute == "Arn" else f"{resource.lower()}-{attribute.lower()}"

    def sub(self, argument):
        text, own = argument if isinstance(argument, list) else (argument, {})

        def value(match):
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            found = self.of(own[name]) if name in own else self.getatt(name) if "." in name else self.ref(name)
            return str(found)

        return re.sub(r"\$\{([^}]*)\}", value, text)

    def join(self, argument):
        return argument[0].join(str(one) for one in self.of(argument[1]))

    def split(self, argument):
        return self.of(argument[1]).split(argument[0])

    def select(self, argument):
        return self.of(argument[1])[int(argument[0])]

    def findinmap(self, argument):
        name, key, member = map(self.of, argument[:3])
        return self.template.body["Mappings"][name][key][member]

    def base64(self, argument):
        return self.of(argument)

    def __getattr__(self, name):
        # `if` is a word of Python's.
        if name == "if":
            return lambda argument: self.of(argument[1] if self.holds else argument[2])
        raise AttributeError(f"{self.template.name} uses a function that this test does not work out: Fn::{name}")
