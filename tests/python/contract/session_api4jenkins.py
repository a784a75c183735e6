"""What a person does with api4jenkins against the sandbox's Jenkins, and what Jenkins must have made of it. This client
follows the links that Jenkins gives; it stands alone since each client asks in its own way.
"""

import api4jenkins
from api4jenkins.exceptions import BadRequestError, ItemNotFoundError

from expect import Raised, table, until
from session_python_jenkins import JOB, SECRET

LISTING = "<hudson.model.ListView><jobNames/></hudson.model.ListView>"


def session(server):
    """All rows, in this order."""
    client = api4jenkins.Jenkins(server.jenkins, auth=(server.user, server.token))
    return table(items(client) + builds(client) + names(client) + others(client, server) + end(client))


def items(client):
    """Folders and jobs."""
    return [
        ("the server tells its version", lambda: client.version, "2.570"),
        ("a job is made with the folders above it", lambda: client.create_job("ci/inner/taxi", JOB, recursive=True).status_code, 200),
        ("a job that exists is not made again", lambda: client.create_job("ci/inner/taxi", JOB), Raised(BadRequestError)),
        ("a bad name is refused", lambda: client.create_job("ci/a*b", JOB), Raised(BadRequestError)),
        ("the kind of an item is told", lambda: [type(client[name]).__name__ for name in ("ci", "ci/inner/taxi")], ["Folder", "WorkflowJob"]),
        ("what is not there is nothing", lambda: client["ci/none"], None),
        ("all items are listed", lambda: [one.full_name for one in client.iter(3)], ["ci", "ci/inner", "ci/inner/taxi"]),
        ("a parent is found", lambda: client["ci/inner/taxi"].parent.full_name, "ci/inner"),
        ("a description is set", lambda: client["ci/inner/taxi"].set_description("said by hand"), None),
        ("it is shown", lambda: client["ci/inner/taxi"].description, "said by hand"),
        ("a job is configured", lambda: client["ci/inner/taxi"].configure(JOB.replace("echo 1", "echo 2")).status_code, 200),
        ("its configuration is shown", lambda: "<script>echo 2</script>" in client["ci/inner/taxi"].configure(), True),
        ("a job is disabled", lambda: (client["ci/inner/taxi"].disable().status_code, client["ci/inner/taxi"].buildable), (302, False)),
        ("it is enabled again", lambda: (client["ci/inner/taxi"].enable().status_code, client["ci/inner/taxi"].buildable), (302, True)),
        ("its parameters are told", lambda: [one["name"] for one in client["ci/inner/taxi"].get_parameters()], ["REGION", "PROJECT"]),
    ]  # fmt: skip


def builds(client):
    """From a wish for a build to its end."""
    job = "ci/inner/taxi"

    def build():
        item = client.build_job(job, REGION="us-east-1")
        until(lambda: item.api_json().get("executable") is not None, True, "the queue item's build")
        built = api4jenkins.queue.QueueItem(client, item.url).get_build()
        until(lambda: built.api_json()["result"], "SUCCESS", "the build")
        return built.number

    def stopped():
        item = client.build_job(job, REGION="stop")
        until(lambda: (client[job].get_last_build() or item).api_json().get("number"), 2, "the second build")
        listed = [one.number for one in client.nodes.iter_builds()]
        client[job].get_last_build().stop()
        until(lambda: client[job].get(2).result, "ABORTED", "the stopped build")
        return listed

    def last():
        names = ("first", "last", "last_successful", "last_unsuccessful", "last_completed")
        return {name: getattr(client[job], f"get_{name}_build")().number for name in names}

    def cancelled():
        item = client.build_job(job, REGION="never", delay="60sec")
        listed = item.id in [one.id for one in client.queue]
        item.cancel()
        return listed, item.api_json()["cancelled"]

    return [
        ("a build with parameters ends", build, 1),
        ("the build kept what it was given", lambda: {one.name: one.value for one in client[job][1].get_parameters()}, {"REGION": "us-east-1", "PROJECT": "taxi"}),
        ("its cause is told", lambda: client[job][1].get_causes()[0]["shortDescription"], "Started by user operator"),
        ("its console ends with its result", lambda: list(client[job][1].console_text())[-1], "Finished: SUCCESS"),
        ("its console is read as it grows", lambda: list(client[job][1].progressive_output())[-1], "Finished: SUCCESS"),
        ("its job is found", lambda: client[job][1].project.full_name, job),
        ("a running build is found on a node and stopped", stopped, [2]),
        ("a queue item is listed and cancelled", cancelled, (True, True)),
        ("the last builds are told", last, {"first": 1, "last": 2, "last_successful": 1, "last_unsuccessful": 2, "last_completed": 2}),
        ("no build has failed", lambda: client[job].get_last_failed_build(), None),
        ("all builds are listed", lambda: [one.number for one in client[job].iter_all_builds()], [2, 1]),
        ("builds know their neighbours", lambda: (client[job][1].get_next_build().number, client[job][2].get_previous_build().number), (2, 1)),
        ("a build is described", lambda: (client[job][2].set_description("stopped"), client[job][2].description), (None, "stopped")),
        ("a build is deleted", lambda: (client[job][1].delete(), client[job][1]), (None, None)),
    ]  # fmt: skip


