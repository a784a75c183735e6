"""What the commands have in common: the AWS session, and how a run ends.

0 is done; 1 is refused or failed; 2 is a wrong command line (argparse); 3 is "nothing to deploy yet", which is no failure.
"""

import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from endpoint.model_registry import NotYet, Refused

NOT_YET = 3


def carry_out(run, argv, session=None):
    """Runs a command with its arguments and a session, and returns its exit code. What went wrong is one sentence."""
    try:
        run(argv, session or boto3.session.Session())
    except NotYet as sentence:
        print(sentence)
        return NOT_YET
    except Refused as sentence:
        print(sentence, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    return 0
