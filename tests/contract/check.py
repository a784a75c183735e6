"""Checks recorded HTTP exchanges with AWS against AWS's own API models (botocore's data).

Usage: check.py FOLDER. The folder holds what the sandbox writes where MLOPS_JOURNAL_DIR names it: `<pid>.jsonl` with
one exchange a line, `<pid>.count` with how many calls there were. Prints what was checked and one line for each
distinct violation; ends with 1 if there are any, with 2 if there is nothing to check.
"""

import collections
import json
import pathlib
import sys

import known
import pairs


def main(folder):
    """Runs the check; gives the exit status."""
    files = sorted(pathlib.Path(folder).glob("*.jsonl"))
    calls = sum(int(count.read_text() or 0) for count in pathlib.Path(folder).glob("*.count"))
    exchanges = {line for file in files for line in file.read_text().splitlines()}
    operations, refusals, violations, excused = set(), 0, collections.Counter(), collections.Counter()
    for line in sorted(exchanges):
        pair = json.loads(line)
        name, wrong_request, wrong_reply = pairs.check(pair)
        operations.add(name)
        refusals += bool(pair["reply"]) and pair["reply"]["status"] >= 300
        for side, found in (("request", wrong_request), ("reply", wrong_reply)):
            for problem in found:
                departure = next((one for one in known.DEPARTURES if one.covers(name, problem)), None)
                if departure:
                    excused[(name, problem.member, problem.value, departure.reason)] += 1
                else:
                    violations[(name, side, problem)] += 1
    print(f"contract: {calls} calls, {len(exchanges)} distinct pairs ({refusals} refusals) of {len(operations)} operations checked")
    for (name, member, value, reason), count in sorted(excused.items()):
        print(f"contract: excused {count} times: {name} {member} {value!r}: {reason}")
    for (name, side, problem), count in sorted(violations.items()):
        print(f"contract: {name} {side}: {problem.kind}: {problem.member or '(whole)'}: {problem.value!r} ({count} pairs)")
    print(f"contract: {len(violations)} violations")
    if not exchanges:
        print(f"contract: no recorded exchange in {folder}", file=sys.stderr)
        return 2
    return 1 if violations else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
