"""Runs a deployed Lambda function for tests whose clock stands still: every request that it makes, to AWS or to Jenkins, is
handed over on standard output, and answered on standard input. The function's code and boto3 are the real ones.

One line of JSON each way. In: a job, or the answer to the last request. Out: a request, or how the job ended and what it printed.
"""

import base64
import contextlib
import email.message
import io
import json
import os
import sys
import types
import urllib.error
import urllib.request
import urllib.response
import zipfile

import botocore.awsrequest
import botocore.httpsession

WIRE = os.fdopen(os.dup(1), "w")
# What is printed beside the function's log is for whoever looks on.
sys.stdout = sys.stderr
MODULES = {}


def tell(document):
    print(json.dumps(document), file=WIRE, flush=True)


def ask(kind, method, url, headers, body):
    """Status, headers and body of the answer to a request."""
    body = body.read() if hasattr(body, "read") else (body or b"")
    body = body.encode() if isinstance(body, str) else bytes(body)
    text = lambda value: value.decode() if isinstance(value, bytes) else str(value)
    named = {text(name): text(value) for name, value in headers}
    tell({"to": kind, "method": method, "url": url, "headers": named, "body": base64.b64encode(body).decode()})
    answer = json.loads(sys.stdin.readline())
    if answer.get("dropped"):
        raise ConnectionResetError("the connection broke off")
    return answer["status"], answer["headers"], base64.b64decode(answer["body"])


class Raw(io.BytesIO):
    """A body as botocore reads one."""

    def stream(self, *_, **__):
        yield self.read()


def send(_session, request):
    status, headers, body = ask("aws", request.method, request.url, request.headers.items(), request.body)
    return botocore.awsrequest.AWSResponse(request.url, status, headers, Raw(body))


class Opener:
    """Where urllib would open a connection to Jenkins."""

    def open(self, request, timeout=None):
        url = request.full_url
        if request.data is not None:
            # As urllib's own handler has it.
            request.add_header("Content-Type", "application/x-www-form-urlencoded")
        status, headers, body = ask("jenkins", request.get_method(), url, request.header_items(), request.data)
        message = email.message.Message()
        for name, value in headers.items():
            message[name] = value
        if status >= 300:
            raise urllib.error.HTTPError(url, status, "", message, io.BytesIO(body))
        return urllib.response.addinfourl(io.BytesIO(body), message, url, status)


class Context:
    def __init__(self, job):
        self.aws_request_id, self.timeout = job["id"], job["timeout"]

    def get_remaining_time_in_millis(self):
        return self.timeout * 1000


def handler(archive):
    if archive not in MODULES:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as files:
            source = files.read("index.py")
        module = types.ModuleType("index")
        exec(compile(source, "index.py", "exec"), module.__dict__)
        MODULES[archive] = module
    return MODULES[archive].handler


def main():
    botocore.httpsession.URLLib3Session.send = send
    urllib.request.build_opener = lambda *_: Opener()
    for line in sys.stdin:
        job = json.loads(line)
        os.environ.update(job["environment"])
        log = io.StringIO()
        try:
            with contextlib.redirect_stdout(log):
                ended = {"result": handler(job["archive"])(job["event"], Context(job))}
        except Exception as error:
            ended = {"error": {"errorType": type(error).__name__, "errorMessage": str(error)}}
        tell(ended | {"log": [json.loads(line) for line in log.getvalue().splitlines()]})


main()
