"""An AWS for the commands of the seed code: a server on a free loopback port that knows a few calls and records all.

It stands alone since the commands run as processes of their own and reach it by ``AWS_ENDPOINT_URL``. A call that it does
not know is answered with an error and kept in `unexpected`: never with a quiet success.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable
from urllib.parse import parse_qs, unquote, urlparse
from xml.sax.saxutils import escape

ACCOUNT, REGION = "111122223333", "eu-central-1"


class Refused(Exception):
    """An error of AWS: its code and message."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Aws:
    """State, answers and record. `answers["SageMaker.ListModelPackages"] = lambda request: {...}` teaches it a call."""

    def __init__(self):
        self.calls: list[dict[str, Any]] = []
        self.unexpected: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.executions: list[dict[str, Any]] = []
        self.outcome = "Succeeded"
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            f"SageMaker.{name}": getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
            for name in (
                "CreatePipeline",
                "UpdatePipeline",
                "ListTags",
                "AddTags",
                "StartPipelineExecution",
                "DescribePipelineExecution",
                "ListPipelineExecutionSteps",
                "ListPipelineExecutions",
            )
        }

    def __enter__(self) -> "Aws":
        handler = type("Handler", (_Handler,), {"aws": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def record(self, operation: str, who: str, request: Any) -> None:
        """Keeps one call: what, with which access key, and what was asked."""
        self.calls.append({"operation": operation, "who": who, "request": request})

    def operations(self) -> list[str]:
        """What was called, in order; looks at an execution count once in a row."""
        names = [call["operation"] for call in self.calls]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answers a call of a JSON or query service."""
        if operation not in self.answers:
            self.unexpected.append(operation)
            raise Refused("UnknownOperationException", f"this AWS does not know {operation}")
        return self.answers[operation](request)

    # SageMaker pipelines

    def _create_pipeline(self, request):
        name = request["PipelineName"]
        if name in self.pipelines:
            raise Refused("ValidationException", f"Pipeline names must be unique: {name} already exists")
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{name.lower()}"
        self.pipelines[name] = {"arn": arn, "definition": request["PipelineDefinition"], "tags": request.get("Tags", [])}
        return {"PipelineArn": arn}

    def _update_pipeline(self, request):
        pipeline = self._pipeline(request["PipelineName"])
        pipeline["definition"] = request["PipelineDefinition"]
        return {"PipelineArn": pipeline["arn"]}

    def _pipeline(self, name):
        if name not in self.pipelines:
            raise Refused("ResourceNotFound", f"Pipeline '{name}' does not exist")
        return self.pipelines[name]

    def _by_arn(self, arn):
        return next(pipeline for pipeline in self.pipelines.values() if pipeline["arn"] == arn)

    def _list_tags(self, request):
        return {"Tags": self._by_arn(request["ResourceArn"])["tags"]}

    def _add_tags(self, request):
        pipeline = self._by_arn(request["ResourceArn"])
        merged = {tag["Key"]: tag["Value"] for tag in pipeline["tags"] + request["Tags"]}
        pipeline["tags"] = [{"Key": key, "Value": value} for key, value in merged.items()]
        return {"Tags": pipeline["tags"]}

    def _start_pipeline_execution(self, request):
        pipeline = self._pipeline(request["PipelineName"])
        arn = f"{pipeline['arn']}/execution/run{len(self.executions) + 1:03d}"
        self.executions.insert(0, {"arn": arn, "pipeline": request["PipelineName"], "looks": 0})
        return {"PipelineExecutionArn": arn}

    def _execution(self, request):
        return next(one for one in self.executions if one["arn"] == request["PipelineExecutionArn"])

    def _status(self, execution):
        return self.outcome if execution["looks"] else "Executing"

    def _describe_pipeline_execution(self, request):
        execution = self._execution(request)
        execution["looks"] += 1
        return {"PipelineExecutionArn": execution["arn"], "PipelineExecutionStatus": self._status(execution)}

    def _list_pipeline_execution_steps(self, request):
        execution = self._execution(request)
        steps = json.loads(self.pipelines[execution["pipeline"]]["definition"])["Steps"]
        status = self._status(execution)
        return {"PipelineExecutionSteps": [{"StepName": step["Name"], "StepStatus": status} for step in steps]}

    def _list_pipeline_executions(self, request):
        self._pipeline(request["PipelineName"])
        found = [one for one in self.executions if one["pipeline"] == request["PipelineName"]]
        if request.get("SortOrder") != "Descending":
            found.reverse()
        summaries = [{"PipelineExecutionArn": one["arn"], "PipelineExecutionStatus": self._status(one)} for one in found]
        return {"PipelineExecutionSummaries": summaries}

    # S3, path style

    def s3(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, bytes, str]:
        """Answers a call of S3: status, body, name of the operation."""
        if "/" not in path:
            prefix = query.get("prefix", [""])[0]
            keys = sorted(uri for uri in self.objects if uri.startswith(f"s3://{path}/{prefix}"))
            contents = "".join(
                f"<Contents><Key>{escape(uri.split('/', 3)[3])}</Key><Size>{len(self.objects[uri])}</Size></Contents>"
                for uri in keys[: int(query.get("max-keys", ["1000"])[0])]
            )
            text = f"<ListBucketResult><KeyCount>{len(keys)}</KeyCount>{contents}</ListBucketResult>"
            return 200, text.encode(), "ListObjectsV2"
        uri = "s3://" + path
        if method == "PUT":
            self.objects[uri] = body
            return 200, b"", "PutObject"
        if method == "DELETE":
            self.objects.pop(uri, None)
            return 204, b"", "DeleteObject"
        operation = "HeadObject" if method == "HEAD" else "GetObject"
        if uri not in self.objects:
            missing = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
            return 404, missing, operation
        return 200, self.objects[uri], operation


class _Handler(BaseHTTPRequestHandler):
    aws: Aws

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", self.headers.get("Authorization", ""))
        who, service = signed.groups() if signed else ("nobody", "")
        if service == "s3":
            return self._serve_s3(who, body)
        endpoint = re.fullmatch(r"/endpoints/([^/]+)/(async-)?invocations", self.path)
        if endpoint:
            return self._serve_endpoint(who, endpoint[1], bool(endpoint[2]), body.decode())
        target = self.headers.get("X-Amz-Target")
        if target:
            operation, request = target, json.loads(body)
        else:
            form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            operation, request = f"{service}.{form.pop('Action', '?')}", form
        self.aws.record(operation, who, request)
        try:
            answer = self.aws.answer(operation, request)
        except Refused as refused:
            return self._refuse(target is not None, refused)
        if "xml" in answer:
            return self._send(200, answer["xml"].encode(), "text/xml")
        return self._send(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    def _refuse(self, is_json: bool, refused: Refused) -> None:
        if is_json:
            text = json.dumps({"__type": refused.code, "message": refused.message})
            return self._send(400, text.encode(), "application/x-amz-json-1.1")
        text = f"<ErrorResponse><Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error></ErrorResponse>"
        return self._send(400, text.encode(), "text/xml")

    def _serve_endpoint(self, who: str, name: str, later: bool, body: str) -> None:
        """Answers a call of SageMaker's runtime: `{"body": text}`, or where the answer will be, by header."""
        operation = "Runtime.InvokeEndpointAsync" if later else "Runtime.InvokeEndpoint"
        request = {"EndpointName": name, "body": body, "input": self.headers.get("X-Amzn-SageMaker-InputLocation")}
        self.aws.record(operation, who, request)
        try:
            answer = self.aws.answer(operation, request)
        except Refused as refused:
            return self._refuse(True, refused)
        text = answer.pop("body", "{}").encode()
        return self._send(202 if later else 200, text, "application/json" if later else "text/csv", answer)

    def _serve_s3(self, who: str, body: bytes) -> None:
        place = urlparse(self.path)
        path = unquote(place.path).lstrip("/")
        status, answer, operation = self.aws.s3(self.command, path, parse_qs(place.query), body)
        query = parse_qs(place.query)
        asked = {"path": path, **({"bytes": len(body)} if body else {})}
        self.aws.record(f"S3.{operation}", who, {**asked, **({"prefix": query["prefix"][0]} if "prefix" in query else {})})
        self._send(status, answer, "application/xml")

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Mon, 02 Mar 2026 08:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve
