"""The model trigger's function against a Jenkins of the tests' own, over HTTP and TLS, and a bucket in memory."""

import base64
import contextlib
import datetime
import importlib.util
import io
import json
import os
import pathlib
import sys
import time
import types
import unittest
import urllib.parse
from unittest import mock

from botocore.exceptions import ClientError, ConnectTimeoutError

from fake_jenkins import DEPLOY, ENDPOINT, TLS, FakeJenkins
from fake_s3 import FakeS3

SOURCE = pathlib.Path(__file__).parents[3] / "src" / "templates" / "model_trigger.py"
TOKEN = "11abcdef0123456789"
GROUP = "churn-p-1"
PACKAGE = f"arn:aws:sagemaker:eu-west-1:111122223333:model-package/{GROUP}/2"
PREFIX = "mlops-operator/0a1b/"
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc).timestamp()
PARAMETERS = [{"name": "MODEL_PACKAGE_ARN", "value": PACKAGE}, {"name": "EVENT_ID", "value": "7f1c"}]


def event(id="7f1c", group=GROUP, minute=0, status="Approved", **more):
    detail = {"ModelPackageArn": PACKAGE, "ModelPackageGroupName": group, "ModelApprovalStatus": status}
    return {"id": id, "time": f"2026-03-01T12:{minute:02}:00Z", "detail": detail} | more


EVENT = event()


class SecretsManager:
    """Holds one secret, or refuses it."""

    def __init__(self):
        self.text, self.error, self.reads = "", None, 0

    def get_secret_value(self, SecretId):
        self.reads += 1
        if self.error:
            raise self.error
        return {"SecretString": self.text, "ARN": SecretId}


class Queue:
    """Notes for how long messages are to be hidden, or refuses it."""

    def __init__(self):
        self.waits, self.error = [], None

    def change_message_visibility(self, QueueUrl, ReceiptHandle, VisibilityTimeout):
        assert (QueueUrl, ReceiptHandle) == ("https://queue", "handle")
        if self.error:
            raise self.error
        self.waits.append(VisibilityTimeout)
        return {}


class Context:
    """What Lambda tells the function of its own run."""

    def __init__(self):
        self.seconds, self.runs = 150, 0

    @property
    def aws_request_id(self):
        return f"run-{self.runs}"

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


class Killed(BaseException):
    """The run ends here, as where Lambda stops it."""


class Bench(unittest.TestCase):
    tls = False

    def setUp(self):
        self.jenkins = FakeJenkins(self.tls)
        self.addCleanup(self.jenkins.stop)
        self.url = self.jenkins.url
        self.job = f"{self.url}/{DEPLOY}"
        environment = {
            "JENKINS_URL": self.url, "SECRET_ARN": "arn:secret", "ARTIFACT_BUCKET": "bucket", "BUCKET_PREFIX": PREFIX,
            "QUEUE_URL": "https://queue",
        }
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.clock, self.pauses, self.configs = NOON, [], {}
        self.secrets, self.s3, self.queue = SecretsManager(), FakeS3(lambda: self.clock), Queue()
        self.keep(user="robot", token=TOKEN)
        self.enterContext(mock.patch.dict(sys.modules, {"boto3": types.SimpleNamespace(client=self.client)}))
        self.function = self.process()
        self.context = Context()
        self.route(deploy=DEPLOY)

    def process(self):
        """The function in a process of its own, which remembers what no other knows."""
        spec = importlib.util.spec_from_file_location("model_trigger", SOURCE)
        function = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(function)
        clock = types.SimpleNamespace(
            monotonic=lambda: self.clock, sleep=self.sleep, gmtime=time.gmtime, strftime=time.strftime
        )
        self.enterContext(mock.patch.object(function, "time", clock))
        return function

    def client(self, service, config):
        self.configs[service] = config
        return {"s3": self.s3, "secretsmanager": self.secrets, "sqs": self.queue}[service]

    def sleep(self, seconds):
        self.clock += seconds
        self.pauses.append(seconds)

    def keep(self, **secret):
        self.secrets.text = json.dumps(secret)

    def route(self, group=GROUP, statuses=("Approved",), **jobs):
        """What the operator writes down for a group."""
        named = [{"name": name, "path": path} for name, path in jobs.items()]
        found = {"version": 1, "owner": "ml/churn", "approvalStatuses": list(statuses), "jobs": named}
        self.s3.put_object("bucket", f"{PREFIX}routes/{group}.json", json.dumps(found).encode())

    def run_it(self, event=EVENT, received=1):
        self.context.runs += 1
        attributes = {"ApproximateReceiveCount": str(received)}
        record = {"messageId": "message", "body": json.dumps(event), "receiptHandle": "handle", "attributes": attributes}
        # Another run may begin while this one is at it.
        with contextlib.redirect_stdout(io.StringIO()) as log:
            answer = self.function.handler({"Records": [record]}, self.context)
        self.log = log
        self.assertNotIn(TOKEN, log.getvalue())
        outcome = json.loads(log.getvalue())
        comes_again = [{"itemIdentifier": "message"}] if "failed" in outcome else []
        self.assertEqual(answer, {"batchItemFailures": comes_again})
        return outcome

    def started(self, event=EVENT):
        return [one["started"] for one in self.run_it(event)["jobs"]]

    def fails(self, kind, event=EVENT, received=1):
        """The sentence with which it fails: as `Unavailable` or `Refused`."""
        outcome = self.run_it(event, received)
        self.assertEqual(outcome.get("failed"), kind, outcome)
        return outcome["outcome"]

    def later(self, seconds=900):
        """The message comes again: after its queue's visibility timeout, unless it was shortened."""
        self.clock += seconds

    def fresh(self):
        """Nothing is written down but routes."""
        self.s3.versions = {key: one for key, one in self.s3.versions.items() if "/routes/" in key}

    def abandoned(self):
        """Leaves claims behind that nobody is at any more, and that nobody has said so of: their run was stopped."""
        self.fresh()
        self.jenkins.start = {DEPLOY: 503, ENDPOINT: 503}
        self.fails("Unavailable")
        for key in [key for key in self.s3.versions if key.endswith(".over")]:
            del self.s3.versions[key]
        self.jenkins.start = {}
        self.jenkins.calls.clear()
        self.later()

    def builds(self, job=DEPLOY):
        """Events that the job was built for, in order."""
        parameters = [build["actions"][1]["parameters"] for build in reversed(self.jenkins.builds[job])]
        return [one["value"] for each in parameters for one in each if one["name"] == "EVENT_ID"]

    def written(self, folder):
        return [key.removeprefix(PREFIX) for key in self.s3.versions if key.startswith(PREFIX + folder)]


