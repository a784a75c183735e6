"""Holds what `lint-template` knows of AWS (lengths of names, tags, Lambda runtimes) against the schemas that cfn-lint carries.

The tables stand in `src/template_lint/`; a fact that AWS changed, or that was mistyped, fails here.
"""

import json
import re
import unittest
from importlib import resources
from pathlib import Path

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

LINT = Path(__file__).resolve().parents[3] / "src/template_lint"
# No resource has tags in its schema where the service takes them only through its API, and the other way round.
ROW = re.compile(r'\("(AWS::[A-Za-z0-9:]+)", "(\w*)", (\d+), (\w+), (SCHEMA|SERVICE|GUIDE), (List|Map|No)\)')
RUNTIME = re.compile(r'\("([\w.-]+)", "(\d{4}-\d\d-\d\d)", "((?:\d{4}-\d\d-\d\d)?)"\)')


def types():
    """The rows of `resource_types.rs`, once each is joined to one line."""
    text = " ".join((LINT / "resource_types.rs").read_text().split())
    return [(kind, name, int(longest), source, tags) for kind, name, longest, _, source, tags in ROW.findall(text)]


def schema_of(kind):
    """CloudFormation's schema of a type."""
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema


def resolved(schema, node):
    """A property's own schema, behind a reference to a definition."""
    reference = node.get("$ref", "")
    return schema["definitions"][reference.rsplit("/", 1)[-1]] if reference else node


def longest_of(node):
    """Characters at most, by `maxLength` or by a pattern that counts; None if the schema does not say."""
    counted = re.search(r"\{1,(\d+)\}", node.get("pattern", ""))
    return node.get("maxLength") or (int(counted.group(1)) if counted else None)


def tags_of(schema):
    """How a type takes tags: List, Map or No."""
    if "Tags" not in schema["properties"]:
        return "No"
    kind = resolved(schema, schema["properties"]["Tags"]).get("type")
    return "List" if kind == "array" else "Map"


class Facts(unittest.TestCase):
    """One test for each table."""

    def test_the_rows_are_read(self):
        self.assertGreater(len(types()), 45)
        self.assertEqual(len(types()), (LINT / "resource_types.rs").read_text().count('"AWS::') )

    def test_names_are_as_long_as_the_schemas_say(self):
        for kind, name, longest, source, _ in types():
            if not name:
                continue
            with self.subTest(kind):
                schema = schema_of(kind)
                stated = longest_of(resolved(schema, schema["properties"][name]))
                if source == "SCHEMA":
                    self.assertEqual(longest, stated)
                elif stated is not None:
                    self.assertLessEqual(longest, stated, "the service takes no more than the schema")

    def test_tags_are_taken_as_the_schemas_say(self):
        for kind, _, _, _, tags in types():
            with self.subTest(kind):
                self.assertEqual(tags, tags_of(schema_of(kind)))

    def test_runtimes_are_retired_when_aws_says(self):
        known = json.loads((resources.files("cfnlint") / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json").read_text())
        rows = RUNTIME.findall((LINT / "runtimes.rs").read_text())
        self.assertGreater(len(rows), 25)
        for runtime, deprecated, blocked in rows:
            with self.subTest(runtime):
                stated = known[runtime]
                self.assertEqual((deprecated, blocked), (stated["deprecated"], stated["create-block"] or ""))
        listed = {runtime for runtime, _, _ in rows}
        missing = {name for name, dates in known.items() if dates["deprecated"] < "2028" and name not in listed}
        self.assertEqual(missing, set())


if __name__ == "__main__":
    unittest.main()
