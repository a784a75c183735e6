"""Holds the sandbox against what real clients expect of it: each session is one client that makes resources, looks at them
and takes them away, at a sandbox of its own.

Usage: judges.py SANDBOX [SESSION...], the path of the `mlops-sandbox` program; without names it holds all sessions. Where
MLOPS_JOURNAL_DIR is set the sandbox records the exchanges with AWS. Says how long each took; ends with 1 where one of
them does not go as it should.
"""

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import session_api4jenkins
import session_jenkinsapi
import session_job_builder
import session_pages
import session_python_jenkins
import session_terraform
import session_waiters
from expect import Wrong
from serving import serving

SESSIONS = {
    "terraform": session_terraform,
    "boto3's paginators": session_pages,
    "boto3's waiters": session_waiters,
    "python-jenkins": session_python_jenkins,
    "jenkins-job-builder": session_job_builder,
    "api4jenkins": session_api4jenkins,
    "jenkinsapi": session_jenkinsapi,
}


def hold(sandbox, name):
    """Holds one session; tells whether it went well."""
    session, began = SESSIONS[name], time.monotonic()
    missing = session.missing() if hasattr(session, "missing") else ""
    if missing:
        print(f"judges: {name}: not held: {missing}")
        return True
    try:
        with serving(sandbox) as server:
            count = session.session(server)
    except Wrong as error:
        print(f"judges: {name}: {error}", file=sys.stderr)
        return False
    print(f"judges: {name}: {count} rows in {time.monotonic() - began:.0f} s")
    return True


def main(sandbox, names):
    """Holds the sessions, two at a time; gives the exit status."""
    logging.disable(logging.CRITICAL)  # jenkinsapi logs what the table asks it to be refused.
    with ThreadPoolExecutor(2) as pool:
        held = list(pool.map(lambda name: hold(sandbox, name), names or SESSIONS))
    return 0 if all(held) else 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or set(sys.argv[2:]) - set(SESSIONS):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