class OneJob(Bench):
    def test_it_starts_the_job_by_post_with_package_and_event_as_the_user_of_the_secret(self):
        result = self.run_it()
        location = "http://inside:8080/ci/queue/item/9/"
        self.assertEqual(result["jobs"], [{"event": "7f1c", "job": DEPLOY, "started": True, "queueItem": location}])
        [(method, path, authorization, body)] = self.jenkins.calls
        self.assertEqual((method, path), ("POST", f"/ci/{DEPLOY}/buildWithParameters"))
        self.assertEqual(base64.b64decode(authorization.removeprefix("Basic ")).decode(), f"robot:{TOKEN}")
        self.assertEqual(urllib.parse.parse_qs(body), {"MODEL_PACKAGE_ARN": [PACKAGE], "EVENT_ID": ["7f1c"]})

    def test_no_secret_and_no_remote_token_stands_in_a_url(self):
        self.run_it()
        for _, path, _, _ in self.jenkins.calls:
            self.assertNotIn("token", path)

    def test_a_new_token_counts_from_the_next_event_on(self):
        self.run_it()
        self.keep(user="robot", token="second")
        self.run_it(event("other"))
        self.assertEqual(base64.b64decode(self.jenkins.calls[-1][2].removeprefix("Basic ")).decode(), "robot:second")

    def test_an_equal_item_that_waits_already_is_success(self):
        self.jenkins.start[DEPLOY] = 303
        self.assertEqual(self.started(), [False])
        self.assertEqual(self.run_it()["outcome"], "its jobs were started before")

    def test_what_is_in_an_event_never_becomes_part_of_a_url_a_key_or_a_form_unescaped(self):
        bad = ("x&delay=0", "x y", "", "x" * 2049, None, ["x"], "x\ny", "../x")
        for value in bad:
            for name in ("id", "time"):
                with self.subTest(name=name, value=value):
                    told = self.fails("Refused", EVENT | {name: value})
                    self.assertEqual(told, f"the event is not one of a model package: {name} is missing or of another form")
            for name in ("ModelPackageGroupName", "ModelApprovalStatus"):
                with self.subTest(name=name, value=value):
                    if (name, value) == ("ModelPackageGroupName", None):
                        continue
                    self.assertIn(name, self.fails("Refused", EVENT | {"detail": EVENT["detail"] | {name: value}}))
        for wrong in ({}, {"id": "1"}, EVENT | {"detail": None}, [], "x"):
            with self.subTest(event=wrong):
                self.assertIn("is missing or of another form", self.fails("Refused", wrong))
        self.assertEqual(self.jenkins.calls, [])


class SeveralJobs(Bench):
    def test_a_job_that_cannot_be_started_holds_back_itself_alone(self):
        """The endpoint's Jenkinsfile has taken all parameters away."""
        self.route(deploy=DEPLOY, endpoint=ENDPOINT)
        self.jenkins.start = {ENDPOINT: 400}
        first, second = event("a", minute=1), event("b", minute=2)
        self.fails("Refused", first)
        self.later()
        self.fails("Refused", second)
        self.assertEqual((self.builds(DEPLOY), self.jenkins.builds[ENDPOINT]), (["a", "b"], []))
        asked = [path for _, path, _, _ in self.jenkins.calls if ENDPOINT in path and "buildWithParameters" in path]
        self.assertEqual(len(asked), 2, "each run has tried the endpoint's job once, for the first event")
        self.jenkins.start = {}
        self.later()
        self.assertEqual(self.run_it(first)["outcome"], "served")
        self.assertEqual(self.builds(ENDPOINT), ["a", "b"], "in their order, and once each")
        self.assertEqual(self.builds(DEPLOY), ["a", "b"])

    def test_an_event_whose_message_has_died_is_started_by_a_person_alone(self):
        """A newer event of its group must not bring an old model into production."""
        self.jenkins.start = {DEPLOY: 503}
        self.fails("Unavailable", event("old"))
        self.jenkins.start = {}
        self.later(5 * 24 * 3600)
        self.assertEqual(self.run_it(event("new", time="2026-03-06T12:00:00Z"))["outcome"], "served")
        self.assertEqual(self.builds(), ["new"])
        self.assertEqual(self.run_it(event("old"))["outcome"], "served")
        self.assertEqual(self.builds(), ["new", "old"], "it was sent again from the dead-letter queue")
        self.assertEqual(self.written("events/"), [])

    def test_events_that_are_held_for_hours_are_started_in_their_order_while_their_messages_come(self):
        self.jenkins.start = {DEPLOY: 503}
        first, second = event("a", minute=1), event("b", minute=2)
        for _ in range(12):
            self.fails("Unavailable", first)
            self.fails("Unavailable", second)
            self.later()
        self.jenkins.start = {}
        self.assertEqual(self.run_it(second)["outcome"], "served")
        self.assertEqual(self.builds(), ["a", "b"])


