"""Starts the Jenkins jobs that wait for model packages whose approval status has changed.

Each message of the queue holds one event of SageMaker. Which jobs an event starts stands in its model package group's
route, an object that the operator writes into the artifact bucket; a group without one is none of ours. Every job is
started once for an event, though queues deliver more than once and a run may end between any two calls: who starts a job
claims it first, by an object that can be made once only, and notes beside it that it was started, or that the attempt is
over. A claim without a start is looked into in Jenkins once nobody can be at it any more. Each event is written down before
it is served, and whoever comes first starts all events of its group that wait, in the order of their times; it stops at the
first that cannot be started, and notes that in the bucket: for a minute after that, later events of the group only say so,
in whichever process. So a group whose jobs cannot be started costs each of its messages a look into the bucket, and the
other groups hardly any time.

What is served, or of no group with a route, is done. All else is raised, whether it may pass (Unavailable) or a person
must act first (Refused): the message comes again, after a minute at first and ever later, for days, and goes to the dead
letters then. A user whom Jenkins refuses may be one whom it does not know yet: while it starts, a valid token is answered
with 401, and a POST with 403. So a refusal is asked again until it has lasted for a while, unless Jenkins says that it knows
the user: then it is meant. The Jenkins user and API token are read from Secrets Manager at each event that starts something,
so that a new token needs no new function.
"""

import base64
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from email.utils import parsedate_to_datetime

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 15  # for one call to Jenkins
PATIENCE = 30  # seconds for which Jenkins may not know the user, all calls of one event together
PAUSE = 2  # seconds after its first refusal; each further pause is twice as long, so that no user directory locks the account
LONGEST = 8 * 1024 * 1024  # bytes of a reply
QUEUE = "items[id,task[url],actions[parameters[name,value]]]"
BUILDS = "builds[number,actions[parameters[name,value]]]{0,200}"
YOUNG = 300  # seconds for which a claim may be somebody's who is at it: twice as long as the function runs at most
ENOUGH = 75  # seconds that must be left to begin with an event
KEPT = 30 * 24 * 3600  # seconds for which claims are kept: twice as long as any queue keeps a message
ALIVE = 2 * 3600  # seconds after its last coming for which a message is taken to come again: it comes each quarter of an hour
PAGE = 100  # old claims that are removed at once
FIRST_WAIT, LONGEST_WAIT = 60, 900  # seconds until a message comes again: after its first failure, and by its queue
HOLDS = 60  # seconds for which an event that cannot be started holds the later ones of its group without another attempt
WAITS = "it comes again by itself"


class TriggerError(Exception):
    """A sentence for log and queue: what is wrong, and what to do. It never holds the token."""

    slowly = False  # whether to try again soon would do harm
    unheard = False  # whether Jenkins may do later what it was asked for, since nobody has heard that it did not


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
        """Status, headers and body of a call; `form` makes it a POST. One that is refused was not done: it is repeated while
        Jenkins does not know the user."""
        while True:
            answer = self.once(url, form)
            if answer[0] not in (401, 403) or (answer[0] == 403 and self.knows_user()):
                self.refused_since, self.pause = None, PAUSE
                return answer
            now = time.monotonic()
            self.refused_since = now if self.refused_since is None else self.refused_since
            rest = self.context.get_remaining_time_in_millis() / 1000
            # What is left must be enough for one more call, for the question who the user is, and to say so.
            if now - self.refused_since >= PATIENCE or rest < self.pause + 3 * SECONDS:
                return answer
            time.sleep(self.pause)
            self.pause *= 2

    def knows_user(self):
        """Whether Jenkins takes the caller for a user. Who may nothing may ask that, too."""
        try:
            status, _, body = self.once(self.base + "/whoAmI/api/json", None)
            found = json.loads(body) if status == 200 else None
        except (TriggerError, ValueError):
            return False
        return isinstance(found, dict) and found.get("authenticated") is True and found.get("anonymous") is False

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
            reason = getattr(error, "reason", error)
            silent = self.silent(reason)
            silent.unheard = not isinstance(reason, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError))
            raise silent from None

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
            error = Unavailable(f"Jenkins at {self.base} is not available: it answers {status}")
            # What a proxy says that has asked Jenkins.
            error.unheard = status in (502, 504)
            return error
        sentences = {
            400: f"{job} does not take the parameters MODEL_PACKAGE_ARN and EVENT_ID: register the job anew",
            401: "Jenkins does not accept the user and API token: renew the API token",
            403: f"the Jenkins user may not build {job}: it needs Overall/Read, Job/Read and Job/Build",
            404: f"there is no job {job}, or the Jenkins user may not see it",
            405: f"something before {self.base} lets no POST through: allow it to the model trigger",
            409: f"{job} cannot be built: enable the job",
        }
        error = Refused(sentences.get(status, f"Jenkins answers {status} for {job}"))
        # A user directory may lock the account of a user who is refused too often.
        error.slowly = status == 401
        return error


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


