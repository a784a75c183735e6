"""The model trigger's function against a Jenkins of the tests' own, over HTTP and TLS."""

import base64
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import sys
import types
import unittest
import urllib.parse
from unittest import mock

from botocore.exceptions import ClientError, ConnectTimeoutError

from fake_jenkins import DEPLOY, ENDPOINT, TLS, FakeJenkins

SOURCE = pathlib.Path(__file__).parents[3] / "src" / "templates" / "model_trigger.py"
TOKEN = "11abcdef0123456789"
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/churn-p-1/2"
EVENT = {"id": "7f1c", "detail": {"ModelPackageArn": PACKAGE}}
PARAMETERS = [{"name": "MODEL_PACKAGE_ARN", "value": PACKAGE}, {"name": "EVENT_ID", "value": "7f1c"}]


class SecretsManager:
    """Holds one secret, or refuses it."""

    def __init__(self):
        self.text, self.error, self.config = "", None, None

    def client(self, _name, config=None):
        self.config = config
        return self

    def get_secret_value(self, SecretId):
        if self.error:
            raise self.error
        return {"SecretString": self.text, "ARN": SecretId}


class Context:
    """What Lambda tells the function of its own time."""

    def __init__(self):
        self.seconds = 120

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


class Bench(unittest.TestCase):
    tls = False

    def setUp(self):
        self.jenkins = FakeJenkins(self.tls)
        self.addCleanup(self.jenkins.stop)
        self.url = self.jenkins.url
        self.job = f"{self.url}/{DEPLOY}"
        environment = {"JENKINS_URL": self.url, "JOB_PATHS": DEPLOY, "SECRET_ARN": "arn:secret"}
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.secrets = SecretsManager()
        self.keep(user="robot", token=TOKEN)
        self.enterContext(mock.patch.dict(sys.modules, {"boto3": types.SimpleNamespace(client=self.secrets.client)}))
        spec = importlib.util.spec_from_file_location("model_trigger", SOURCE)
        self.function = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.function)
        self.context, self.pauses = Context(), []
        self.clock = 0.0
        clock = types.SimpleNamespace(monotonic=lambda: self.clock, sleep=self.sleep)
        self.enterContext(mock.patch.object(self.function, "time", clock))

    def sleep(self, seconds):
        self.clock += seconds
        self.pauses.append(seconds)

    def keep(self, **secret):
        self.secrets.text = json.dumps(secret)

    def run_it(self, event=EVENT):
        with contextlib.redirect_stdout(io.StringIO()) as log:
            try:
                return self.function.handler(event, self.context)
            finally:
                self.assertNotIn(TOKEN, log.getvalue())

    def started(self):
        return [one["started"] for one in self.run_it()["jobs"]]

    def fails(self, kind, event=EVENT):
        """The sentence with which it fails: as `Unavailable` or `Refused`."""
        with self.assertRaises(self.function.TriggerError) as caught:
            self.run_it(event)
        text = str(caught.exception)
        self.assertEqual(type(caught.exception).__name__, kind, text)
        self.assertNotIn(TOKEN, text + repr(caught.exception.__cause__))
        return text


