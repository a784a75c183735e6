"""What the walkthrough's calls are held to: refused with a code, or in order after a while."""

import time

from botocore.exceptions import ClientError


class Wrong(Exception):
    """A call that did not go as it should."""


def refused(code, call, **members):
    """A call that must be refused with this code."""
    try:
        call(**members)
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return
        raise Wrong(f"{call.__name__} must be refused with {code}, but: {error}") from None
    raise Wrong(f"{call.__name__} must be refused with {code}, but it succeeded")


def eventually(call, seconds=5):
    """The answer of a call that may fail until what was written just before is seen everywhere."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except (ClientError, Wrong, IndexError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def until(look, wanted, what, seconds=20):
    """Waits for a status."""
    end, seen = time.monotonic() + seconds, None
    while time.monotonic() < end:
        seen = look()
        if seen == wanted:
            return
        time.sleep(0.05)
    raise Wrong(f"{what} must become {wanted}, but is {seen} after {seconds} s")