class Routes(Bench):
    def test_a_group_without_a_route_is_ignored_without_a_call_to_jenkins_or_for_the_secret(self):
        self.assertEqual(self.run_it(event(group="others"))["outcome"], "no job waits for it")
        self.assertEqual((self.jenkins.calls, self.secrets.reads, self.written("events/")), ([], 0, []))

    def test_a_package_of_no_group_is_ignored_without_any_call(self):
        """As one without versions is, which needs no group and no approval status."""
        calls = len(self.s3.calls)
        alone = {"ModelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/alone", "ModelPackageName": "alone"}
        for detail in (alone, alone | {"ModelPackageGroupName": None, "ModelApprovalStatus": None}):
            with self.subTest(detail=detail):
                result = self.run_it(EVENT | {"detail": detail})
                told = {"event": "7f1c", "group": None, "package": alone["ModelPackageArn"], "outcome": "no job waits for it", "jobs": []}
                self.assertEqual((result, json.loads(self.log.getvalue())), (told, told))
        self.assertEqual((self.jenkins.calls, self.secrets.reads, len(self.s3.calls), self.queue.waits), ([], 0, calls, []))

    def test_a_status_that_the_route_does_not_name_is_ignored(self):
        self.assertEqual(self.run_it(event(status="Rejected"))["outcome"], "no job waits for it")
        self.route(statuses=["Approved", "Rejected"], deploy=DEPLOY)
        self.assertEqual(self.started(event("b", status="Rejected")), [True])

    def test_a_route_that_goes_takes_the_events_along_that_wait(self):
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable")
        self.assertEqual(len(self.written("events/")), 2, "the event, and that it holds its group")
        self.s3.versions.pop(f"{PREFIX}routes/{GROUP}.json")
        self.assertEqual(self.run_it()["outcome"], "no job waits for it")
        self.assertEqual(self.written("events/"), [])

    def test_a_route_of_a_newer_operator_or_of_another_form_is_told(self):
        key = f"{PREFIX}routes/{GROUP}.json"
        self.s3.put_object("bucket", key, b'{"version": 2}')
        self.assertIn("is of version 2: update the model trigger's stack", self.fails("Refused"))
        for body in (b"{}", b'{"version": 1, "approvalStatuses": [], "jobs": [3]}', b"[]", b"<html>"):
            with self.subTest(body=body):
                self.s3.put_object("bucket", key, body)
                self.fails("Refused")

    def test_a_route_leads_to_jobs_alone(self):
        for path in ("job/a/../../manage", "manage", "job/a?x", "job/a/build", "//evil/job/a", "job/%2e%2e/job/a", "job/"):
            with self.subTest(path=path):
                self.route(deploy=path)
                self.assertEqual(self.fails("Refused"), f"the route of {GROUP} names {path}, which is no path of a job")
        self.assertEqual(self.jenkins.calls, [])

    def test_a_bucket_that_refuses_is_told_with_what_to_look_for(self):
        denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "ListObjectsV2")
        for error in (denied, ConnectTimeoutError(endpoint_url="https://s3")):
            self.s3.errors = {"ListObjectsV2": error}
            text = self.fails("Unavailable")
            self.assertIn("the bucket bucket does not do what it should: ", text)
            self.assertIn("its subnets must reach S3", text)


class Once(Bench):
    def test_a_second_delivery_of_an_event_that_was_served_does_nothing(self):
        self.run_it()
        self.assertEqual(self.run_it(), {"event": "7f1c", "group": GROUP, "package": PACKAGE, "outcome": "its jobs were started before", "jobs": []})
        self.assertEqual((self.builds(), self.secrets.reads, self.written("events/")), (["7f1c"], 1, []))

    def test_a_second_delivery_while_the_first_is_at_it_comes_again(self):
        start, seen = self.function.Jenkins.start, []

        def meanwhile(jenkins, job, parameters):
            if not seen:
                seen.append(self.fails("Unavailable"))
            return start(jenkins, job, parameters)

        with mock.patch.object(self.function.Jenkins, "start", meanwhile):
            self.assertEqual(self.started(), [True])
        self.assertIn("is being started for event 7f1c by somebody else", seen[0])
        self.assertEqual(self.builds(), ["7f1c"])

    def test_a_claim_of_a_run_that_ended_is_looked_into_and_the_job_is_started(self):
        self.abandoned()
        self.assertEqual(self.started(), [True])
        self.assertEqual([method for method, _, _, _ in self.jenkins.calls], ["GET", "GET", "POST"])
        self.assertIn("{0,200}", urllib.parse.unquote(self.jenkins.calls[1][1]))

    def test_a_claim_is_left_alone_while_its_run_may_be_at_it(self):
        self.abandoned()
        self.clock -= 601
        self.assertIn("by somebody else", self.fails("Unavailable"))
        self.clock += 1
        self.assertEqual(self.started(), [True])

    def test_two_who_take_over_the_same_claim_start_one_build(self):
        self.abandoned()
        start, seen = self.function.Jenkins.has, []

        def meanwhile(jenkins, job, parameters):
            if not seen:
                seen.append(self.fails("Unavailable"))
            return start(jenkins, job, parameters)

        with mock.patch.object(self.function.Jenkins, "has", meanwhile):
            self.assertEqual(self.started(), [True])
        self.assertEqual((len(seen), self.builds()), (1, ["7f1c"]))

    def test_a_build_that_was_started_before_its_run_ended_is_found(self):
        found = {
            "in the builds": lambda: self.jenkins.builds[DEPLOY].append({"number": 3, "actions": [{}, {"parameters": PARAMETERS}]}),
            "in the queue": lambda: self.jenkins.queue.append(
                {"id": 8, "task": {"url": f"http://inside:8080/other/{DEPLOY}/"}, "actions": [{}, {"parameters": PARAMETERS}]}
            ),
        }
        for where, put in found.items():
            with self.subTest(where=where):
                self.jenkins.builds[DEPLOY], self.jenkins.queue = [], []
                self.abandoned()
                put()
                self.assertEqual(self.started(), [False])
                self.assertEqual(self.jenkins.posts(), [])

    def test_what_looks_like_it_and_is_not_it_is_not_found(self):
        other = [PARAMETERS[0], {"name": "EVENT_ID", "value": "other"}]
        for url in (ENDPOINT, "job/a/" + DEPLOY, "job/deploy"):
            self.jenkins.queue.append({"id": 8, "task": {"url": f"{self.url}/{url}/"}, "actions": [{"parameters": PARAMETERS}]})
        self.abandoned()
        self.jenkins.builds[DEPLOY] = [{"number": 3, "actions": [None, {"parameters": other}]}]
        self.assertEqual(self.started(), [True])

    def test_a_job_whose_name_has_a_space_is_found_as_jenkins_writes_it(self):
        self.route(deploy="job/ml%20team/job/deploy")
        self.jenkins.builds["job/ml%20team/job/deploy"] = []
        task = {"url": f"{self.url}/job/ml%20team/job/deploy/"}
        self.jenkins.look["queue"] = 200
        self.jenkins.start["job/ml%20team/job/deploy"] = 503
        self.fails("Unavailable")
        self.later()
        self.jenkins.queue = [{"id": 8, "task": task, "actions": [{"parameters": PARAMETERS}]}]
        self.assertEqual(self.started(), [False])

    def test_wherever_a_run_ends_each_job_is_started_once_and_no_event_is_left(self):
        """A run is stopped before and after each of its calls to S3, and before and after each call to Jenkins: the first run,
        one that Jenkins refuses, and one after that. Then the message comes again until it is done."""
        self.route(deploy=DEPLOY, endpoint=ENDPOINT)
        for case in ("the first run", "a run that is refused", "a run after a refused one"):
            stops = 0
            for stop in range(1000):
                self.jenkins.builds = {DEPLOY: [], ENDPOINT: []}
                self.fresh()
                self.jenkins.start = {} if case == "the first run" else {DEPLOY: 503, ENDPOINT: 503}
                if case == "a run after a refused one":
                    self.fails("Unavailable")
                    self.jenkins.start = {}
                    self.later(60)
                stopped, over = self.stopped_at(stop)
                stops += stopped
                self.jenkins.start = {}
                for _ in range(3):
                    self.later()
                    self.run_it()
                with self.subTest(case=case, stop=stop):
                    self.assertEqual((self.builds(DEPLOY), self.builds(ENDPOINT)), (["7f1c"], ["7f1c"]))
                    self.assertEqual(self.written("events/"), [])
                if over:
                    break
            self.assertGreater(stops, 20, case)

    def stopped_at(self, stop):
        """Runs the function, and stops it at this edge of a call. Gives whether it was stopped, and whether it had no such edge."""
        once, left, stopped = self.function.Jenkins.once, [stop], False

        def edge(*_):
            left[0] -= 1
            if left[0] == -1:
                raise Killed

        def asked(jenkins, url, form):
            edge()
            answer = once(jenkins, url, form)
            edge()
            return answer

        with mock.patch.object(self.function.Jenkins, "once", asked):
            self.s3.onlooker = edge
            try:
                self.run_it()
            except Killed:
                stopped = True
            except self.function.TriggerError:
                pass
            self.s3.onlooker = lambda *_: None
        return stopped, left[0] >= 0


