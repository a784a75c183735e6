"""Edits the demo's manifest in place, as a user would: description, a tag, the poll schedule, one branch."""
import pathlib
import sys

path = pathlib.Path(sys.argv[1])
text = path.read_text()
for old, new in [
    ("  description: Predicts taxi fares\n", "  description: Predicts taxi fares, hourly\n  tags:\n    team: fares\n"),
    ("  jenkins:\n    folder: taxi-fares\n", "  jenkins:\n    folder: taxi-fares\n    pollSchedule: H/5 * * * *\n"),
    ("      fullName: example/taxi-build\n", "      fullName: example/taxi-build\n      branch: release\n"),
]:
    if old not in text:
        sys.exit(f"the manifest lacks {old!r}")
    text = text.replace(old, new)
path.write_text(text)
