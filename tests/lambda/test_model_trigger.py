"""The model trigger's function against a Jenkins of this test's own, on a free loopback port."""

import base64
import importlib.util
import json
import os
import pathlib
import sys
import threading
import types
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

SOURCE = pathlib.Path(__file__).parents[2] / "src" / "templates" / "model_trigger.py"
TOKEN = "11abcdef0123456789"
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/churn-p-1/2"
EVENT = {"id": "7f1c", "detail": {"ModelPackageArn": PACKAGE}}
PARAMETERS = [{"name": "MODEL_PACKAGE_ARN", "value": PACKAGE}, {"name": "EVENT_ID", "value": "7f1c"}]


def load(secret):
    """The function's module, with a Secrets Manager that holds `secret`."""

    class Client:
        def get_secret_value(self, SecretId):
            return {"SecretString": secret, "ARN": SecretId}

    sys.modules["boto3"] = types.SimpleNamespace(client=lambda name: Client())
    spec = importlib.util.spec_from_file_location("model_trigger", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeJenkins(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        server = self.server
        server.calls.append(("GET", self.path, self.headers["Authorization"], ""))
        path = self.path.split("?")[0]
        if server.look != 200:
            self.answer(server.look)
        elif path == "/ci/queue/api/json":
            self.answer(200, server.raw or json.dumps({"items": server.queue}).encode())
        elif path == "/ci/job/team/job/deploy/api/json":
            self.answer(200, json.dumps({"builds": server.builds}).encode())
        else:
            self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.calls.append(("POST", self.path, self.headers["Authorization"], body))
        self.answer(self.server.status, headers=[("Location", "http://jenkins.example/queue/item/9/")])


class ModelTrigger(unittest.TestCase):
    def setUp(self):
        self.server = HTTPServer(("127.0.0.1", 0), FakeJenkins)
        self.server.calls, self.server.queue, self.server.builds = [], [], []
        self.server.status, self.server.look, self.server.raw = 201, 200, b""
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ci"
        os.environ.update(JENKINS_URL=self.url, DEPLOY_JOB_PATH="job/team/job/deploy", SECRET_ARN="arn:secret")
        self.secret = json.dumps({"user": "robot", "token": TOKEN})

    def run_it(self):
        return load(self.secret).handler(EVENT, None)

    def posts(self):
        return [call for call in self.server.calls if call[0] == "POST"]

    def fails(self):
        with self.assertRaises(Exception) as caught:
            self.run_it()
        text = str(caught.exception)
        self.assertNotIn(TOKEN, text + repr(caught.exception.__cause__))
        return text

    def test_it_starts_the_job_with_package_and_event_as_the_user_of_the_secret(self):
        result = self.run_it()
        self.assertTrue(result["started"])
        [(_, path, authorization, body)] = self.posts()
        self.assertEqual(path, "/ci/job/team/job/deploy/buildWithParameters")
        self.assertEqual(base64.b64decode(authorization.removeprefix("Basic ")).decode(), f"robot:{TOKEN}")
        self.assertEqual(urllib.parse.parse_qs(body), {"MODEL_PACKAGE_ARN": [PACKAGE], "EVENT_ID": ["7f1c"]})

    def test_an_event_that_waits_in_the_queue_starts_nothing(self):
        self.server.queue = [{"id": 8, "actions": [{}, {"parameters": PARAMETERS}]}]
        self.assertFalse(self.run_it()["started"])
        self.assertEqual(self.posts(), [])

    def test_an_event_that_was_built_starts_nothing(self):
        self.server.builds = [{"number": 3, "actions": [None, {"parameters": PARAMETERS}]}]
        self.assertFalse(self.run_it()["started"])
        self.assertEqual(self.posts(), [])

    def test_another_event_of_the_same_package_starts_a_build(self):
        other = [PARAMETERS[0], {"name": "EVENT_ID", "value": "other"}]
        self.server.builds = [{"number": 3, "actions": [{"parameters": other}]}]
        self.assertTrue(self.run_it()["started"])

    def test_it_looks_at_the_last_fifty_builds(self):
        self.run_it()
        [path] = [path for method, path, _, _ in self.server.calls if method == "GET" and "deploy" in path]
        self.assertIn("{0,50}", urllib.parse.unquote(path))

    def test_an_equal_item_that_waits_already_is_success(self):
        self.server.status = 303
        self.assertFalse(self.run_it()["started"])

    def test_each_refusal_is_a_sentence(self):
        job = f"{self.url}/job/team/job/deploy"
        cases = {
            302: f"Jenkins took the request but scheduled no build of {job}",
            401: "Jenkins does not accept the user and API token: renew the API token",
            403: f"the Jenkins user may not build {job}: it needs Overall/Read, Job/Read and Job/Build",
            404: f"there is no job {job}, or the Jenkins user may not see it",
            409: f"{job} cannot be built: enable the job",
            418: f"Jenkins answers 418 for {job}",
            500: f"Jenkins at {self.url} is not available: it answers 500",
            503: f"Jenkins at {self.url} is not available: it answers 503",
        }
        for status, sentence in cases.items():
            with self.subTest(status=status, when="starting"):
                self.server.status = status
                self.assertEqual(self.fails(), sentence)
        self.server.status = 201
        for status in (401, 403, 404, 503):
            with self.subTest(status=status, when="looking"):
                self.server.calls.clear()
                self.server.look = status
                self.assertEqual(self.fails(), cases[status])
                self.assertEqual(self.posts(), [])

    def test_what_is_not_jenkins_is_told(self):
        self.server.raw = b"<html>"
        self.assertEqual(self.fails(), f"what answers at {self.url} is not Jenkins: its reply is no JSON")

    def test_a_jenkins_that_does_not_answer_is_told(self):
        os.environ["JENKINS_URL"] = "http://127.0.0.1:1"
        self.assertIn("Jenkins at http://127.0.0.1:1 does not answer: ", self.fails())

    def test_a_secret_of_another_form_is_told_without_its_content(self):
        for secret in (TOKEN, json.dumps([TOKEN]), json.dumps({"token": TOKEN}), json.dumps(TOKEN)):
            with self.subTest(length=len(secret)):
                self.secret = secret
                self.assertEqual(self.fails(), "the secret arn:secret does not hold a JSON object with user and token")

    def test_a_ca_bundle_that_is_none_fails(self):
        self.secret = json.dumps({"user": "robot", "token": TOKEN, "caBundle": "no certificate"})
        self.fails()
        self.assertEqual(self.server.calls, [])


if __name__ == "__main__":
    unittest.main()