class Order(Bench):
    def test_what_waited_while_jenkins_was_away_is_started_in_the_order_of_the_events(self):
        self.jenkins.start[DEPLOY] = 503
        for name, minute in (("c", 3), ("a", 1), ("b", 2)):
            self.fails("Unavailable", event(name, minute=minute))
        self.later(3600)
        self.fails("Unavailable", event("b", minute=2))
        self.later()
        self.jenkins.start.clear()
        self.assertEqual(self.started(event("b", minute=2)), [True, True, True])
        self.assertEqual(self.builds(), ["a", "b", "c"])
        for name, minute in (("a", 1), ("b", 2), ("c", 3)):
            self.assertEqual(self.run_it(event(name, minute=minute))["outcome"], "its jobs were started before")
        self.assertEqual((self.builds(), self.written("events/")), (["a", "b", "c"], []))

    def test_it_stops_at_the_first_that_cannot_be_started(self):
        self.jenkins.start[DEPLOY] = 409
        self.fails("Refused", event("a", minute=1))
        self.jenkins.start.clear()
        sentence = f"it waits behind event a of its group: {self.job} cannot be built: enable the job"
        self.assertEqual(self.fails("Refused", event("b", minute=2)), sentence)
        self.assertEqual(self.builds(), [])
        self.later(60)
        self.assertEqual(self.started(event("b", minute=2)), [True, True])
        self.assertEqual(self.builds(), ["a", "b"])

    def test_an_event_that_was_served_is_done_though_a_later_one_of_its_group_fails(self):
        start = self.function.Jenkins.start

        def unless_b(jenkins, job, parameters):
            if parameters["EVENT_ID"] == "b":
                raise self.function.Unavailable("no")
            return start(jenkins, job, parameters)

        with mock.patch.object(self.function.Jenkins, "start", unless_b):
            self.fails("Unavailable", event("b", minute=2))
            result = self.run_it(event("a", minute=1))
        self.assertEqual((result["outcome"], result["jobs"][-1]), ("served", {"later": "no"}))
        self.assertEqual(self.builds(), ["a"])
        self.assertIn("it waits behind event b", self.fails("Unavailable", event("c", minute=3)))

    def test_groups_do_not_wait_for_each_other(self):
        self.route("others", deploy=ENDPOINT)
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable", event("a"))
        self.assertEqual(self.started(event("b", group="others", minute=5)), [True])
        self.assertEqual(self.builds(ENDPOINT), ["b"])

    def test_an_event_that_comes_while_another_run_is_at_its_group_is_started_by_that_run(self):
        start, seen = self.function.Jenkins.start, []

        def meanwhile(jenkins, job, parameters):
            if not seen:
                seen.append(self.fails("Unavailable", event("b", minute=2)))
            return start(jenkins, job, parameters)

        with mock.patch.object(self.function.Jenkins, "start", meanwhile):
            self.assertEqual(self.started(event("a", minute=1)), [True, True])
        self.assertEqual(self.builds(), ["a", "b"])

    def test_what_there_is_no_time_for_comes_again(self):
        self.context.seconds = 74
        self.assertIn("there is no time left for more events", self.fails("Unavailable"))
        self.context.seconds = 150
        self.assertEqual(self.started(), [True])


