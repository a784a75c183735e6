"""Walks through the sandbox with boto3, AWS's SDK for Python: every operation that the sandbox has, the operator uses it
or not, so that each kind of reply is seen by a second client and by the contract check.

Usage: walkthrough.py SANDBOX, the path of the `mlops-sandbox` program, which it starts and stops. Where
MLOPS_JOURNAL_DIR is set the sandbox records the exchanges. Ends with 1 and a sentence at the first call that does not go
as it should.
"""

import sys

from botocore.exceptions import ClientError

import steps_builds
import steps_change_sets
import steps_drift
import steps_events
import steps_exports
import steps_iam
import steps_judges
import steps_prerequisites
import steps_projects
import steps_s3
import steps_stacks
from expect import Wrong
from serving import serving


def walkthrough(aws):
    """All steps."""
    role = steps_prerequisites.identities(aws)
    steps_prerequisites.buckets(aws)
    steps_s3.storage(aws)
    steps_prerequisites.connections(aws)
    steps_prerequisites.secrets(aws)
    steps_stacks.stacks(aws, role)
    steps_change_sets.change_sets(aws)
    steps_change_sets.deployments(aws)
    steps_exports.exports(aws)
    steps_drift.drift(aws)
    steps_stacks.functions(aws, role)
    steps_stacks.events(aws)
    steps_events.queues(aws)
    steps_events.rules(aws)
    steps_events.dead_letters(aws, role)
    steps_events.mappings(aws)
    steps_events.tags(aws)
    steps_builds.builds(aws, role)
    steps_builds.asking(aws, role)
    steps_iam.pages(aws)
    steps_iam.policies(aws)
    steps_iam.boundaries(aws)
    steps_iam.revisions(aws, role)
    steps_iam.builds(aws, role)
    steps_iam.secrets(aws)
    steps_judges.asked_by_terraform(aws, role)
    steps_projects.models(aws)
    steps_projects.catalog(aws, role)


def main(sandbox):
    """Starts a sandbox in which nothing takes long, and walks through it."""
    try:
        with serving(sandbox) as server:
            walkthrough(server)
    except (Wrong, ClientError) as error:
        print(f"walkthrough: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
