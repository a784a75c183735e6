"""Checks seed code into one Git repository, through its connection, and tells CloudFormation how it went.

CodeBuild runs it as it is: plain git, the AWS CLI and the standard library of Python 3.9. It commits once, and only
into a branch that does not exist or holds nothing but a README, a licence and a .gitignore. All that it is told, it
is told by environment variables; its answer goes to RESPONSE_URL, which is as good as a password and never printed.
"""

import json
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time
import traceback
import urllib.request

from archive import download, fill, unpack
from order import Order, Refused, shown
from repository import PROJECT_TRAILER, Repository, settled

SECONDS = 600  # for the whole check-in; the build has 14 minutes
WAITS = (0, 0, 2, 4, 8, 16)  # seconds before each attempt, up to twice as long: for others who push meanwhile
REASON_LENGTH = 800  # characters; CloudFormation takes 4096 bytes for the whole answer
ANSWERED = pathlib.Path(__file__).with_name("answered")


class Overdue(Exception):
    """The time for the check-in is over."""


def message_for(order):
    return (
        f"Add the seed code of SageMaker project {order.project_name}\n\n"
        f"From {shown(order.archive)}.\n\n"
        f"Seed-Code-Sha256: {order.sha256}\n{PROJECT_TRAILER}: {order.project_id}"
    )


def check_in(variables, scratch):
    """Does it: what became of it, in a sentence."""
    order = Order.read(variables)
    repository = Repository(order, scratch)
    files = None
    for wait in WAITS:
        # Two check-ins that met must not meet again.
        time.sleep(wait * random.uniform(1, 2))
        head = repository.head()
        nothing_to_do = settled(order, head)
        if nothing_to_do:
            return nothing_to_do
        if files is None:
            archive, folder = scratch / "seed.zip", scratch / "seed"
            download(order, archive)
            files = unpack(archive, folder, shown(order.archive))
            fill(files, variables)
        result = repository.seed(head, files, message_for(order))
        if result:
            return result
    raise Refused(f"{order.place} was changed or locked by others in each of {len(WAITS)} attempts: try again when nobody pushes")


def answer(status, reason):
    """Tells CloudFormation, once."""
    build = os.environ.get("CODEBUILD_BUILD_ID")
    reason = re.sub(r"\s+", " ", reason)[:REASON_LENGTH]
    reply = {
        "Status": status,
        "Reason": f"{reason} (build {build})" if build else reason,
        "PhysicalResourceId": os.environ["PHYSICAL_RESOURCE_ID"],
        "StackId": os.environ["STACK_ID"],
        "RequestId": os.environ["REQUEST_ID"],
        "LogicalResourceId": os.environ["LOGICAL_RESOURCE_ID"],
    }
    if status == "SUCCESS":
        reply.update(Reason="See the result", Data={"Result": reason})
    print(f"{status}: {reason}", flush=True)
    body = json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace")
    for wait in (1, 2, 4, 8, None):
        # The signature of the URL covers an empty content type.
        request = urllib.request.Request(os.environ["RESPONSE_URL"], body, {"Content-Type": ""}, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=10):
                ANSWERED.touch()
                return
        except OSError as error:
            print(f"CloudFormation did not take the answer: {getattr(error, 'reason', error)}", flush=True)
            if wait is None:
                raise SystemExit(1) from None
            time.sleep(wait)


def overdue(*_):
    raise Overdue


def main(arguments):
    if arguments == ["--unanswered"]:
        if not ANSWERED.exists():
            answer("FAILED", "the seed code check-in ended without a word: look at the build's log")
        return 0
    signal.signal(signal.SIGALRM, overdue)
    signal.alarm(SECONDS)
    status = "FAILED"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            reason = check_in(os.environ, pathlib.Path(scratch))
        status = "SUCCESS"
    except Refused as refusal:
        reason = str(refusal)
    except Overdue:
        minutes = SECONDS // 60
        reason = f"the seed code check-in took more than {minutes} minutes: is the repository reachable? Try again"
    except Exception:
        traceback.print_exc()
        reason = "the seed code check-in failed for a reason that it does not know: look at the build's log"
    finally:
        signal.alarm(0)
    answer(status, reason)
    return 0 if status == "SUCCESS" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
