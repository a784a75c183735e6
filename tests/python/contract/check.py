"""Checks recorded HTTP exchanges with AWS against AWS's own API models (botocore's data).

Usage: check.py FOLDER... Each folder holds what the sandbox writes where MLOPS_JOURNAL_DIR names it: `<pid>.jsonl` with
one exchange a line, `<pid>.count` with how many calls there were. Prints what was checked and one line for each
distinct violation; ends with 1 if there are any, with 2 if a folder has nothing to check.
"""

import collections
import json
import pathlib
import sys

import known
import pairs


def main(folders):
    """Runs the check; gives the exit status."""
    violations, excused, status = collections.Counter(), collections.Counter(), 0
    for folder in map(pathlib.Path, folders):
        exchanges = {line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()}
        if not exchanges:
            print(f"contract: nothing is recorded in {folder}; `make test-rust` comes first", file=sys.stderr)
            status = 2
        calls = sum(int(count.read_text() or 0) for count in folder.glob("*.count"))
        operations, refusals = look(exchanges, violations, excused)
        print(
            f"contract: {calls} calls, {len(exchanges)} distinct pairs ({refusals} refusals) "
            f"of {len(operations)} operations checked in {folder}"
        )
    for (name, member, value, reason), count in sorted(excused.items()):
        print(f"contract: excused {count} times: {name} {member} {value!r}: {reason}")
    for (name, side, problem), count in sorted(violations.items()):
        print(f"contract: {name} {side}: {problem.kind}: {problem.member or '(whole)'}: {problem.value!r} ({count} pairs)")
    print(f"contract: {len(violations)} violations")
    return 1 if violations else status


def look(exchanges, violations, excused):
    """Checks exchanges; gives the operations, and how many exchanges are refusals."""
    operations, refusals = set(), 0
    for line in sorted(exchanges):
        pair = json.loads(line)
        name, wrong_request, wrong_reply = pairs.check(pair)
        operations.add(name)
        refusals += bool(pair["reply"]) and pair["reply"]["status"] >= 300
        for side, problem in [("request", one) for one in wrong_request] + [("reply", one) for one in wrong_reply]:
            departure = next((one for one in known.DEPARTURES if one.covers(name, problem)), None)
            if departure:
                excused[(name, problem.member, problem.value, departure.reason)] += 1
            else:
                violations[(name, side, problem)] += 1
    return operations, refusals


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