class HeldBack(Bench):
    """Later events of a group whose first cannot be started."""

    def setUp(self):
        super().setUp()
        self.jenkins.start[DEPLOY] = 409
        self.fails("Refused", event("a", minute=1))
        self.jenkins.calls.clear()
        self.s3.calls.clear()

    def test_for_a_minute_they_ask_nothing_of_jenkins_and_read_only_what_holds_them(self):
        for number in range(30):
            self.fails("Refused", event(f"b{number}", minute=2))
        self.assertEqual((self.jenkins.calls, self.secrets.reads), ([], 1))
        self.assertEqual([operation for operation, _ in self.s3.calls], ["ListObjectsV2", "GetObject", "ListObjectsV2", "PutObject"] * 30)
        listed = {told["prefix"] for _, told in self.s3.calls if "prefix" in told and "starting/" not in told["prefix"]}
        self.assertEqual(listed, {f"{PREFIX}events/{GROUP}.hold"})
        self.later(59)
        self.fails("Refused", event("b0", minute=2))
        self.assertEqual(self.jenkins.calls, [])
        self.later(1)
        self.fails("Refused", event("b0", minute=2))
        self.assertEqual([method for method, _, _, _ in self.jenkins.calls], ["GET", "GET", "POST"])

    def test_they_are_started_in_their_order_by_whoever_starts_the_first(self):
        self.fails("Refused", event("c", minute=3))
        self.fails("Refused", event("b", minute=2))
        self.jenkins.start.clear()
        self.later(20)
        self.assertEqual(self.started(event("a", minute=1)), [True, True, True])
        self.assertEqual(self.builds(), ["a", "b", "c"])
        self.assertEqual(self.run_it(event("c", minute=3))["outcome"], "its jobs were started before")
        self.assertEqual(self.started(event("d", minute=4)), [True], "nothing holds it any more")

    def test_an_event_before_it_is_not_held(self):
        self.jenkins.start.clear()
        self.assertEqual(self.started(event("z", minute=0)), [True, True])
        self.assertEqual(self.builds(), ["z", "a"])

    def test_one_that_was_served_before_or_that_starts_nothing_is_done(self):
        self.assertEqual(self.run_it(event("b", minute=2, status="Rejected"))["outcome"], "no job waits for it")
        self.route(deploy=ENDPOINT)
        self.later(60)
        self.started(event("b", minute=2))
        self.route(deploy=DEPLOY)
        self.fails("Refused", event("c", minute=3))
        self.assertEqual(self.run_it(event("b", minute=2))["outcome"], "its jobs were started before")

    def test_a_route_that_changes_meanwhile_counts_for_a_status_that_it_did_not_name(self):
        self.route(statuses=["Approved", "Rejected"], deploy=DEPLOY)
        self.jenkins.start.clear()
        self.assertEqual(self.started(event("b", minute=2, status="Rejected")), [True, True])

    def at(self, second, function):
        """It is that many seconds after the beginning, and the next message goes to this process."""
        self.clock, self.function = NOON + second, function

    def test_they_are_held_in_whichever_process_they_come(self):
        for second in range(50):
            self.at(second, self.process())
            sentence = f"it waits behind event a of its group: {self.job} cannot be built: enable the job"
            self.assertEqual(self.fails("Refused", event(f"b{second}", minute=2)), sentence)
        self.assertEqual((self.jenkins.calls, self.queue.waits), ([], [60]), "the first alone comes sooner")

    def test_a_group_whose_jobs_the_user_may_not_build_costs_two_calls_and_no_pause(self):
        self.fresh()
        self.jenkins.start[DEPLOY] = 403
        for second in range(50):
            self.at(second, self.process())
            self.assertIn(f"the Jenkins user may not build {self.job}", self.fails("Refused", event(f"b{second:02}", minute=2)))
        asked = [(method, path.removeprefix("/ci/")) for method, path, _, _ in self.jenkins.calls]
        self.assertEqual((asked, self.pauses), ([("POST", f"{DEPLOY}/buildWithParameters"), ("GET", "whoAmI/api/json")], []))

    def test_that_they_are_held_cannot_be_written_down_and_the_first_fails_as_before(self):
        self.later(60)
        write = self.function.Bucket.write

        def refusing(bucket, key, *given, **condition):
            if key.endswith(".hold"):
                raise self.function.Unavailable("no")
            return write(bucket, key, *given, **condition)

        with mock.patch.object(self.function.Bucket, "write", refusing):
            self.assertEqual(self.fails("Refused", event("a", minute=1)), f"{self.job} cannot be built: enable the job")
        self.assertEqual(json.loads(self.log.getvalue())["jobs"], [{"notNoted": "no"}])

    def test_whoever_takes_a_failed_attempt_over_ends_the_hold(self):
        """The hold is there before the attempt is said to be over: it never outlives the start of what it is for."""
        self.fresh()
        write, self.jenkins.start[DEPLOY] = self.function.Bucket.write, 503

        def meanwhile(bucket, key, *given, **condition):
            tag = write(bucket, key, *given, **condition)
            if key.endswith(".over"):
                self.jenkins.start.clear()
                self.assertEqual(self.started(event("a", minute=1)), [True])
            return tag

        with mock.patch.object(self.function.Bucket, "write", meanwhile):
            self.fails("Unavailable", event("a", minute=1))
        self.assertEqual((self.builds(), self.written("events/")), (["a"], []))

    def test_one_that_another_process_has_started_holds_nothing_here(self):
        self.fresh()
        one, other, self.jenkins.start[DEPLOY] = self.process(), self.process(), 503
        self.at(0, one)
        self.fails("Unavailable", event("a", minute=1))
        self.at(50, other)
        self.assertIn("it waits behind event a", self.fails("Unavailable", event("b", minute=2)))
        self.jenkins.start.clear()
        self.at(61, one)
        self.assertEqual(self.started(event("a", minute=1)), [True, True])
        self.at(80, other)
        self.assertEqual(self.started(event("c", minute=3)), [True])
        self.assertEqual(self.builds(), ["a", "b", "c"])

    def test_a_message_of_one_that_another_process_has_started_ends_the_hold(self):
        self.fresh()
        one, other, self.jenkins.start[DEPLOY] = self.process(), self.process(), 503
        for function in (one, other):
            self.at(0, function)
            self.fails("Unavailable", event("a", minute=1))
        self.jenkins.start.clear()
        self.at(20, one)
        self.assertEqual(self.started(event("a", minute=1)), [True])
        self.at(30, other)
        self.assertEqual(self.run_it(event("a", minute=1))["outcome"], "its jobs were started before")
        self.assertEqual(self.started(event("b", minute=2)), [True])

    def test_other_groups_are_not(self):
        self.route("others", deploy=ENDPOINT)
        self.assertEqual(self.started(event("b", group="others", minute=5)), [True])


