"""What a person does with python-jenkins against the sandbox's Jenkins, and what Jenkins must have made of it. It stands
alone since each client asks in its own way; it must not reach round the client with requests of its own.
"""

import jenkins
import requests

from expect import Raised, table, until

JOB = """\
<?xml version='1.1' encoding='UTF-8'?>
<flow-definition>
  <description>takes two parameters</description>
  <properties>
    <hudson.model.ParametersDefinitionProperty>
      <parameterDefinitions>
        <hudson.model.StringParameterDefinition><name>REGION</name><defaultValue>eu-west-1</defaultValue></hudson.model.StringParameterDefinition>
        <hudson.model.StringParameterDefinition><name>PROJECT</name><defaultValue>taxi</defaultValue></hudson.model.StringParameterDefinition>
      </parameterDefinitions>
    </hudson.model.ParametersDefinitionProperty>
  </properties>
  <definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition" plugin="workflow-cps"><script>echo 1</script><sandbox>true</sandbox></definition>
</flow-definition>
"""
SECRET = """\
<com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>
  <scope>GLOBAL</scope><id>%s</id><description>d</description><username>%s</username><password>p</password>
</com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>
"""


def session(server):
    """All rows, in this order."""
    client = jenkins.Jenkins(server.jenkins, server.user, server.token)
    return table(items(client) + builds(client) + names(client) + others(client, server) + end(client))


def items(client):
    """Folders and jobs."""
    return [
        ("a folder is made", lambda: client.create_folder("ci"), None),
        ("the server tells its version", client.get_version, "2.570"),
        ("a folder in it is made", lambda: client.create_folder("ci/inner"), None),
        ("a folder is known as one", lambda: client.is_folder("ci"), True),
        ("a folder that exists is not made again", lambda: client.create_folder("ci"), Raised(jenkins.JenkinsException)),
        ("a job is made", lambda: client.create_job("ci/taxi", JOB), None),
        ("a job that exists is not made again", lambda: client.create_job("ci/taxi", JOB), Raised(jenkins.JenkinsException)),
        ("a job where there is no folder", lambda: client.create_job("none/taxi", JOB), Raised(jenkins.JenkinsException)),
        ("the job exists", lambda: exists(client, "ci/taxi"), True),
        ("another one does not", lambda: exists(client, "ci/bus"), False),
        ("its configuration is shown", lambda: "<script>echo 1</script>" in client.get_job_config("ci/taxi"), True),
        ("it is configured anew", lambda: client.reconfig_job("ci/taxi", JOB.replace("echo 1", "echo 2")), None),
        ("its new configuration is shown", lambda: "<script>echo 2</script>" in client.get_job_config("ci/taxi"), True),
        ("all items are listed by full name", lambda: [one["fullname"] for one in client.get_all_jobs()], ["ci", "ci/inner", "ci/taxi"]),
        ("the root's items are counted", client.jobs_count, 3),
        ("a job is disabled", lambda: client.disable_job("ci/taxi"), None),
        ("it takes no builds then", lambda: client.build_job("ci/taxi", {"REGION": "x"}), Raised(requests.HTTPError)),
        ("and its colour says so", lambda: client.get_job_info("ci/taxi")["color"], "disabled"),
        ("it is enabled again", lambda: client.enable_job("ci/taxi"), None),
        ("its parameters are told", lambda: parameters(client), ["REGION", "PROJECT"]),
    ]  # fmt: skip


def builds(client):
    """From a wish for a build to its end."""
    queued, number = [], []

    def build():
        queued.append(client.build_job("ci/taxi", {"REGION": "us-east-1"}))
        until(lambda: bool(client.get_queue_item(queued[-1]).get("executable")), True, "the queue item's build")
        number.append(client.get_queue_item(queued[-1])["executable"]["number"])
        until(lambda: client.get_build_info("ci/taxi", number[-1])["result"], "SUCCESS", "the build")
        return number[-1]

    def cancelled():
        item = client.build_job("ci/taxi", {"REGION": "never", "delay": "60sec"})
        listed = item in [one["id"] for one in client.get_queue_info()]
        client.cancel_queue(item)
        return listed, client.get_queue_item(item)["cancelled"]

    def stopped():
        client.build_job("ci/taxi", {"REGION": "stop"})
        until(lambda: (client.get_job_info("ci/taxi")["lastBuild"] or {}).get("number"), 2, "the second build")
        client.stop_build("ci/taxi", 2)
        until(lambda: client.get_build_info("ci/taxi", 2)["result"], "ABORTED", "the stopped build")

    return [
        ("a build with parameters ends", build, 1),
        ("the build kept what it was given", lambda: given(client, 1), {"REGION": "us-east-1", "PROJECT": "taxi"}),
        ("its console ends with its result", lambda: client.get_build_console_output("ci/taxi", 1).splitlines()[-1], "Finished: SUCCESS"),
        ("a queue item is listed and cancelled", cancelled, (True, True)),
        ("a running build is stopped", stopped, None),
        ("a pipeline takes none of the executors that the client looks at", client.get_running_builds, []),
        ("all builds are listed", lambda: [one["number"] for one in client.get_job_info("ci/taxi", fetch_all_builds=True)["builds"]], [2, 1]),
        ("a build is deleted", lambda: client.delete_build("ci/taxi", 1), None),
        ("it is gone", lambda: client.get_build_info("ci/taxi", 1), Raised(jenkins.JenkinsException)),
        ("the other one is left", lambda: [one["number"] for one in client.get_job_info("ci/taxi")["builds"]], [2]),
    ]  # fmt: skip