class Bucket:
    """Objects under the operator's prefix in the artifact bucket. S3 tells what there is by lists: of an object that is not
    there it says 403 to whoever may list some prefixes only."""

    s3 = None  # one for all runs of a process: to make one takes as long as several calls

    def __init__(self, name, prefix):
        self.name, self.prefix, self.now = name, prefix, None
        if Bucket.s3 is None:
            patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3})
            Bucket.s3 = boto3.client("s3", config=patience)

    def ask(self, call, unless=(), **arguments):
        """The answer of a call; None where S3 refuses it with one of these codes. `now` becomes the time of the answer."""
        try:
            answer = call(Bucket=self.name, **arguments)
            self.now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
            return answer
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in unless:
                return None
            raise self.silent(error) from None
        except BotoCoreError as error:
            raise self.silent(error) from None

    def silent(self, error):
        advice = "the function's role must be allowed to, and its subnets must reach S3"
        return Unavailable(f"the bucket {self.name} does not do what it should: {error}; {advice}")

    def list(self, folder):
        """Names below a folder with entity tag and age in seconds, by S3's own clock: the first thousand in order."""
        answer = self.ask(self.s3.list_objects_v2, Prefix=self.prefix + folder)
        found = answer.get("Contents") or []
        start = len(self.prefix + folder)
        return {one["Key"][start:]: (one["ETag"], self.now - one["LastModified"].timestamp()) for one in found}

    def read(self, key):
        """The JSON object there, or None."""
        return self.content(key) if "" in self.list(key) else None

    def content(self, key):
        """The JSON object that a list has shown; None where it is gone again."""
        answer = self.ask(self.s3.get_object, ("NoSuchKey",), Key=self.prefix + key)
        if answer is None:
            return None
        try:
            found = json.loads(answer["Body"].read())
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"the object {self.prefix}{key} of bucket {self.name} is no JSON object")
        return found

    def write(self, key, document, **condition):
        """Its entity tag; None where the condition does not hold, or somebody else is at it."""
        body = json.dumps(document).encode()
        given = {"Key": self.prefix + key, "Body": body, "ContentType": "application/json"} | condition
        lost = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
        answer = self.ask(self.s3.put_object, lost, **given)
        return None if answer is None else answer["ETag"]

    def remove(self, folder, outlived=lambda name: name == "", most=1000):
        """Removes objects for good, in a bucket with versions too: the one of that key, or those below the folder up to the
        first whose name is not outlived."""
        start = len(self.prefix + folder)
        answer = self.ask(self.s3.list_object_versions, Prefix=self.prefix + folder, MaxKeys=most)
        found = sorted((answer.get("Versions") or []) + (answer.get("DeleteMarkers") or []), key=lambda one: one["Key"])
        gone = []
        for one in found:
            if not outlived(one["Key"][start:]):
                break
            gone.append({"Key": one["Key"], "VersionId": one["VersionId"]})
        if gone:
            answer = self.ask(self.s3.delete_objects, Delete={"Objects": gone, "Quiet": True})
            for error in answer.get("Errors") or []:
                raise self.silent(f"{error.get('Key')} cannot be deleted: {error.get('Code')}")


