"""Starts the Jenkins jobs that wait for a model package whose approval status has changed.

EventBridge delivers an event at least once, and Lambda runs it again after a failure. So, before it starts a job,
the function looks for the same event in the Jenkins queue and in the job's last builds; and only one instance of it
runs at a time. Each job stands for itself: where one was started and another fails, the next attempt starts the other.
A user whom Jenkins refuses may be one whom it does not know yet: while it starts, a valid token is answered with 401, and
a POST with 403. So a refusal is asked again until it has lasted for a while. What cannot be started is raised, whether a later attempt may succeed (Unavailable) or a person must act first
(Refused): Lambda tries twice more and then keeps the event, with the sentence, in the dead-letter queue. The Jenkins
user and API token are read from Secrets Manager at each call, so that a new token needs no new function.
"""

import base64
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 15  # for one call to Jenkins
PATIENCE = 30  # seconds for which Jenkins may refuse the user, all calls of one event together
PAUSE = 2  # seconds after its first refusal; each further pause is twice as long, so that no user directory locks the account
LONGEST = 8 * 1024 * 1024  # bytes of a reply
QUEUE = "items[id,task[url],actions[parameters[name,value]]]"
BUILDS = "builds[number,actions[parameters[name,value]]]{0,50}"


class TriggerError(Exception):
    """A sentence for log and queue: what is wrong, and what to do. It never holds the token."""


class Unavailable(TriggerError):
    """A later attempt may succeed by itself."""


class Refused(TriggerError):
    """No attempt succeeds before somebody has changed something."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Jenkins answers with redirects that mean something: they are looked at, not followed."""

    def redirect_request(self, *_):
        return None


def place(url):
    """A URL as text without what may be secret in it: user, query and fragment."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Jenkins:
    """The part of Jenkins's REST interface that starts jobs."""

    def __init__(self, base, credentials, context):
        self.base = base.rstrip("/")
        self.context, self.refused_since, self.pause = context, None, PAUSE
        user = credentials["user"] + ":" + credentials["token"]
        self.authorization = "Basic " + base64.b64encode(user.encode()).decode()
        context = ssl.create_default_context()
        # Many private CAs write certificates that are valid but not to the letter of RFC 5280; the operator takes them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if credentials["caBundle"]:
            try:
                context.load_verify_locations(cadata=credentials["caBundle"])
            except (ssl.SSLError, ValueError):
                raise Refused("the CA bundle of the secret holds no certificate in PEM form") from None
        self.opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=context))

    def call(self, url, form=None):
        """Status, headers and body of a call; `form` makes it a POST. One that is refused was not done: it is repeated."""
        while True:
            answer = self.once(url, form)
            now = time.monotonic()
            if answer[0] not in (401, 403):
                self.refused_since, self.pause = None, PAUSE
                return answer
            self.refused_since = now if self.refused_since is None else self.refused_since
            rest = self.context.get_remaining_time_in_millis() / 1000
            # What is left must be enough for one more call, and to say so.
            if now - self.refused_since >= PATIENCE or rest < self.pause + 2 * SECONDS:
                return answer
            time.sleep(self.pause)
            self.pause *= 2

    def once(self, url, form):
        """Status, headers and body of one call."""
        body = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data=body, headers={"Authorization": self.authorization})
        try:
            with self.opener.open(request, timeout=SECONDS) as answer:
                return answer.status, answer.headers, answer.read(LONGEST)
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, b""
        except (OSError, http.client.HTTPException) as error:
            raise self.silent(getattr(error, "reason", error)) from None

    def silent(self, reason):
        """Why there is no answer."""
        if isinstance(reason, ssl.SSLCertVerificationError):
            advice = "give the CA that signed it in modelTrigger.caBundleRef, or correct the URL"
            return Refused(f"the certificate of {self.base} is not trusted: {reason.verify_message}; {advice}")
        if isinstance(reason, ssl.SSLError):
            return Unavailable(f"there is no TLS connection with {self.base}: {reason.reason}")
        if isinstance(reason, TimeoutError):
            return Unavailable(f"Jenkins at {self.base} does not answer within {SECONDS} s")
        return Unavailable(f"Jenkins at {self.base} does not answer: {reason}")

    def get(self, url, tree, about):
        status, headers, body = self.call(url + "/api/json?" + urllib.parse.urlencode({"tree": tree}))
        if status != 200:
            raise self.refused(status, headers, about)
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"what answers at {self.base} is not Jenkins: its reply is no JSON object")
        return found

    def has(self, job, wanted):
        """Whether an item in the queue, or one of the last builds, of this job has these parameters."""
        url = self.base + "/" + job
        # Queue first: what leaves it between the two looks is a build by then.
        queue = self.get(self.base + "/queue", QUEUE, url).get("items") or []
        found = [item for item in queue if item_path((item.get("task") or {}).get("url")) == item_path(url)]
        found += self.get(url, BUILDS, url).get("builds") or []
        for item in found:
            for action in item.get("actions") or []:
                given = {one.get("name"): one.get("value") for one in (action or {}).get("parameters") or []}
                if all(given.get(name) == value for name, value in wanted.items()):
                    return True
        return False

    def start(self, job, parameters):
        """Starts the job, and gives the queue item: None where an equal item waits already."""
        url = self.base + "/" + job
        status, headers, _ = self.call(url + "/buildWithParameters", parameters)
        if status == 201:
            return place(headers.get("Location") or "")
        if status == 303:
            return None
        raise self.refused(status, headers, url)

    def refused(self, status, headers, job):
        """What a status other than success means."""
        goal = headers.get("Location") or ""
        if status == 302 and item_path(urllib.parse.urljoin(job + "/", goal)) == item_path(job):
            return Unavailable(f"Jenkins took the request but scheduled no build of {job}")
        if status in (301, 302, 307, 308):
            advice = "give the URL that Jenkins itself has, and let API calls past any login page"
            return Refused(f"{job} is redirected to {place(goal) or 'nowhere'}: {advice}")
        if status in (408, 425, 429):
            return Unavailable(f"Jenkins at {self.base} asks to come back later: it answers {status}")
        if status >= 500:
            return Unavailable(f"Jenkins at {self.base} is not available: it answers {status}")
        sentences = {
            400: f"{job} does not take the parameters MODEL_PACKAGE_ARN and EVENT_ID: register the job anew",
            401: "Jenkins does not accept the user and API token: renew the API token",
            403: f"the Jenkins user may not build {job}: it needs Overall/Read, Job/Read and Job/Build",
            404: f"there is no job {job}, or the Jenkins user may not see it",
            405: f"something before {self.base} lets no POST through: allow it to the model trigger",
            409: f"{job} cannot be built: enable the job",
        }
        return Refused(sentences.get(status, f"Jenkins answers {status} for {job}"))