def names(client):
    """Copies and new names."""
    return [
        ("a job is copied", lambda: client.copy_job("ci/taxi", "ci/bus"), None),
        ("the copy has what its source has", lambda: client.get_job_config("ci/bus") == client.get_job_config("ci/taxi"), True),
        ("a copy takes no builds until it is saved", lambda: client.build_job("ci/bus", {"REGION": "x"}), Raised(requests.HTTPError)),
        ("a copy across folders is refused by the client", lambda: client.copy_job("ci/taxi", "ci/inner/taxi"), Raised(jenkins.JenkinsException)),
        ("a job gets a new name", lambda: client.rename_job("ci/bus", "ci/tram"), None),
        ("the old name is free", lambda: exists(client, "ci/bus"), False),
        ("a taken name is refused", lambda: client.rename_job("ci/tram", "ci/taxi"), Raised(requests.HTTPError)),
    ]  # fmt: skip


def others(client, server):
    """Views, credentials, plugins, nodes, who one is."""
    view = jenkins.EMPTY_VIEW_CONFIG_XML
    listing = view.replace("<jobNames>", "<jobNames><string>ci</string>")
    password = SECRET % ("git", "octo")
    return [
        ("the only view is the one of all", lambda: [one["name"] for one in client.get_views()], ["all"]),
        ("a view is made", lambda: client.create_view("mine", view), None),
        ("a view that exists is not made again", lambda: client.create_view("mine", view), Raised(jenkins.JenkinsException)),
        ("it exists", lambda: bool(client.view_exists("mine")), True),
        ("it is configured anew", lambda: client.reconfig_view("mine", listing), None),
        ("its configuration is shown", lambda: "<string>ci</string>" in client.get_view_config("mine"), True),
        ("it lists its jobs", lambda: [one["name"] for one in client.get_jobs(view_name="mine")], ["ci"]),
        ("it is deleted", lambda: client.delete_view("mine"), None),
        ("it is gone", lambda: bool(client.view_exists("mine")), False),
        ("a credential is kept in a folder", lambda: client.create_credential("ci", password), None),
        ("it exists", lambda: client.credential_exists("git", "ci"), True),
        ("it is listed", lambda: [one["id"] for one in client.list_credentials("ci")], ["git"]),
        ("its secret is not shown", lambda: "<secret-redacted/>" in client.get_credential_config("git", "ci"), True),
        ("it is changed", lambda: client.reconfig_credential("ci", SECRET % ("git", "mona")), None),
        ("the change is shown", lambda: "<username>mona</username>" in client.get_credential_config("git", "ci"), True),
        ("it is deleted", lambda: client.delete_credential("git", "ci"), None),
        ("it is gone", lambda: client.credential_exists("git", "ci"), False),
        ("plugins are told by either name", lambda: client.get_plugin_info("Git plugin")["shortName"], "git"),
        ("nodes are told", client.get_nodes, [{"name": "Built-In Node", "offline": False}]),
        ("the built-in node is told of", lambda: client.get_node_info("(built-in)")["displayName"], "Built-In Node"),
        ("a node that is not there", lambda: client.node_exists("agent"), False),
        ("the user is told", lambda: client.get_whoami()["id"], server.user),
    ]  # fmt: skip


def end(client):
    """What was made is deleted."""
    return [
        ("a job is deleted", lambda: client.delete_job("ci/taxi"), None),
        ("it is gone", lambda: exists(client, "ci/taxi"), False),
        ("it cannot be deleted again", lambda: client.delete_job("ci/taxi"), Raised(jenkins.JenkinsException)),
        ("a folder is deleted with all in it", lambda: client.delete_job("ci"), None),
        ("nothing is left", client.get_all_jobs, []),
    ]


def exists(client, name):
    """The client gives None for an item that is not there."""
    return bool(client.job_exists(name))


def parameters(client):
    """Names of a job's parameters."""
    properties = client.get_job_info("ci/taxi")["property"]
    return [one["name"] for single in properties for one in single.get("parameterDefinitions", [])]


def given(client, number):
    """Parameters of a build."""
    actions = client.get_build_info("ci/taxi", number)["actions"]
    return {one["name"]: one["value"] for action in actions for one in action.get("parameters", [])}