class OneJob(Bench):
    def test_it_starts_the_job_by_post_with_package_and_event_as_the_user_of_the_secret(self):
        result = self.run_it()
        self.assertEqual(
            result["jobs"], [{"job": self.job, "started": True, "queueItem": "http://inside:8080/ci/queue/item/9/"}]
        )
        [(_, path, authorization, body)] = [call for call in self.jenkins.calls if call[0] == "POST"]
        self.assertEqual(path, f"/ci/{DEPLOY}/buildWithParameters")
        self.assertEqual(base64.b64decode(authorization.removeprefix("Basic ")).decode(), f"robot:{TOKEN}")
        self.assertEqual(urllib.parse.parse_qs(body), {"MODEL_PACKAGE_ARN": [PACKAGE], "EVENT_ID": ["7f1c"]})

    def test_no_secret_and_no_remote_token_stands_in_a_url(self):
        self.run_it()
        for _, path, _, _ in self.jenkins.calls:
            self.assertNotIn("token", path)

    def test_a_new_token_counts_from_the_next_call_on(self):
        self.run_it()
        self.keep(user="robot", token="second")
        self.run_it()
        self.assertEqual(base64.b64decode(self.jenkins.calls[-1][2].removeprefix("Basic ")).decode(), "robot:second")

    def test_a_second_delivery_of_an_event_starts_nothing(self):
        self.assertEqual(self.started(), [True])
        self.assertEqual(self.started(), [False])
        self.assertEqual(len(self.jenkins.posts()), 1)

    def test_an_event_that_waits_in_the_queue_starts_nothing(self):
        task = {"url": f"http://inside:8080/other/{DEPLOY}/"}
        self.jenkins.queue = [{"id": 8, "task": task, "actions": [{}, {"parameters": PARAMETERS}]}]
        self.assertEqual(self.started(), [False])
        self.assertEqual(self.jenkins.posts(), [])

    def test_the_same_event_in_the_queue_for_another_job_is_none_of_its(self):
        for other in (ENDPOINT, "job/a/" + DEPLOY, "job/deploy"):
            with self.subTest(other=other):
                self.jenkins.builds[DEPLOY].clear()
                task = {"url": f"{self.url}/{other}/"}
                self.jenkins.queue = [{"id": 8, "task": task, "actions": [{"parameters": PARAMETERS}]}]
                self.assertEqual(self.started(), [True])

    def test_another_event_of_the_same_package_starts_a_build(self):
        other = [PARAMETERS[0], {"name": "EVENT_ID", "value": "other"}]
        self.jenkins.builds[DEPLOY] = [{"number": 3, "actions": [{"parameters": other}]}]
        self.assertEqual(self.started(), [True])

    def test_it_looks_at_the_last_fifty_builds(self):
        self.run_it()
        [path] = [path for method, path, _, _ in self.jenkins.calls if method == "GET" and "deploy" in path]
        self.assertIn("{0,50}", urllib.parse.unquote(path))

    def test_an_equal_item_that_waits_already_is_success(self):
        self.jenkins.start[DEPLOY] = 303
        self.assertEqual(self.started(), [False])

    def test_a_job_whose_name_has_a_space_is_found_as_jenkins_writes_it(self):
        os.environ["JOB_PATHS"] = "job/ml%20team/job/deploy"
        self.jenkins.builds["job/ml%20team/job/deploy"] = []
        task = {"url": f"{self.url}/job/ml%20team/job/deploy/"}
        self.jenkins.queue = [{"id": 8, "task": task, "actions": [{"parameters": PARAMETERS}]}]
        self.assertEqual(self.started(), [False])

    def test_what_is_in_an_event_never_becomes_part_of_a_url_or_form_unescaped(self):
        for value in ("x&delay=0", "x y", "", "x" * 2049, None, ["x"], "x\ny"):
            with self.subTest(value=value):
                sentence = "the event's id or detail.ModelPackageArn is no id and no ARN"
                self.assertEqual(self.fails("Refused", {"id": value, "detail": EVENT["detail"]}), sentence)
                self.assertEqual(self.fails("Refused", {"id": "1", "detail": {"ModelPackageArn": value}}), sentence)
        for event in ({}, {"id": "1"}, {"id": "1", "detail": None}, {"detail": EVENT["detail"]}):
            with self.subTest(event=event):
                self.assertIn("lacks id or detail.ModelPackageArn", self.fails("Refused", event))
        self.assertEqual(self.jenkins.calls, [])


class TwoJobs(Bench):
    def setUp(self):
        super().setUp()
        os.environ["JOB_PATHS"] = f"{DEPLOY},{ENDPOINT}"

    def paths(self):
        return [path.removeprefix("/ci/").removesuffix("/buildWithParameters") for path in self.jenkins.posts()]

    def test_each_is_started_once_for_an_event(self):
        self.assertEqual(self.started(), [True, True])
        self.assertEqual(self.started(), [False, False])
        self.assertEqual(self.paths(), [DEPLOY, ENDPOINT])

    def test_where_the_second_fails_the_next_attempt_starts_only_the_second(self):
        self.jenkins.start[ENDPOINT] = 503
        self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} is not available: it answers 503")
        self.jenkins.start.clear()
        self.assertEqual(self.started(), [False, True])
        self.assertEqual(self.paths(), [DEPLOY, ENDPOINT, ENDPOINT])

    def test_where_the_first_fails_the_second_is_started_all_the_same(self):
        self.jenkins.start[DEPLOY] = 409
        self.assertEqual(self.fails("Refused"), f"{self.job} cannot be built: enable the job")
        self.jenkins.start.clear()
        self.assertEqual(self.started(), [True, False])

    def test_both_failures_are_told_and_one_that_may_pass_decides(self):
        self.jenkins.start = {DEPLOY: 409, ENDPOINT: 503}
        text = self.fails("Unavailable")
        self.assertEqual(
            text,
            f"{self.job} cannot be built: enable the job; Jenkins at {self.url} is not available: it answers 503",
        )

    def test_the_same_failure_of_both_is_told_once(self):
        self.jenkins.look["queue"] = 502
        self.assertEqual(self.fails("Unavailable"), f"Jenkins at {self.url} is not available: it answers 502")


