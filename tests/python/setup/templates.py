"""CloudFormation templates as data: short tags read, intrinsics worked out for given parameters.

Only what the templates in examples/aws and the model trigger's use; anything else is an error, never a guess.
"""

import re

import yaml

NOTHING = object()
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "AWS::Region": "eu-central-1", "AWS::NoValue": NOTHING}


class Loader(yaml.SafeLoader):
    """Reads `!Sub x` as {"Fn::Sub": x}, as CloudFormation does."""


def tag(loader, suffix, node):
    kind = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True)}
    value = kind.get(type(node), lambda node: loader.construct_mapping(node, deep=True))(node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Loader.add_multi_constructor("!", tag)


def load(text):
    return yaml.load(text, Loader)


class Stack:
    """A template with parameters."""

    def __init__(self, text, given=None):
        self.template = load(text)
        declared = self.template.get("Parameters", {})
        self.parameters = {name: one.get("Default") for name, one in declared.items()} | (given or {})

    def condition(self, name):
        return self.value(self.template["Conditions"][name])

    def value(self, node):
        """The node with its intrinsics worked out; a resource stands for itself as `<Name>`, its attribute as `<Name.Arn>`."""
        if isinstance(node, list):
            return [one for one in map(self.value, node) if one is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            if name == "Ref":
                return self.reference(argument)
            if name.startswith("Fn::"):
                return getattr(self, name.removeprefix("Fn::").lower() + "_")(argument)
        values = {key: self.value(one) for key, one in node.items()}
        return {key: one for key, one in values.items() if one is not NOTHING}

    def reference(self, name):
        return self.parameters.get(name, PSEUDO.get(name, f"<{name}>"))

    def sub_(self, text):
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.reference(found[1])), text)

    def getatt_(self, path):
        return f"<{'.'.join(path)}>"

    def if_(self, parts):
        return self.value(parts[1] if self.condition(parts[0]) else parts[2])

    def join_(self, parts):
        found = self.value(parts[1])
        return parts[0].join(found.split(",") if isinstance(found, str) else found)

    def equals_(self, parts):
        left, right = map(self.value, parts)
        return left == right

    def not_(self, parts):
        return not self.value(parts[0])

    def resources(self, kind):
        """Name and properties of the resources of a kind that exist under these parameters."""
        for name, one in self.template["Resources"].items():
            if one["Type"] == kind and ("Condition" not in one or self.condition(one["Condition"])):
                yield name, self.value(one["Properties"])

    def statements(self):
        """The statements of all policies, by Sid."""
        documents = [one["PolicyDocument"] for kind in ("Policy", "ManagedPolicy") for _, one in self.resources("AWS::IAM::" + kind)]
        return {one["Sid"]: one for document in documents for one in document["Statement"]}


def refusals(template, given, capabilities):
    """Why CloudFormation would not take this template with these parameters."""
    declared = template.get("Parameters", {})
    told = [f"there is no parameter {name}" for name in given if name not in declared]
    for name, one in declared.items():
        if name not in given and "Default" not in one:
            told.append(f"the parameter {name} has no value")
        value = given.get(name, str(one.get("Default", "")))
        values = value.split(",") if one["Type"] == "CommaDelimitedList" and value else [value]
        if name in given and "AllowedValues" in one and not {*values} <= {str(allowed) for allowed in one["AllowedValues"]}:
            told.append(f"{name} is {value}, and must be one of {one['AllowedValues']}")
        if name in given and "AllowedPattern" in one and not all(re.fullmatch(one["AllowedPattern"], each) for each in values):
            told.append(f"{name} is {value}, and must match {one['AllowedPattern']}")
    makes_roles = any(one["Type"].startswith("AWS::IAM::") for one in template["Resources"].values())
    if makes_roles and "CAPABILITY_IAM" not in capabilities:
        told.append("it makes IAM resources and needs CAPABILITY_IAM")
    return told
