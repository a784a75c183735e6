"""HTTP bodies, headers and paths into values, guided by a shape of the model, with a problem for whatever the shape
does not have or has otherwise. One reader per notation; each reads requests and replies alike.

botocore's own parsers drop what they do not know, so they cannot find an unknown member; they are used as the second
opinion on replies (`pairs.py`).
"""

import base64
import binascii
import datetime
import email.utils
import re
import urllib.parse
from xml.etree import ElementTree

from botocore.utils import parse_timestamp

from shapes import Problem, shown

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
INTEGERS = ("integer", "long")
NUMBERS = ("float", "double")


class Reader:
    """What the notations share: the list of problems, and scalars that are written as text."""

    def __init__(self, timestamp_format):
        self.problems = []
        self.timestamp_format = timestamp_format

    def problem(self, kind, member, value, shape=None):
        self.problems.append(Problem(kind, member, shown(shape, value)))

    def text(self, shape, text, member, timestamp_format=None):
        """A scalar from text, as XML, forms, headers and query strings write it."""
        kind = shape.type_name
        try:
            if kind in INTEGERS:
                return int(text)
            if kind in NUMBERS:
                return float(text)
            if kind == "boolean":
                return {"true": True, "false": False}[text]
            if kind == "timestamp":
                return self.moment(shape, text, timestamp_format or self.timestamp_format)
            if kind == "blob":
                return base64.b64decode(text, validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error):
            self.problem(f"type {kind}", member, text, shape)
            return None
        if kind != "string":
            self.problem(f"type {kind}", member, text, shape)
            return None
        return text

    def moment(self, shape, value, timestamp_format):
        """A timestamp in the notation that the protocol, or the shape itself, prescribes."""
        wanted = shape.serialization.get("timestampFormat", timestamp_format)
        if wanted == "iso8601" and not (isinstance(value, str) and ISO_8601.fullmatch(value)):
            raise ValueError(value)
        if wanted == "rfc822":
            return email.utils.parsedate_to_datetime(value)
        if wanted == "unixTimestamp" and (isinstance(value, (str, bool)) or not isinstance(value, (int, float))):
            raise ValueError(value)
        return parse_timestamp(value)


class JsonReader(Reader):
    """JSON documents, and CBOR items, which differ in blobs and timestamps alone."""

    def __init__(self, cbor=False):
        super().__init__("unixTimestamp")
        self.cbor = cbor

    def read(self, shape, value, member=""):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, value, member)
        if kind == "map" and isinstance(value, dict):
            return {key: self.read(shape.value, inner, f"{member}{{}}") for key, inner in value.items()}
        if kind == "list" and isinstance(value, list):
            return [self.read(shape.member, inner, f"{member}[]") for inner in value]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if (kind == "string" and isinstance(value, str)) or (kind == "boolean" and isinstance(value, bool)):
            return value
        if (kind in INTEGERS and whole) or (kind in NUMBERS and (whole or isinstance(value, float))):
            return value
        if kind in ("timestamp", "blob"):
            return self.moment_or_blob(shape, value, member)
        self.problem(f"type {kind}", member, value, shape)
        return None

    def structure(self, shape, value, member):
        if shape.metadata.get("document"):
            return value
        if not isinstance(value, dict):
            self.problem("type structure", member, value, shape)
            return None
        names = {inner.serialization.get("name", name): name for name, inner in shape.members.items()}
        found = {}
        for key, inner in value.items():
            if key in names:
                found[names[key]] = self.read(shape.members[names[key]], inner, below(member, names[key]))
            else:
                self.problem("unknown member", below(member, key), inner)
        return found

    def moment_or_blob(self, shape, value, member):
        try:
            if self.cbor:
                wanted = bytes if shape.type_name == "blob" else datetime.datetime
                if isinstance(value, wanted):
                    return value
                raise ValueError(value)
            if shape.type_name == "blob":
                return base64.b64decode(value, validate=True)
            return self.moment(shape, value, self.timestamp_format)
        except (ValueError, TypeError, binascii.Error):
            self.problem(f"type {shape.type_name}", member, value, shape)
            return None


