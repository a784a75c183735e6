"""A Jenkins of the tests' own on a free loopback port: queue, two jobs, and whatever status a test asks for."""

import json
import pathlib
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TLS = pathlib.Path(__file__).parents[2] / "tls"
DEPLOY, ENDPOINT = "job/team/job/deploy", "job/team/job/deploy-endpoint"


class FakeJenkins(ThreadingHTTPServer):
    """Its state is what a test sets and looks at."""

    daemon_threads = True

    def __init__(self, tls=False):
        super().__init__(("127.0.0.1", 0), Answers)
        self.calls, self.queue = [], []
        self.builds = {DEPLOY: [], ENDPOINT: []}
        self.look, self.start = {}, {}  # statuses other than 200 and 201, by job or "queue"
        self.first, self.starts = [], False  # statuses of the first calls, whatever they ask for: it knows nobody yet
        self.stranger = None  # status and body of what it says to the question who the user is, where it does not know the user
        self.location, self.body, self.silent = "http://inside:8080/ci/queue/item/9/", None, threading.Event()
        self.silent.set()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}/ci"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(TLS / "server.pem", TLS / "server-key.pem")
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def handle_error(self, *_):
        """A client that breaks off is part of some tests."""

    def stop(self):
        self.silent.set()
        self.shutdown()
        self.server_close()
        self.thread.join(10)

    def posts(self):
        return [path for method, path, _, _ in self.calls if method == "POST"]


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def come_in(self, method, body=""):
        """Notes the call and gives the path below the base, without query."""
        self.server.calls.append((method, self.path, self.headers["Authorization"], body))
        self.server.silent.wait(10)
        return urllib.parse.urlsplit(self.path).path.removeprefix("/ci/")

    def starts(self):
        """Whether it still starts, and has said so."""
        self.server.starts = bool(self.server.first)
        if self.server.starts:
            self.answer(self.server.first.pop(0))
        return self.server.starts

    def do_GET(self):
        path = self.come_in("GET").removesuffix("/api/json")
        if path == "whoAmI":
            known = 200, json.dumps({"name": "robot", "authenticated": True, "anonymous": False})
            status, body = (401, "") if self.server.starts else self.server.stranger or known
            return self.answer(status, body.encode())
        if self.starts():
            return None
        status = self.server.look.get(path, 200)
        if status != 200:
            self.answer(status, location=self.server.location)
        elif path == "queue":
            body = self.server.body or json.dumps({"items": self.server.queue})
            self.answer(200, body.encode())
        elif path in self.server.builds:
            self.answer(200, json.dumps({"builds": self.server.builds[path]}).encode())
        else:
            self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        job = self.come_in("POST", body).removesuffix("/buildWithParameters")
        if self.starts():
            return
        status = self.server.start.get(job, 201)
        if status == 201:
            given = [{"name": name, "value": value} for name, value in urllib.parse.parse_qsl(body)]
            self.server.builds[job].insert(0, {"number": 1, "actions": [None, {"parameters": given}]})
        self.answer(status, location=self.server.location)