class Sooner(Bench):
    """When a message comes again whose run has failed."""

    def test_the_wait_grows_from_a_minute_to_what_the_queue_has(self):
        self.jenkins.start[DEPLOY] = 503
        for received, wait in ((1, [60]), (2, [120]), (3, [240]), (4, [480]), (5, []), (6, []), (291, [])):
            with self.subTest(received=received):
                self.queue.waits.clear()
                self.fails("Unavailable", received=received)
                self.assertEqual(self.queue.waits, wait)

    def test_an_attempt_that_failed_need_not_be_waited_for(self):
        self.jenkins.start[DEPLOY] = 500
        self.fails("Unavailable")
        self.later(60)
        self.jenkins.start.clear()
        self.assertEqual(self.started(), [True])
        self.assertEqual([method for method, _, _, _ in self.jenkins.calls], ["POST", "GET", "GET", "POST"])

    def test_an_attempt_that_may_still_come_to_something_is_waited_for_and_looked_into(self):
        for status in (None, 502, 504):
            with self.subTest(status=status):
                self.fresh()
                self.jenkins.builds[DEPLOY].clear()
                if status is None:
                    self.function.SECONDS = 0.2
                    self.jenkins.silent.clear()
                else:
                    self.jenkins.start[DEPLOY] = status
                self.fails("Unavailable")
                self.function.SECONDS = 15
                self.jenkins.silent.set()
                self.jenkins.start.clear()
                self.later(60)
                self.assertIn("by somebody else, or was until just now", self.fails("Unavailable", received=2))
                self.jenkins.builds[DEPLOY] = [{"number": 1, "actions": [None, {"parameters": PARAMETERS}]}]
                self.later(240)
                self.assertEqual(self.started(), [False])

    def test_one_that_did_not_reach_jenkins_is_over(self):
        os.environ["JENKINS_URL"] = "http://127.0.0.1:1"
        self.fails("Unavailable")
        os.environ["JENKINS_URL"] = self.url
        self.later(60)
        self.assertEqual(self.started(), [True])

    def test_that_an_earlier_attempt_is_over_does_not_count_for_the_present_one(self):
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable")
        self.jenkins.start.clear()
        self.later(60)
        has, seen = self.function.Jenkins.has, []

        def meanwhile(jenkins, job, parameters):
            if not seen:
                seen.append(self.fails("Unavailable"))
            return has(jenkins, job, parameters)

        with mock.patch.object(self.function.Jenkins, "has", meanwhile):
            self.assertEqual(self.started(), [True])
        self.assertIn("by somebody else", seen[0])
        self.assertEqual(self.builds(), ["7f1c"])

    def test_a_user_who_is_refused_is_not_tried_again_soon_lest_the_account_be_locked(self):
        self.jenkins.start[DEPLOY] = 401
        self.fails("Refused")
        self.assertEqual(self.queue.waits, [])

    def test_what_is_held_back_keeps_its_time(self):
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable", event("a", minute=1))
        self.fails("Unavailable", event("b", minute=2))
        self.assertEqual(self.queue.waits, [60])

    def test_where_it_cannot_be_shortened_the_log_says_why_and_the_run_fails_as_before(self):
        self.jenkins.start[DEPLOY] = 503
        denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "ChangeMessageVisibility")
        for error in (denied, ConnectTimeoutError(endpoint_url="https://sqs")):
            with self.subTest(error=type(error).__name__):
                self.fresh()
                self.queue.error = error
                self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} is not available: it answers 503")
                self.assertEqual(json.loads(self.log.getvalue())["notSooner"], str(error))
        config = self.configs["sqs"]
        self.assertLess(config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout), 15)

    def test_what_was_served_is_not_hidden(self):
        self.run_it()
        self.assertEqual(self.queue.waits, [])


class Forgotten(Bench):
    def test_claims_go_after_thirty_days_and_not_before_in_all_their_versions(self):
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable")
        self.later()
        self.fails("Unavailable")
        self.jenkins.start.clear()
        self.later()
        self.run_it()
        self.assertEqual(sum(len(versions) for key, versions in self.s3.versions.items() if "/starting/" in key), 6)
        self.clock = NOON + 30 * 24 * 3600 - 60
        self.run_it(event("b", time="2026-03-31T11:59:00Z"))
        self.assertEqual(len(self.written("starting/")), 5)
        self.clock = NOON + 30 * 24 * 3600 + 60
        self.run_it(event("c", time="2026-03-31T12:01:00Z"))
        self.assertEqual({key.split("/")[1] for key in self.written("starting/")}, {"2026-03-31T11:59:00.000000000Z-b", "2026-03-31T12:01:00.000000000Z-c"})

    def test_an_event_that_nobody_has_replayed_for_thirty_days_is_given_up(self):
        self.jenkins.start[DEPLOY] = 503
        self.fails("Unavailable")
        self.jenkins.start.clear()
        self.clock = NOON + 31 * 24 * 3600
        self.assertEqual(self.started(event("b", time="2026-04-01T12:00:00Z")), [True])
        self.assertEqual((self.builds(), self.written("events/")), (["b"], []))

    def test_what_cannot_be_removed_is_told_and_the_event_is_served(self):
        self.run_it()
        self.clock = NOON + 31 * 24 * 3600
        remove, calls = self.function.Bucket.remove, []

        def refusing(bucket, folder, *given):
            if folder == "starting/":
                raise self.function.Unavailable("no")
            return remove(bucket, folder, *given)

        with mock.patch.object(self.function.Bucket, "remove", refusing):
            self.assertEqual(self.run_it(event("b", time="2026-04-01T12:00:00Z"))["jobs"][-1], {"notRemoved": "no"})