def text_of(document, name, pattern):
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise Refused(f"the event is not one of a model package: {name} is missing or of another form")
    return value


class Event:
    """What an event of SageMaker says, as far as it is needed."""

    def __init__(self, event):
        detail = event.get("detail") if isinstance(event, dict) else None
        self.id = text_of(event, "id", r"[A-Za-z0-9-]{1,128}")
        self.time = text_of(event, "time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
        self.group = text_of(detail, "ModelPackageGroupName", r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
        self.package = text_of(detail, "ModelPackageArn", r"[A-Za-z0-9_.:/-]{1,2048}")
        self.status = text_of(detail, "ModelApprovalStatus", r"[A-Za-z]{1,64}")
        seconds, _, rest = self.time[:-1].partition(".")
        # In the order of names events stand in the order of their times.
        self.name = f"{seconds}.{rest.ljust(9, '0')}Z-{self.id}"
        self.key = f"events/{self.group}/{self.name}"
        self.hold = f"events/{self.group}.hold"
        self.claims = f"starting/{self.name}/"
        self.parameters = {"MODEL_PACKAGE_ARN": self.package, "EVENT_ID": self.id}

    def document(self):
        detail = {
            "ModelPackageGroupName": self.group,
            "ModelPackageArn": self.package,
            "ModelApprovalStatus": self.status,
        }
        return {"id": self.id, "time": self.time, "detail": detail}


class Route:
    """Which jobs the events of a model package group start, as the operator has written it down."""

    def __init__(self, found, group):
        path = r"job/[^/?#\s]+(/job/[^/?#\s]+)*"
        try:
            if found["version"] != 1:
                raise Refused(f"the route of {group} is of version {found['version']}: update the model trigger's stack")
            self.statuses = [str(status) for status in found["approvalStatuses"]]
            self.jobs = {str(job["name"]): str(job["path"]) for job in found["jobs"]}
        except (KeyError, TypeError):
            raise Refused(f"the route of {group} is of another form: have the operator write it anew") from None
        for name, job in self.jobs.items():
            dots = {".", ".."} & {urllib.parse.unquote(part) for part in job.split("/")}
            if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name) or not re.fullmatch(path, job) or dots:
                raise Refused(f"the route of {group} names {job}, which is no path of a job")


class Run:
    """One run of the function, for the group of one event."""

    def __init__(self, event, context):
        self.event, self.context, self.server = event, context, None
        self.bucket = Bucket(os.environ["ARTIFACT_BUCKET"], os.environ["BUCKET_PREFIX"])
        self.told, self.served = [], False

    def jenkins(self):
        """Jenkins, once it is needed."""
        if self.server is None:
            self.server = Jenkins(os.environ["JENKINS_URL"], credentials(), self.context)
        return self.server

    def serve(self):
        """Starts what the event and those before it in its group start; gives what became of the event."""
        event = self.event
        _, held_for = self.bucket.list(event.hold).get("", (None, None))
        if held_for is not None and held_for < HOLDS:
            self.held_back()
        found = self.bucket.read(f"routes/{event.group}.json")
        route = None if found is None else Route(found, event.group)
        if route is None or event.status not in route.statuses:
            self.bucket.remove(event.key)
            if held_for is not None and route is None:
                self.bucket.remove(event.hold)
            return "no job waits for it"
        if self.finished(event, route.jobs):
            self.bucket.remove(event.key)
            # A run that ended between the last start and this.
            if held_for is not None and held_for >= HOLDS:
                self.bucket.remove(event.hold)
            return "its jobs were started before"
        self.bucket.write(event.key, event.document())
        try:
            self.work_all_off(route)
            self.bucket.remove(event.hold)
        except TriggerError as error:
            # What comes after this event in its group comes again with messages of its own.
            if not self.served:
                raise
            self.told.append({"later": str(error)})
        self.clean()
        return "served"

    def held_back(self):
        """An event that an earlier one of its group holds is written down, each time anew, so that it is started in its turn
        as long as its message comes again."""
        event, hold = self.event, self.bucket.content(self.event.hold)
        if hold is None or hold["event"] >= event.name or event.status not in hold["statuses"]:
            return
        if self.finished(event, hold["jobs"]):
            return
        self.bucket.write(event.key, event.document())
        kind = Refused if hold["refused"] else Unavailable
        error = kind(f"it waits behind event {hold['id']} of its group: {hold['text']}")
        # The run that starts that one starts this one, too.
        error.slowly = True
        raise error

    def finished(self, event, jobs):
        claims = self.bucket.list(event.claims)
        return all(f"{name}.started" in claims for name in jobs)

    def work_all_off(self, route):
        """Starts what waits in the group, in its order. A job that failed for one event is left alone for the later ones; the
        other jobs go on."""
        folder, mine = f"events/{self.event.group}/", self.event.name
        seen, failed, errors = set(), {}, {}
        while waiting := {name: age for name, (_, age) in self.bucket.list(folder).items() if name not in seen}:
            for name, age in waiting.items():
                seen.add(name)
                if name != mine and age >= ALIVE:
                    # Its message has died, and waits for a person who sends it again or does not.
                    if self.outlived(name):
                        self.bucket.remove(folder + name)
                    continue
                if error := self.work_off(folder + name, route, failed):
                    errors[name] = error
                self.served = self.served or (name == mine and not error)
                if len(failed) == len(route.jobs):
                    raise errors.get(mine, error)
        if errors:
            raise errors.get(mine) or list(errors.values())[0]

    def work_off(self, key, route, failed):
        """Starts the jobs of an event that was written down, and takes it off the list; gives why not all were started."""
        if self.context.get_remaining_time_in_millis() < ENOUGH * 1000:
            raise Unavailable(f"there is no time left for more events of {self.event.group}: {WAITS}")
        found = self.bucket.read(key)
        # Another run has just finished it otherwise.
        if found is not None:
            event = Event(found)
            if event.status in route.statuses and (error := self.start(event, route, failed)):
                return error
        self.bucket.remove(key)
        return None

    def start(self, event, route, failed):
        """Starts each job of an event that was not started yet and has not failed for an earlier one. Where one fails, the
        others are started all the same; gives why."""
        claims, errors = self.bucket.list(event.claims), []
        for name, job in route.jobs.items():
            if f"{name}.started" in claims:
                continue
            if name in failed:
                errors.append(failed[name])
                continue
            try:
                tag = self.claim(event, name, job, claims)
                item = self.attempt(event, route, name, tag, taken_over=name in claims)
                self.bucket.write(f"{event.claims}{name}.started", {"job": job, "queueItem": item}, IfNoneMatch="*")
                self.told.append({"event": event.id, "job": job, "started": item is not None, "queueItem": item})
            except TriggerError as error:
                failed[name] = error
                errors.append(error)
        if not errors:
            return None
        kind = Unavailable if any(isinstance(error, Unavailable) for error in errors) else Refused
        error = kind("; ".join(dict.fromkeys(str(error) for error in errors)))
        error.slowly = any(error.slowly for error in errors)
        return error

    def attempt(self, event, route, name, tag, taken_over):
        """The queue item of a job that this run has claimed; None where it was started before, or an equal item waits."""
        try:
            job, jenkins = route.jobs[name], self.jenkins()
            # Whoever claimed it before may have started it, and ended before saying so.
            if taken_over and jenkins.has(job, event.parameters):
                return None
            return jenkins.start(job, event.parameters)
        except TriggerError as error:
            # In this order: whoever takes the attempt over finds the hold, and removes it once the job is started.
            self.hold(event, route, error)
            # The next attempt need not wait until this run cannot be at it any more.
            if not error.unheard:
                self.note(f"{event.claims}{name}.over", {"claim": tag})
            raise

    def hold(self, event, route, error):
        """Holds the later events of the group for a while, in all processes."""
        held = {"statuses": route.statuses, "jobs": list(route.jobs)}
        why = {"refused": isinstance(error, Refused), "text": str(error)}
        self.note(event.hold, {"event": event.name, "id": event.id} | held | why)

    def note(self, key, document):
        """Writes down what saves others time."""
        try:
            self.bucket.write(key, document)
        except TriggerError as error:
            self.told.append({"notNoted": str(error)})

    def claim(self, event, name, job, claims):
        """Claims a job for an event; gives the claim's entity tag."""
        key = event.claims + name
        # No two claims are equal, so that of two who take over the same one only one succeeds.
        mine = {"job": job, "run": self.context.aws_request_id, "claim": str(uuid.uuid4())}
        condition = {"IfNoneMatch": "*"}
        if name in claims:
            tag, age = claims[name]
            over = age >= YOUNG or f"{name}.over" in claims and (self.bucket.read(key + ".over") or {}).get("claim") == tag
            condition = {"IfMatch": tag} if over else None
        tag = condition and self.bucket.write(key, mine, **condition)
        if not tag:
            raise Unavailable(f"{job} is being started for event {event.id} by somebody else, or was until just now: {WAITS}")
        return tag

    def outlived(self, name):
        """Whether something named after an event is older than what is kept."""
        oldest = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.bucket.now - KEPT))
        return name < oldest

    def clean(self):
        """Removes some claims that no message can come for any more, the oldest first. Here and not by a lifecycle rule of the
        bucket: one that the operator did not make has rules of its own, which a further one would replace."""
        try:
            self.bucket.remove("starting/", self.outlived, PAGE)
        except TriggerError as error:
            self.told.append({"notRemoved": str(error)})


