"""boto3's waiters: each must end as it is told, well or with its failure. Each waiter whose operation the sandbox knows is
tried here or named with a reason; which there are botocore says, so that a new operation is missed at once.
"""

import io
import json
import zipfile

from botocore.exceptions import WaiterError

from asked import SERVICES, asking
from expect import Wrong, eventually, until
from session_pages import make_role
from steps_prerequisites import REGION

# Which end of a waiter is not tried, and why; True is the end that it waits for.
REASONS = {
    ("cloudformation", "stack_import_complete", True): "the sandbox imports no resources",
    ("lambda", "function_active", False): "no function of the sandbox fails to become active",
    ("lambda", "function_active_v2", False): "no function of the sandbox fails to become active",
    ("lambda", "function_updated", False): "no update of a function of the sandbox fails once it is accepted",
    ("lambda", "function_updated_v2", False): "no update of a function of the sandbox fails once it is accepted",
    ("lambda", "published_version_active", False): "no version of a function of the sandbox fails to become active",
}
QUEUE = {"Type": "AWS::SQS::Queue"}
# A function whose code is not there cannot be made.
FAILS = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "FunctionName": "waits", "Runtime": "python3.12", "Handler": "i.h", "Role": "arn:aws:iam::111122223333:role/none",
        "Code": {"ZipFile": "def h(event, context): pass"},
    },
}  # fmt: skip


def session(server):
    """Makes what is waited for, then waits for it; gives how many ends there were."""
    rows = changes(server) | stacks(server) | functions(server) | objects(server) | users(server)
    with asking(server) as asker:
        known = {key for service in SERVICES for key in waiters(server.client(service), service, asker)}
    named = set(rows) | set(REASONS)
    if known - named:
        raise Wrong(f"the sandbox knows the operations of {sorted(known - named)}, which are neither tried nor named with a reason")
    if named - known:
        raise Wrong(f"{sorted(named - known)} are tried or named, but the sandbox does not know them")
    for key, (act, members) in rows.items():
        wait(server, key, act, members)
    return len(rows)


def waiters(client, service, asker):
    """The waiters of a service whose operations the sandbox knows, with their ends."""
    all_of_it = [(name, client.get_waiter(name)) for name in client.waiter_names]
    known = [(name, waiter) for name, waiter in all_of_it if asker.knows(service, waiter.config.operation)]
    return [(service, name, end) for name, waiter in known for end in ends(waiter)]


def ends(waiter):
    """The ends that a waiter has: that it waits for, and its failure where it has one."""
    states = {acceptor.state for acceptor in waiter.config.acceptors}
    return {True} | ({False} if "failure" in states else set())


def wait(server, key, act, members):
    """Does something and waits; the waiter must end so, and not because it has waited too long."""
    service, name, well = key
    act()
    try:
        server.client(service).get_waiter(name).wait(**members, WaiterConfig={"Delay": 0.1, "MaxAttempts": 150})
    except WaiterError as error:
        if well or "Max attempts exceeded" in str(error):
            raise Wrong(f"{key}: {error}") from None
        return
    if not well:
        raise Wrong(f"{key}: the waiter must fail, but ended well")


def nothing():
    """Where there is nothing to do before one waits."""


def template(**resources):
    """A template as JSON."""
    return json.dumps({"Resources": resources})


def changes(server):
    """CloudFormation's change sets."""
    client, place = server.client("cloudformation"), {"StackName": "waits-changes"}

    def proposed(name, **resources):
        return lambda: client.create_change_set(**place, ChangeSetName=name, TemplateBody=template(**resources))

    client.create_stack(**place, TemplateBody=template(Queue=QUEUE))
    settled(client, "waits-changes")
    waiter = "change_set_create_complete"
    return {
        ("cloudformation", waiter, True): (proposed("more", Queue=QUEUE, Other=QUEUE), place | {"ChangeSetName": "more"}),
        ("cloudformation", waiter, False): (proposed("none", Queue=QUEUE), place | {"ChangeSetName": "none"}),
    }


