"""What a person does with jenkinsapi against the sandbox's Jenkins, and what Jenkins must have made of it. This client
reads `api/python` and sends a crumb with each POST; it stands alone since each client asks in its own way.
"""

from jenkinsapi.custom_exceptions import JenkinsAPIException, NoBuildData, UnknownJob
from jenkinsapi.jenkins import Jenkins

from expect import Raised, table
from session_python_jenkins import JOB

FOLDER = "<com.cloudbees.hudson.plugins.folder.Folder/>"


def session(server):
    """All rows, in this order."""
    client = Jenkins(server.jenkins, server.user, server.token)
    return table(items(client) + builds(client) + names(client) + others(client) + end(client))


def items(client):
    """Folders and jobs."""
    return [
        ("the server tells its version", lambda: client.version, "2.570"),
        ("a folder is made", lambda: client.create_job("ci", FOLDER).name, "ci"),
        ("a job is made in it", lambda: client.create_job("ci/inside", JOB).get_full_name(), "ci/inside"),
        ("a job at the root is made", lambda: client.create_job("taxi", JOB).name, "taxi"),
        ("a bad name is refused", lambda: client.create_job("a*b", JOB), Raised(JenkinsAPIException)),
        ("the jobs are listed, those of folders too", lambda: sorted(client.keys()), ["ci/inside", "taxi"]),
        ("the job is found", lambda: client["taxi"].name, "taxi"),
        ("another one is not", lambda: client["bus"], Raised(UnknownJob)),
        ("its configuration is shown", lambda: "<script>echo 1</script>" in client["taxi"].get_config(), True),
        ("it is configured anew", lambda: client["taxi"].update_config(JOB.replace("echo 1", "echo 2")), ""),
        ("its new configuration is shown", lambda: "<script>echo 2</script>" in client["taxi"].get_config(), True),
        ("a description is set", lambda: (client["taxi"].change_description("said by hand"), client["taxi"].get_description())[1], "said by hand"),
        ("a job is disabled", lambda: (client["taxi"].disable(), client["taxi"].is_enabled())[1], False),
        ("it is enabled again", lambda: (client["taxi"].enable(), client["taxi"].is_enabled())[1], True),
        ("its parameters are told", lambda: list(client["taxi"].get_params_list()), ["REGION", "PROJECT"]),
    ]  # fmt: skip


def builds(client):
    """From a wish for a build to its end."""

    def build():
        item = client["taxi"].invoke(build_params={"REGION": "us-east-1"})
        item.block_until_complete(delay=0.2)
        return item.get_build_number()

    def last():
        names = ("first", "last", "last_good", "last_completed")
        return {name: getattr(client["taxi"], f"get_{name}_buildnumber")() for name in names}

    def unknown():
        return client["taxi"].invoke(build_params={"REGION": "us-east-1", "NONE": "x"}, block=True, delay=0.2).get_build().get_params()

    return [
        ("a build with parameters ends", build, 1),
        ("the build kept what it was given", lambda: client["taxi"].get_build(1).get_params(), {"REGION": "us-east-1", "PROJECT": "taxi"}),
        ("it went well", lambda: (client["taxi"].get_build(1).get_status(), client["taxi"].get_build(1).is_good()), ("SUCCESS", True)),
        ("its console ends with its result", lambda: client["taxi"].get_build(1).get_console().splitlines()[-1], "Finished: SUCCESS"),
        ("its cause is told", lambda: client["taxi"].get_build(1).get_causes()[0]["shortDescription"], "Started by user operator"),
        ("a parameter that the job does not have is left out", unknown, {"REGION": "us-east-1", "PROJECT": "taxi"}),
        ("the last builds are told", last, {"first": 1, "last": 2, "last_good": 2, "last_completed": 2}),
        ("no build has failed", lambda: client["taxi"].get_last_failed_buildnumber(), Raised(NoBuildData)),
        ("all builds are listed", lambda: list(client["taxi"].get_build_ids()), [2, 1]),
        ("nothing runs", lambda: client["taxi"].is_running(), False),
        ("the queue is empty", lambda: len(client.get_queue()), 0),
        ("a build is described", lambda: (client["taxi"].get_build(2).set_description("d"), client["taxi"].get_build(2).get_description())[1], "d"),
        ("a build is deleted", lambda: client["taxi"].delete_build(1), None),
        ("the other one is left", lambda: list(client["taxi"].get_build_ids()), [2]),
    ]  # fmt: skip


def names(client):
    """Copies and new names."""
    return [
        ("a job is copied", lambda: client.copy_job("taxi", "bus").name, "bus"),
        ("the copy has what its source has", lambda: client["bus"].get_config() == client["taxi"].get_config(), True),
        ("a job gets a new name", lambda: client.rename_job("bus", "tram").name, "tram"),
        ("the old name is free", lambda: client.has_job("bus"), False),
    ]  # fmt: skip


def others(client):
    """Views, credentials, plugins, nodes."""
    return [
        ("the only view is the one of all", lambda: list(client.views.keys()), ["all"]),
        ("a view is made", lambda: client.views.create("mine").name, "mine"),
        ("a job is put into it", lambda: client.views["mine"].add_job("taxi"), True),
        ("it is there", lambda: list(client.views["mine"].keys()), ["taxi"]),
        ("it is not put there twice", lambda: client.views["mine"].add_job("taxi"), False),
        ("it is taken out", lambda: (client.views["mine"].remove_job("taxi"), list(client.views["mine"].keys())), (True, [])),
        ("a view is deleted", lambda: (client.views["mine"].delete(), "mine" in client.views)[1], False),
        ("plugins are told", lambda: (client.plugins["git"].shortName, "none" in client.plugins), ("git", False)),
        ("nodes are told", lambda: [(name, node.is_online()) for name, node in client.nodes.items()], [("Built-In Node", True)]),
    ]  # fmt: skip


def end(client):
    """What was made is deleted."""
    return [
        ("a job is deleted", lambda: client.delete_job("taxi"), None),
        ("it is gone", lambda: client.has_job("taxi"), False),
        ("the rest is deleted", lambda: [client.delete_job(name) for name in ("tram", "ci/inside")], [None, None]),
        ("no job is left", lambda: Jenkins(client.baseurl, client.username, client.password).keys(), []),
    ]
