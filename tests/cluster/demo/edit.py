"""Edits a manifest in place, as a user would: edit.py FILE OLD NEW [OLD NEW ...]; each OLD must be in it."""
import pathlib
import sys

path, texts = pathlib.Path(sys.argv[1]), sys.argv[2:]
content = path.read_text()
for old, new in zip(texts[::2], texts[1::2], strict=True):
    if old not in content:
        sys.exit(f"{path.name} lacks {old!r}")
    content = content.replace(old, new)
path.write_text(content)