def settled(client, name):
    """Waits until nothing goes on with a stack."""
    until(lambda: client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"].endswith("_IN_PROGRESS"), False, name)


def stacks(server):
    """CloudFormation's stacks; each row goes on from the one before it."""
    client, storage = server.client("cloudformation"), server.client("s3")

    def does(call, name, *resources, **members):
        body = {"TemplateBody": template(**resources[0])} if resources else {}
        return lambda: call(StackName=name, **body, **members)

    def filled():
        """A bucket of a stack that cannot go, since something lies in it."""
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "waits-full"}}
        client.create_stack(StackName="waits-full", TemplateBody=template(Bucket=bucket))
        settled(client, "waits-full")
        storage.put_object(Bucket="waits-full", Key="k", Body=b"b")
        client.delete_stack(StackName="waits-full")

    def rolled_back():
        """An update that is left as it failed, and then taken back."""
        client.update_stack(StackName="waits", TemplateBody=template(Queue=QUEUE, Fails=FAILS), DisableRollback=True)
        settled(client, "waits")
        client.rollback_stack(StackName="waits")

    one, bad = {"StackName": "waits"}, {"StackName": "waits-bad"}
    rows = [
        ("stack_create_complete", True, does(client.create_stack, "waits", {"Queue": QUEUE}), one),
        ("stack_exists", True, nothing, one),
        ("stack_create_complete", False, does(client.create_stack, "waits-bad", {"Fails": FAILS}), bad),
        ("stack_import_complete", False, nothing, bad),
        ("stack_update_complete", True, does(client.update_stack, "waits", {"Queue": QUEUE, "Other": QUEUE}), one),
        ("stack_update_complete", False, does(client.update_stack, "waits", {"Queue": QUEUE, "Fails": FAILS}), one),
        ("stack_rollback_complete", True, rolled_back, one),
        ("stack_rollback_complete", False, does(client.update_stack, "waits", {"Queue": QUEUE, "Fails": FAILS}, DisableRollback=True), one),
        ("stack_delete_complete", True, does(client.delete_stack, "waits"), one),
        ("stack_delete_complete", False, filled, {"StackName": "waits-full"}),
    ]  # fmt: skip
    return {("cloudformation", name, well): (act, members) for name, well, act, members in rows}


def functions(server):
    """Lambda's functions."""
    client, role, code = server.client("lambda"), make_role(server, "waits-functions"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("i.py", "def h(event, context):\n    return event\n")
    one = {"FunctionName": "waits"}

    def made():
        members = {"Runtime": "python3.12", "Role": role, "Handler": "i.h", "Code": {"ZipFile": code.getvalue()}}
        eventually(lambda: client.create_function(**one, **members))

    def updated():
        client.update_function_configuration(**one, Timeout=20)

    rows = [
        ("function_exists", made),
        ("function_active", nothing),
        ("function_active_v2", nothing),
        ("published_version_active", nothing),
        ("function_updated", updated),
        ("function_updated_v2", updated),
    ]
    return {("lambda", name, True): (act, one) for name, act in rows}


def objects(server):
    """S3's buckets and objects."""
    client, bucket = server.client("s3"), {"Bucket": "waits"}
    place = bucket | {"Key": "k"}
    where = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    rows = [
        ("bucket_exists", lambda: client.create_bucket(**bucket, **where), bucket),
        ("object_exists", lambda: client.put_object(**place, Body=b"b"), place),
        ("object_not_exists", lambda: client.delete_object(**place), place),
        ("bucket_not_exists", lambda: client.delete_bucket(**bucket), bucket),
    ]
    return {("s3", name, True): (act, members) for name, act, members in rows}


def users(server):
    """IAM's roles and users."""
    server.control("users", {"name": "waits"})
    role = lambda: make_role(server, "waits")  # noqa: E731
    return {("iam", "role_exists", True): (role, {"RoleName": "waits"}), ("iam", "user_exists", True): (nothing, {"UserName": "waits"})}