class XmlReader(Reader):
    """XML elements of the query and rest-xml protocols."""

    def __init__(self):
        super().__init__("iso8601")

    def read(self, shape, element, member=""):
        if shape.type_name == "structure":
            return self.structure(shape, element, member)
        if shape.type_name == "list":
            name = shape.member.serialization.get("name", "member")
            return [self.read(shape.member, child, f"{member}[]") for child in self.children(element, [name], member)]
        if shape.type_name == "map":
            return self.map(shape, element, member)
        for child in element:
            self.problem("unknown member", below(member, tag(child)), "")
        return self.text(shape, element.text or "", member)

    def children(self, element, names, member):
        """The children with these names; others are unknown."""
        for child in element:
            if tag(child) in names:
                yield child
            else:
                self.problem("unknown member", below(member, tag(child)), child.text or "")

    def map(self, shape, element, member):
        key_name, value_name = (shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value"))
        found = {}
        for entry in self.children(element, ["entry"], member):
            parts = {tag(part): part for part in self.children(entry, [key_name, value_name], member)}
            if len(parts) != 2:
                self.problem("map entry without key and value", member, ", ".join(parts))
                continue
            key = self.read(shape.key, parts[key_name], f"{member}{{key}}")
            found[key] = self.read(shape.value, parts[value_name], f"{member}{{}}")
        return found

    def structure(self, shape, element, member, skip=()):
        """`skip` names members that do not stand in the body."""
        names, flat, found = {}, {}, {}
        for name, inner in shape.members.items():
            if name in skip:
                continue
            if inner.serialization.get("xmlAttribute"):
                self.attribute(inner, name, element, member, found)
                continue
            flattened = inner.type_name == "list" and inner.serialization.get("flattened")
            inside = inner.member.serialization.get("name") if flattened else None
            names[inside or inner.serialization.get("name", name)] = name
            flat[name] = flattened
        for child in self.children(element, names, member):
            name = names[tag(child)]
            inner = shape.members[name]
            if flat[name]:
                found.setdefault(name, []).append(self.read(inner.member, child, f"{below(member, name)}[]"))
            elif name in found:
                self.problem("member given twice", below(member, name), child.text or "", inner)
            else:
                found[name] = self.read(inner, child, below(member, name))
        return found

    def attribute(self, shape, name, element, member, found):
        wanted = shape.serialization["name"].split(":")[-1]
        values = [value for key, value in element.attrib.items() if key.split("}")[-1] == wanted]
        if values:
            found[name] = self.text(shape, values[0], below(member, name))


class FormReader(Reader):
    """The dotted names of query requests: `Tags.member.1.Key`."""

    def __init__(self):
        super().__init__("iso8601")

    def read(self, shape, node, member=""):
        if shape.type_name == "structure":
            return self.structure(shape, node, member)
        if shape.type_name in ("list", "map") and set(node) == {""}:
            # An empty list or map is written as its bare name.
            if node[""]:
                self.problem(f"type {shape.type_name}", member, node[""], shape)
            return [] if shape.type_name == "list" else {}
        if shape.type_name == "list":
            wrapper = shape.member.serialization.get("name", "member")
            return [self.read(shape.member, inner, f"{member}[]") for inner in self.numbered(node, wrapper, member)]
        if shape.type_name == "map":
            return dict(self.entry(shape, inner, member) for inner in self.numbered(node, "entry", member))
        for name in node:
            if name:
                self.problem("unknown member", below(member, name), "")
        return self.text(shape, node.get("", ""), member)

    def structure(self, shape, node, member):
        names = {inner.serialization.get("name", name): name for name, inner in shape.members.items()}
        found = {}
        for key, inner in node.items():
            if key in names:
                found[names[key]] = self.read(shape.members[names[key]], inner, below(member, names[key]))
            else:
                self.problem("unknown member", below(member, key), inner if isinstance(inner, str) else "")
        return found

    def entry(self, shape, node, member):
        if set(node) != {"key", "value"}:
            self.problem("map entry without key and value", member, ", ".join(node))
            return "", None
        key = self.read(shape.key, node["key"], f"{member}{{key}}")
        return key, self.read(shape.value, node["value"], f"{member}{{}}")

    def numbered(self, node, wrapper, member):
        if set(node) != {wrapper} or not isinstance(node[wrapper], dict):
            self.problem(f"list not written as {wrapper}.N", member, ", ".join(node))
            return []
        inside = node[wrapper]
        if sorted(inside, key=lambda key: (len(key), key)) != [str(number + 1) for number in range(len(inside))]:
            self.problem("list not numbered from 1", member, ", ".join(inside))
            return []
        return [inside[str(number + 1)] for number in range(len(inside))]


def form_tree(pairs):
    """Dotted names as a tree; a leaf's text stands under the empty name."""
    tree = {}
    for name, value in pairs:
        node = tree
        for part in name.split("."):
            node = node.setdefault(part, {})
        node[""] = value
    return tree


def form(text):
    """The pairs of a form body or a query string."""
    return urllib.parse.parse_qsl(text, keep_blank_values=True)


def xml(body):
    """The root element."""
    return ElementTree.fromstring(body)


def tag(element):
    """The element's name without its namespace."""
    return element.tag.split("}")[-1]


def below(member, name):
    """The path of a member."""
    return f"{member}.{name}" if member else name
