"""Values against the shapes of AWS's API models: required members, types, lengths, patterns, enums, ranges.

It works on values that were already read off the wire (`wire.py`), and knows nothing of protocols or exceptions.
"""

import dataclasses
import datetime
import functools

import regex


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One departure from the model: `member` is a path such as `Tags[].Key`, `value` what stood there."""

    kind: str
    member: str
    value: str


# The services are written in Java, where \d, \w and \s mean ASCII, unlike \p{L}, and where a pair of surrogates is one
# sign of the planes above. The `regex` module has a flag for the former, but it narrows \p{L} as well.
_ASCII = {r"\d": "0-9", r"\w": "a-zA-Z0-9_", r"\s": r"\t-\r\x20", r"\S": r"\x00-\x08\x0e-\x1f\x21-\U0010FFFF"}
_SURROGATES = r"\uD800\uDC00-\uDBFF\uDFFF"


@functools.cache
def compiled(pattern):
    """A pattern of a model as Java reads it."""
    pattern, written, in_class = pattern.replace(_SURROGATES, r"\U00010000-\U0010FFFF"), [], False
    for token in regex.findall(r"\\.|.", pattern, regex.DOTALL):
        if token in _ASCII:
            token = _ASCII[token] if in_class else f"[{_ASCII[token]}]"
        elif token in "[]":
            in_class = token == "["
        written.append(token)
    return regex.compile("".join(written))


def matches(pattern, text):
    """Whether the whole of `text` matches, as Java's `Matcher.matches` would say."""
    return compiled(pattern).fullmatch(text) is not None


def shown(shape, value):
    """The value for a report: short, and not at all where the model calls it sensitive."""
    if shape is not None and shape.metadata.get("sensitive"):
        return "(sensitive)"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def problems(shape, value, member=""):
    """Everything wrong with `value`, for a value whose types are right; wrong types were reported by the reader."""
    check = {"structure": _structure, "list": _list, "map": _map, "string": _string}.get(shape.type_name, _scalar)
    yield from check(shape, value, member)


def _structure(shape, value, member):
    if not isinstance(value, dict) or shape.metadata.get("document"):
        return
    for name in shape.required_members:
        if name not in value:
            yield Problem("required member missing", _below(member, name), "")
    if shape.metadata.get("union") and len(value) != 1:
        yield Problem("union with other than one member", member, ", ".join(sorted(value)))
    for name, inner in value.items():
        if name in shape.members:
            yield from problems(shape.members[name], inner, _below(member, name))


def _list(shape, value, member):
    if isinstance(value, list):
        yield from _size(shape, len(value), member, f"{len(value)} elements")
        for inner in value:
            yield from problems(shape.member, inner, f"{member}[]")


def _map(shape, value, member):
    if isinstance(value, dict):
        yield from _size(shape, len(value), member, f"{len(value)} entries")
        for key, inner in value.items():
            yield from problems(shape.key, key, f"{member}{{key}}")
            yield from problems(shape.value, inner, f"{member}{{}}")


def _string(shape, value, member):
    if not isinstance(value, str):
        return
    yield from _size(shape, len(value), member, shown(shape, value))
    pattern = shape.metadata.get("pattern")
    if pattern and not matches(pattern, value):
        yield Problem(f"pattern {shown(None, pattern)}", member, shown(shape, value))
    if shape.enum and value not in shape.enum:
        yield Problem("not in the enumeration", member, shown(shape, value))


def _scalar(shape, value, member):
    if isinstance(value, bytes):
        yield from _size(shape, len(value), member, f"{len(value)} bytes")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            yield Problem(f"range {low}..{high}", member, shown(shape, value))
    elif isinstance(value, datetime.datetime):
        return


def _size(shape, size, member, value):
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if size < low or (high is not None and size > high):
        yield Problem(f"length {low}..{'' if high is None else high}", member, value)


def _below(member, name):
    return f"{member}.{name}" if member else name
