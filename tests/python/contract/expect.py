"""What the walkthrough's calls are held to: refused with a code, or in order after a while."""

import time

from botocore.exceptions import ClientError


class Wrong(Exception):
    """A call that did not go as it should."""


class Raised:
    """What a row of a table expects where the call must end with an exception of that kind."""

    def __init__(self, kind):
        self.kind = kind


def table(rows):
    """Does what each row says, in order: a sentence, a call, and what it must give. Tells how many rows there were."""
    for sentence, call, wanted in rows:
        seen = None
        try:
            seen = call()
        except Exception as error:  # Each client has exceptions of its own; one that no row expects ends the table.
            if isinstance(wanted, Raised) and isinstance(error, wanted.kind):
                continue
            raise Wrong(f"{sentence}: {type(error).__name__}: {error}") from error
        if isinstance(wanted, Raised):
            raise Wrong(f"{sentence}: must be refused, but gave {seen!r}")
        if seen != wanted:
            raise Wrong(f"{sentence}: must give {wanted!r}, but gave {seen!r}")
    return len(rows)


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
