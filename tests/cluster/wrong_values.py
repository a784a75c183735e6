#!/usr/bin/env python3
"""Gives the chart wrong values, made from its own schema, and fails where one is not refused with its path.

For each bound of each value there is a wrong one: of another type, below and above, of the wrong form, not among those
listed, too long, an unknown key. Helm names all that it refuses at once, so each round is one call.
Usage: wrong_values.py HELM CHART VALUES...
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ODD = "\x01 not so!"
# Objects of Kubernetes, of which the schema knows what the chart needs and the API server the rest.
OPEN = ["/extraEnv/0", "/extraVolumes/0", "/extraVolumeMounts/0"]


def resolved(schema, root):
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def types(schema):
    found = schema.get("type", "string" if "enum" in schema else [])
    return [found] if isinstance(found, str) else found


def of_another_type(schema):
    return "yes" if "boolean" in types(schema) else True


def form(schema):
    """A string that the pattern or the list does not have."""
    if "enum" in schema or ("pattern" in schema and not re.search(schema["pattern"], ODD)):
        return ODD
    return "" if schema.get("minLength") else None


ROUNDS = {
    "another type": of_another_type,
    "too low": lambda schema: schema["minimum"] - 1 if "minimum" in schema else None,
    "too high": lambda schema: schema["maximum"] + 1 if "maximum" in schema else None,
    "another form": form,
    "too long": lambda schema: "a" * (schema["maxLength"] + 1) if "maxLength" in schema else None,
    "too few": lambda schema: [] if schema.get("minItems") else None,
}


def wrong(schema, root, path, make, paths):
    """A value that holds what `make` gives in each of its leaves, and their paths; None where it gives nothing."""
    schema = resolved(schema, root)
    if "properties" in schema:
        made = {name: wrong(each, root, f"{path}/{name}", make, paths) for name, each in schema["properties"].items()}
        return {name: value for name, value in made.items() if value is not None} or None
    value = make(schema)
    if value is None and isinstance(schema.get("items"), dict):
        item = wrong(schema["items"], root, f"{path}/0", make, paths)
        return None if item is None else [item]
    if value is None and isinstance(schema.get("additionalProperties"), dict):
        item = wrong(schema["additionalProperties"], root, f"{path}/key", make, paths)
        return None if item is None else {"key": item}
    if value is not None:
        paths.append(path)
    return value


def items_of_another_type(schema, root, path, paths):
    """The like for what lies in lists and maps, since a list of another type hides its items."""
    schema = resolved(schema, root)
    inner = schema.get("items", schema.get("additionalProperties"))
    if isinstance(inner, dict) and "properties" not in schema:
        key = "0" if "items" in schema else "key"
        inner = resolved(inner, root)
        if "properties" in inner:
            value = wrong(inner, root, f"{path}/{key}", of_another_type, paths)
        else:
            value = of_another_type(inner)
            paths.append(f"{path}/{key}")
        return [value] if key == "0" else {key: value}
    made = {name: items_of_another_type(each, root, f"{path}/{name}", paths) for name, each in schema.get("properties", {}).items()}
    return {name: value for name, value in made.items() if value is not None} or None


def unknown(schema, root, path, paths):
    """An unknown key in each object that is closed."""
    schema = resolved(schema, root)
    if isinstance(schema.get("items"), dict) and "properties" in resolved(schema["items"], root):
        item = unknown(schema["items"], root, f"{path}/0", paths)
        return None if item is None else [item]
    made = {name: unknown(each, root, f"{path}/{name}", paths) for name, each in schema.get("properties", {}).items()}
    made = {name: value for name, value in made.items() if value is not None}
    if schema.get("additionalProperties") is False:
        made["unknownKey"] = 1
        paths.append(path)
    elif made or "properties" in schema:
        assert path in OPEN, f"{path} takes unknown keys"
    return made or None


def refused(helm, chart, files, values):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file)
        file.flush()
        command = [helm, "template", "mlops-operator", chart, *(word for each in files for word in ("-f", each)), "-f", file.name]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    helm, chart, *files = sys.argv[1:]
    root = json.loads((pathlib.Path(chart) / "values.schema.json").read_text())
    rounds = []
    for name, make in ROUNDS.items():
        paths = []
        rounds.append((name, wrong(root, root, "", make, paths), paths))
    paths = []
    rounds.append(("items of another type", items_of_another_type(root, root, "", paths), paths))
    paths = []
    rounds.append(("an unknown key", unknown(root, root, "", paths), paths))
    taken, count = [], 0
    for name, values, paths in rounds:
        said = refused(helm, chart, files, values).stderr
        assert paths, f"no value is {name}"
        count += len(paths)
        taken += [f"{path or '/'} takes a value that is {name}" for path in paths if f"at '{path}'" not in said]
        if name == "an unknown key" and said.count("'unknownKey' not allowed") != len(paths):
            taken.append(f"of {len(paths)} unknown keys {said.count('unknownKey')} are refused")
    if taken:
        sys.exit("\n".join(taken))
    print(count)


main()