def item_path(url):
    """A job's path within Jenkins, which may know itself by another host and prefix than the function does."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(url or "").path)
    return path[max(path.find("/job/"), 0) :].rstrip("/")


def credentials():
    """The Jenkins user and API token, and the CA bundle if there is one."""
    arn = os.environ["SECRET_ARN"]
    patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        text = boto3.client("secretsmanager", config=patience).get_secret_value(SecretId=arn)["SecretString"]
    except (BotoCoreError, ClientError) as error:
        advice = "the function's role must be allowed to read it, and its subnets must reach Secrets Manager"
        raise Unavailable(f"the secret {arn} cannot be read: {error}; {advice}") from None
    try:
        found = json.loads(text)
        return {"user": found["user"], "token": found["token"], "caBundle": found.get("caBundle", "")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"the secret {arn} does not hold a JSON object with user and token") from None


def parameters_of(event):
    """What each job is started with."""
    try:
        parameters = {"MODEL_PACKAGE_ARN": event["detail"]["ModelPackageArn"], "EVENT_ID": event["id"]}
    except (KeyError, TypeError):
        raise Refused("the event is not one of a model package: it lacks id or detail.ModelPackageArn") from None
    if not all(isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.:/-]{1,2048}", value) for value in parameters.values()):
        raise Refused("the event's id or detail.ModelPackageArn is no id and no ARN")
    return parameters


def handler(event, context):
    parameters = parameters_of(event)
    jenkins = Jenkins(os.environ["JENKINS_URL"], credentials(), context)
    done, failed = [], []
    for job in (path.strip().strip("/") for path in os.environ["JOB_PATHS"].split(",")):
        try:
            found = jenkins.has(job, parameters)
            item = None if found else jenkins.start(job, parameters)
            done.append({"job": jenkins.base + "/" + job, "started": item is not None, "queueItem": item})
        except TriggerError as error:
            failed.append(error)
    result = {"jobs": done, "failed": [str(error) for error in failed], **parameters}
    print(json.dumps(result))
    if failed:
        kind = Unavailable if any(isinstance(error, Unavailable) for error in failed) else Refused
        raise kind("; ".join(dict.fromkeys(result["failed"])))
    return result