def come_sooner(record, error, context):
    """Shortens the time until a message comes again, after which its queue would show it: a minute at first, twice as long
    after each further failure. Gives why it could not."""
    received = int((record.get("attributes") or {}).get("ApproximateReceiveCount", 1))
    wait = FIRST_WAIT * 2 ** min(received - 1, 10)
    if wait >= LONGEST_WAIT or error.slowly or context.get_remaining_time_in_millis() < SECONDS * 1000:
        return None
    # In a VPC nothing may answer there, and the message comes again without that.
    patience = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
    try:
        sqs = boto3.client("sqs", config=patience)
        sqs.change_message_visibility(
            QueueUrl=os.environ["QUEUE_URL"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=wait
        )
    except (BotoCoreError, ClientError, KeyError) as silent:
        return str(silent)
    return None


def serve(record, context, outcome):
    """Serves a message, and writes into the outcome what becomes of it."""
    try:
        found = json.loads(record["body"])
    except ValueError:
        raise Refused("the message holds no event: it is no JSON") from None
    detail = found.get("detail") if isinstance(found, dict) else None
    if isinstance(detail, dict) and detail.get("ModelPackageGroupName") is None:
        # A package without versions is of no group, so of none with a route.
        outcome |= {"event": found.get("id"), "group": None, "package": detail.get("ModelPackageArn")}
        outcome |= {"outcome": "no job waits for it", "jobs": []}
        return
    one = Event(found)
    run = Run(one, context)
    outcome |= {"event": one.id, "group": one.group, "package": one.package, "jobs": run.told}
    outcome["outcome"] = run.serve()


def handler(event, context):
    """Serves the messages of a batch, which has one; says which of them come again. After a run that fails as a whole Lambda
    takes fewer messages at once, of all groups ("Handling errors for an SQS event source in Lambda")."""
    failures = []
    for record in event["Records"]:
        outcome = {}
        try:
            serve(record, context, outcome)
        except TriggerError as error:
            outcome |= {"outcome": str(error), "failed": type(error).__name__}
            if silent := come_sooner(record, error, context):
                outcome["notSooner"] = silent
            failures.append({"itemIdentifier": record["messageId"]})
        print(json.dumps(outcome))
    return {"batchItemFailures": failures}