class TwoJobs(Bench):
    def setUp(self):
        super().setUp()
        self.route(deploy=DEPLOY, endpoint=ENDPOINT)

    def paths(self):
        return [path.removeprefix("/ci/").removesuffix("/buildWithParameters") for path in self.jenkins.posts()]

    def test_each_is_started_once_for_an_event(self):
        self.assertEqual(self.started(), [True, True])
        self.assertEqual(self.started(), [])
        self.assertEqual(self.paths(), [DEPLOY, ENDPOINT])

    def test_where_the_second_fails_the_next_attempt_starts_only_the_second(self):
        self.jenkins.start[ENDPOINT] = 503
        self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} is not available: it answers 503")
        self.jenkins.start.clear()
        self.later()
        self.assertEqual(self.started(), [True])
        self.assertEqual(self.paths(), [DEPLOY, ENDPOINT, ENDPOINT])

    def test_where_the_first_fails_the_second_is_started_all_the_same(self):
        self.jenkins.start[DEPLOY] = 409
        self.assertEqual(self.fails("Refused"), f"{self.job} cannot be built: enable the job")
        self.jenkins.start.clear()
        self.later()
        self.assertEqual(self.started(), [True])
        self.assertEqual(self.paths(), [DEPLOY, ENDPOINT, DEPLOY])

    def test_both_failures_are_told_and_one_that_may_pass_decides(self):
        self.jenkins.start = {DEPLOY: 409, ENDPOINT: 503}
        text = self.fails("Unavailable")
        self.assertEqual(
            text,
            f"{self.job} cannot be built: enable the job; Jenkins at {self.url} is not available: it answers 503",
        )

    def test_the_same_failure_of_both_is_told_once(self):
        self.abandoned()
        self.jenkins.look["queue"] = 502
        self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} is not available: it answers 502")


class WhileJenkinsStarts(Bench):
    def test_a_refusal_that_passes_is_waited_for(self):
        self.abandoned()
        self.jenkins.first = [401, 403, 401]
        self.assertEqual(self.started(), [True])
        self.assertEqual((self.pauses, len(self.jenkins.posts())), ([2, 4, 8], 1))

    def test_a_post_that_is_refused_for_a_moment_is_made_once(self):
        answer, refusals = self.function.Jenkins.once, [[403, 403]]

        def once(jenkins, url, form):
            if form is not None and refusals:
                self.jenkins.first = refusals.pop()
            return answer(jenkins, url, form)

        with mock.patch.object(self.function.Jenkins, "once", once):
            self.assertEqual(self.started(), [True])
        self.assertEqual((len(self.jenkins.posts()), len(self.jenkins.builds[DEPLOY])), (3, 1))

    def test_a_refusal_that_lasts_for_thirty_seconds_is_told(self):
        self.jenkins.start[DEPLOY] = 401
        self.assertEqual(self.fails("Refused"), "Jenkins does not accept the user and API token: renew the API token")
        self.assertEqual(sum(self.pauses), 30)

    def test_two_jobs_share_the_thirty_seconds(self):
        self.route(deploy=DEPLOY, endpoint=ENDPOINT)
        self.jenkins.start = {DEPLOY: 401, ENDPOINT: 401}
        self.fails("Refused")
        self.assertEqual(sum(self.pauses), 30)

    def test_a_user_whom_jenkins_does_not_know_may_be_known_in_a_moment(self):
        anonymous = json.dumps({"name": "anonymous", "authenticated": True, "anonymous": True})
        for stranger in ((401, ""), (200, anonymous), (200, "<html>"), (200, "[]"), (403, ""), (503, "")):
            with self.subTest(stranger=stranger):
                self.fresh()
                self.pauses.clear()
                self.jenkins.start[DEPLOY], self.jenkins.stranger = 403, stranger
                self.fails("Refused")
                self.assertEqual(sum(self.pauses), 30)

    def test_a_user_whom_jenkins_knows_is_refused_at_once_wherever_it_is(self):
        for at in ("queue", DEPLOY):
            with self.subTest(at=at):
                self.abandoned()
                self.jenkins.look = {at: 403}
                self.fails("Refused")
                self.assertEqual((self.jenkins.calls[-1][1], self.pauses), ("/ci/whoAmI/api/json", []))

    def test_the_thirty_seconds_begin_anew_once_jenkins_has_taken_the_user(self):
        self.abandoned()
        self.jenkins.first = [401] * 3
        self.jenkins.look[DEPLOY] = 401
        self.fails("Refused")
        self.assertEqual(self.pauses, [2, 4, 8, 2, 4, 8, 16])

    def test_the_function_ends_within_its_own_time(self):
        self.jenkins.start[DEPLOY] = 401
        self.function.ENOUGH, self.context.seconds = 0, 46
        self.assertEqual(self.fails("Refused"), "Jenkins does not accept the user and API token: renew the API token")
        self.assertEqual(self.pauses, [])