def names(client):
    """Copies, new names, other places."""

    def moved():
        job = client["ci/tram"]
        job.move("ci/inner")
        return client["ci/tram"], client["ci/inner/tram"].full_name

    return [
        ("a job is written anew elsewhere", lambda: client.duplicate_job("ci/inner/taxi", "ci/bus"), None),
        ("a job is copied", lambda: client.copy_job("ci/bus", "tram").status_code, 302),
        ("the copy stands beside its source", lambda: [one.name for one in client["ci"]], ["bus", "inner", "tram"]),
        ("a job goes to another folder", moved, (None, "ci/inner/tram")),
        ("a job gets a new name", lambda: client.rename_job("ci/bus", "ferry").status_code, 302),
        ("it has it", lambda: client["ci/ferry"].full_name, "ci/ferry"),
        ("the old name is free", lambda: client["ci/bus"], None),
    ]  # fmt: skip


def others(client, server):
    """Views, credentials, plugins, nodes, who one is."""
    return [
        ("the only view is the one of all", lambda: [one.name for one in client.views], ["all"]),
        ("a view is made", lambda: client.views.create("mine", LISTING), None),
        ("an item is put into it", lambda: client.views["mine"].include("ci"), None),
        ("it is there", lambda: [one.name for one in client.views["mine"]], ["ci"]),
        ("it is taken out", lambda: (client.views["mine"].exclude("ci"), list(client.views["mine"])), (None, [])),
        ("a view is described", lambda: (client.views["mine"].set_description("d"), client.views["mine"].description), (None, "d")),
        ("a view is deleted", lambda: (client.views["mine"].delete(), client.views["mine"]), (None, None)),
        ("a folder has one view", lambda: [one.name for one in client["ci"].views], ["All"]),
        ("the sandbox makes no more of them", lambda: client["ci"].views.create("mine", LISTING), Raised(ItemNotFoundError)),
        ("a folder's credentials lie in its global domain", lambda: [one.url.rsplit("/", 2)[1] for one in client["ci"].credentials], ["_"]),
        ("a credential is kept in it", lambda: client["ci"].credentials.global_domain.create(SECRET % ("git", "octo")), None),
        ("it is listed", lambda: [one.id for one in client["ci"].credentials.global_domain], ["git"]),
        ("its secret is not shown", lambda: "<secret-redacted/>" in client["ci"].credentials.global_domain["git"].configure(), True),
        ("it is deleted", lambda: client["ci"].credentials.global_domain["git"].delete(), None),
        ("it is gone", lambda: client["ci"].credentials.global_domain["git"], None),
        ("the root keeps credentials as well", lambda: client.credentials.global_domain.create(SECRET % ("git", "octo")), None),
        ("they are listed", lambda: [one.id for one in client.credentials.global_domain], ["git"]),
        ("a plugin is told", lambda: (client.plugins.get("git").short_name, client.plugins.get("none")), ("git", None)),
        ("nodes are told", lambda: [(one.display_name, one.offline) for one in client.nodes], [("Built-In Node", False)]),
        ("the user is told", lambda: (client.user.id, client.user.full_name), (server.user, server.user)),
    ]  # fmt: skip


def end(client):
    """What was made is deleted."""
    return [
        ("a job is deleted", lambda: client.delete_job("ci/inner/taxi"), None),
        ("it is gone", lambda: client["ci/inner/taxi"], None),
        ("a client that finds nothing deletes nothing", lambda: client.delete_job("ci/inner/taxi"), None),
        ("a folder is deleted with all in it", lambda: client.delete_job("ci"), None),
        ("nothing is left", lambda: list(client.iter(3)), []),
    ]