class WhileJenkinsStarts(Bench):
    def test_a_refusal_that_passes_is_waited_for(self):
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
        self.jenkins.look["queue"] = 401
        self.assertEqual(self.fails("Refused"), "Jenkins does not accept the user and API token: renew the API token")
        self.assertEqual(sum(self.pauses), 30)

    def test_two_jobs_share_the_thirty_seconds(self):
        os.environ["JOB_PATHS"] = f"{DEPLOY},{ENDPOINT}"
        self.jenkins.look["queue"] = 403
        self.fails("Refused")
        self.assertEqual(sum(self.pauses), 30)

    def test_the_thirty_seconds_begin_anew_once_jenkins_has_taken_the_user(self):
        self.jenkins.first = [401] * 3
        self.jenkins.look[DEPLOY] = 403
        self.fails("Refused")
        self.assertEqual(self.pauses, [2, 4, 8, 2, 4, 8, 16])

    def test_the_function_ends_within_its_own_time(self):
        self.jenkins.look["queue"] = 401
        self.context.seconds = 31
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
                self.jenkins.start[DEPLOY] = status
                self.assertEqual(self.fails(kind), sentence)
        for look in ("queue", DEPLOY):
            for status in (401, 403, 404, 503):
                with self.subTest(status=status, when="looking", at=look):
                    self.jenkins.calls.clear()
                    self.jenkins.look = {look: status}
                    self.assertEqual(self.fails(cases[status][0]), cases[status][1])
                    self.assertEqual(self.jenkins.posts(), [])

    def test_a_redirect_to_the_job_itself_means_that_nothing_was_scheduled(self):
        self.jenkins.start[DEPLOY] = 302
        for location in (".", f"/ci/{DEPLOY}/", f"http://inside:8080/ci/{DEPLOY}/"):
            with self.subTest(location=location):
                self.jenkins.location = location
                sentence = f"Jenkins took the request but scheduled no build of {self.job}"
                self.assertEqual(self.fails("Unavailable"), sentence)

    def test_a_redirect_to_a_login_page_is_told_without_its_query(self):
        self.jenkins.location = "https://user:word@login.example.com/oauth?state=hidden"
        for at, status in (("start", 302), ("look", 302), ("look", 301), ("start", 307)):
            with self.subTest(at=at, status=status):
                self.jenkins.start, self.jenkins.look = {}, {}
                getattr(self.jenkins, at)[DEPLOY] = status
                text = self.fails("Refused")
                self.assertIn(f"{self.job} is redirected to https://login.example.com/oauth: ", text)
                self.assertNotIn("hidden", text)
                self.assertNotIn("word", text)

    def test_what_is_not_jenkins_is_told(self):
        for body in ("<html>", "[]", "3"):
            with self.subTest(body=body):
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
                self.secrets.text = secret
                sentence = "the secret arn:secret does not hold a JSON object with user and token"
                self.assertEqual(self.fails("Refused"), sentence)

    def test_a_secret_that_cannot_be_read_is_told_with_what_to_look_for(self):
        denied = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
        for error in (ClientError(denied, "GetSecretValue"), ConnectTimeoutError(endpoint_url="https://sm")):
            with self.subTest(error=type(error).__name__):
                self.secrets.error = error
                text = self.fails("Unavailable")
                self.assertIn("the secret arn:secret cannot be read: ", text)
                self.assertIn("its subnets must reach Secrets Manager", text)
        self.assertEqual(self.jenkins.calls, [])

    def test_waiting_for_the_secret_leaves_time_to_say_so(self):
        self.run_it()
        config = self.secrets.config
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