class WhatJenkinsAnswers(Bench):
    def test_each_refusal_is_a_sentence_and_never_success(self):
        cases = {
            400: ("Refused", f"{self.job} does not take the parameters MODEL_PACKAGE_ARN and EVENT_ID: register the job anew"),
            401: ("Refused", "Jenkins does not accept the user and API token: renew the API token"),
            403: ("Refused", f"the Jenkins user may not build {self.job}: it needs Overall/Read, Job/Read and Job/Build"),
            404: ("Refused", f"there is no job {self.job}, or the Jenkins user may not see it"),
            405: ("Refused", f"something before {self.url} lets no POST through: allow it to the model trigger"),
            409: ("Refused", f"{self.job} cannot be built: enable the job"),
            418: ("Refused", f"Jenkins answers 418 for {self.job}"),
            429: ("Unavailable", f"Jenkins at {self.url} asks to come back later: it answers 429"),
            500: ("Unavailable", f"Jenkins at {self.url} is not available: it answers 500"),
            503: ("Unavailable", f"Jenkins at {self.url} is not available: it answers 503"),
        }
        for status, (kind, sentence) in cases.items():
            with self.subTest(status=status, when="starting"):
                self.fresh()
                self.jenkins.start[DEPLOY] = status
                self.assertEqual(self.fails(kind), sentence)
        for look in ("queue", DEPLOY):
            for status in (401, 403, 404, 503):
                with self.subTest(status=status, when="looking", at=look):
                    self.abandoned()
                    self.jenkins.look = {look: status}
                    self.assertEqual(self.fails(cases[status][0]), cases[status][1])
                    self.assertEqual(self.jenkins.posts(), [])
                    self.jenkins.look = {}

    def test_a_redirect_to_the_job_itself_means_that_nothing_was_scheduled(self):
        self.jenkins.start[DEPLOY] = 302
        for location in (".", f"/ci/{DEPLOY}/", f"http://inside:8080/ci/{DEPLOY}/"):
            with self.subTest(location=location):
                self.fresh()
                self.jenkins.location = location
                sentence = f"Jenkins took the request but scheduled no build of {self.job}"
                self.assertEqual(self.fails("Unavailable"), sentence)

    def test_a_redirect_to_a_login_page_is_told_without_its_query(self):
        self.jenkins.location = "https://user:word@login.example.com/oauth?state=hidden"
        for at, status in (("start", 302), ("look", 302), ("look", 301), ("start", 307)):
            with self.subTest(at=at, status=status):
                self.jenkins.start, self.jenkins.look = {}, {}
                self.abandoned()
                getattr(self.jenkins, at)[DEPLOY] = status
                text = self.fails("Refused")
                self.assertIn(f"{self.job} is redirected to https://login.example.com/oauth: ", text)
                self.assertNotIn("hidden", text)
                self.assertNotIn("word", text)

    def test_what_is_not_jenkins_is_told(self):
        for body in ("<html>", "[]", "3"):
            with self.subTest(body=body):
                self.abandoned()
                self.jenkins.body = body
                sentence = f"what answers at {self.url} is not Jenkins: its reply is no JSON object"
                self.assertEqual(self.fails("Refused"), sentence)

    def test_a_jenkins_that_does_not_answer_in_time_is_told(self):
        self.function.SECONDS = 0.2
        self.jenkins.silent.clear()
        self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} does not answer within 0.2 s")

    def test_a_jenkins_that_cannot_be_reached_is_told(self):
        os.environ["JENKINS_URL"] = "http://127.0.0.1:1"
        self.assertIn("Jenkins at http://127.0.0.1:1 does not answer: ", self.fails("Unavailable"))


class Secrets(Bench):
    def test_a_secret_of_another_form_is_told_without_its_content(self):
        for secret in (TOKEN, json.dumps([TOKEN]), json.dumps({"token": TOKEN}), json.dumps(TOKEN)):
            with self.subTest(length=len(secret)):
                self.fresh()
                self.secrets.text = secret
                sentence = "the secret arn:secret does not hold a JSON object with user and token"
                self.assertEqual(self.fails("Refused"), sentence)

    def test_a_secret_that_cannot_be_read_is_told_with_what_to_look_for(self):
        denied = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
        for error in (ClientError(denied, "GetSecretValue"), ConnectTimeoutError(endpoint_url="https://sm")):
            with self.subTest(error=type(error).__name__):
                self.fresh()
                self.secrets.error = error
                text = self.fails("Unavailable")
                self.assertIn("the secret arn:secret cannot be read: ", text)
                self.assertIn("its subnets must reach Secrets Manager", text)
        self.assertEqual(self.jenkins.calls, [])

    def test_waiting_for_the_secret_leaves_time_to_say_so(self):
        self.run_it()
        config = self.configs["secretsmanager"]
        attempts = config.retries["total_max_attempts"]
        self.assertLess(attempts * (config.connect_timeout + config.read_timeout), 40)


class OverTls(Bench):
    tls = True

    def test_the_ca_bundle_of_the_secret_is_trusted(self):
        self.keep(user="robot", token=TOKEN, caBundle=(TLS / "ca.pem").read_text())
        self.assertEqual(self.started(), [True])

    def test_a_certificate_of_an_unknown_ca_is_told_and_nothing_is_sent(self):
        text = self.fails("Refused")
        self.assertIn(f"the certificate of {self.url} is not trusted: ", text)
        self.assertIn("caBundleRef", text)
        self.assertEqual(self.jenkins.calls, [])

    def test_a_certificate_for_another_host_is_told(self):
        self.keep(user="robot", token=TOKEN, caBundle=(TLS / "ca.pem").read_text())
        os.environ["JENKINS_URL"] = self.url.replace("127.0.0.1", "localhost")
        self.assertIn("is not trusted: ", self.fails("Refused"))

    def test_a_ca_bundle_that_is_none_is_told(self):
        for bundle in ("no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            with self.subTest(bundle=bundle):
                self.fresh()
                self.keep(user="robot", token=TOKEN, caBundle=bundle)
                sentence = "the CA bundle of the secret holds no certificate in PEM form"
                self.assertEqual(self.fails("Refused"), sentence)
        self.assertEqual(self.jenkins.calls, [])


class NoTls(Bench):
    def test_a_server_that_speaks_no_tls_is_told(self):
        base = self.url.replace("http:", "https:")
        os.environ["JENKINS_URL"] = base
        self.assertIn(f"there is no TLS connection with {base}: ", self.fails("Unavailable"))


if __name__ == "__main__":
    unittest.main()
