"""What one check-in is told to do, and the words for what stops it. It knows neither Git nor archives."""

import typing
import urllib.parse


class Refused(Exception):
    """Why nothing was checked in: a sentence for people, which says what to do."""


class Order(typing.NamedTuple):
    """What to check in, and where."""

    repository: str
    branch: str
    connection: str
    archive: str
    sha256: str
    project_id: str
    project_name: str

    @staticmethod
    def read(variables):
        names = ("REPOSITORY_FULL_NAME", "BRANCH", "CONNECTION_ARN", "SEED_CODE_URL", "SEED_CODE_SHA256")
        names += ("SAGEMAKER_PROJECT_ID", "SAGEMAKER_PROJECT_NAME")
        missing = [name for name in names if not variables.get(name)]
        if missing:
            raise Refused(f"the build was not told {', '.join(missing)}: update the project template")
        return Order(*(variables[name] for name in names))

    @property
    def place(self):
        return f"{self.branch} of {self.repository}"


def last_line(text):
    """The last thing that a tool said; git and the AWS CLI end with what matters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def shown(address):
    """An address without what may be secret in it."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
