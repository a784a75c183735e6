"""Starts the Jenkins deploy job for a model package whose approval status has changed.

EventBridge delivers an event at least once, and Lambda runs it again after a failure. So, before it starts a
build, the function looks for the same event in the Jenkins queue and in the job's last builds; and only one
instance of it runs at a time. The Jenkins user and API token are read from Secrets Manager at each call.
"""

import base64
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

import boto3

SECONDS = 15
QUEUE = "items[id,task[name,url],actions[parameters[name,value]]]"
BUILDS = "builds[number,actions[parameters[name,value]]]{0,50}"


class TriggerError(Exception):
    """A sentence for the function's log: what Jenkins refused, and what to do. It never holds the token."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Jenkins answers with redirects that mean something: they are looked at, not followed."""

    def redirect_request(self, *_):
        return None


class Jenkins:
    """The part of Jenkins's REST interface that starts a job."""

    def __init__(self, base, job, credentials):
        self.base = base.rstrip("/")
        self.job = self.base + "/" + job.strip("/")
        user = credentials["user"] + ":" + credentials["token"]
        self.authorization = "Basic " + base64.b64encode(user.encode()).decode()
        context = ssl.create_default_context()
        if credentials.get("caBundle"):
            context.load_verify_locations(cadata=credentials["caBundle"])
        self.opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=context))

    def call(self, url, form=None):
        """Status, headers and body of one call; `form` makes it a POST."""
        body = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data=body, headers={"Authorization": self.authorization})
        try:
            with self.opener.open(request, timeout=SECONDS) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, b""
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise TriggerError(f"Jenkins at {self.base} does not answer: {reason}") from None

    def get(self, url, tree):
        status, _, body = self.call(url + "/api/json?" + urllib.parse.urlencode({"tree": tree}))
        if status != 200:
            raise self.refused(status)
        try:
            return json.loads(body)
        except ValueError:
            raise TriggerError(f"what answers at {self.base} is not Jenkins: its reply is no JSON") from None

    def has(self, wanted):
        """Whether a queued item or one of the last builds has these parameters."""
        found = self.get(self.base + "/queue", QUEUE).get("items", [])
        found += self.get(self.job, BUILDS).get("builds", [])
        for item in found:
            for action in item.get("actions", []):
                given = {one.get("name"): one.get("value") for one in (action or {}).get("parameters") or []}
                if all(given.get(name) == value for name, value in wanted.items()):
                    return True
        return False

    def start(self, parameters):
        """Starts the job: True where this call did it, False where an equal item waits already."""
        status, headers, _ = self.call(self.job + "/buildWithParameters", parameters)
        if status == 201:
            return True, headers.get("Location")
        if status == 303:
            return False, headers.get("Location")
        raise self.refused(status)

    def refused(self, status):
        sentences = {
            302: f"Jenkins took the request but scheduled no build of {self.job}",
            401: "Jenkins does not accept the user and API token: renew the API token",
            403: f"the Jenkins user may not build {self.job}: it needs Overall/Read, Job/Read and Job/Build",
            404: f"there is no job {self.job}, or the Jenkins user may not see it",
            409: f"{self.job} cannot be built: enable the job",
        }
        if status >= 500:
            return TriggerError(f"Jenkins at {self.base} is not available: it answers {status}")
        return TriggerError(sentences.get(status, f"Jenkins answers {status} for {self.job}"))


def credentials():
    """The Jenkins user and API token, and the CA bundle if there is one."""
    arn = os.environ["SECRET_ARN"]
    text = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    try:
        found = json.loads(text)
        return {"user": found["user"], "token": found["token"], "caBundle": found.get("caBundle", "")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TriggerError(f"the secret {arn} does not hold a JSON object with user and token") from None


def handler(event, context):
    parameters = {"MODEL_PACKAGE_ARN": event["detail"]["ModelPackageArn"], "EVENT_ID": event["id"]}
    jenkins = Jenkins(os.environ["JENKINS_URL"], os.environ["DEPLOY_JOB_PATH"], credentials())
    started, item = False, None
    if not jenkins.has(parameters):
        started, item = jenkins.start(parameters)
    result = {"started": started, "queueItem": item, "job": jenkins.job, **parameters}
    print(json.dumps(result))
    return result
