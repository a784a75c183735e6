"""One HTTP exchange against the model of its operation: which operation it is, what it asks, what comes back.

Everything is read off the HTTP request and reply. What the sandbox believes that it was asked is compared, not used;
only S3 and Lambda requests, whose paths do not tell the service, are told apart by the signature's scope.
"""

import base64
import functools
import io
import json
import re
import urllib.parse

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.parsers import ResponseParserError, create_parser

import known
from shapes import Problem, problems
from wire import FormReader, JsonReader, XmlReader, form, form_tree, tag, xml

SERVICES = (
    "servicecatalog sagemaker cloudformation s3 sts iam codeconnections codestar-connections secretsmanager events lambda codebuild sqs"
    " resourcegroupstaggingapi"
).split()
# Headers that belong to AWS's signing, the SDKs or the transport, to no operation.
PLUMBING = re.compile(
    r"x-amz-(date|content-sha256|security-token|user-agent|target|decoded-content-length|trailer|region-set|id-2"
    r"|request-id|apigw-id|cf-id)|x-amzn-(requestid|trace-id|errortype|query-error)|x-amz-sdk-.*"
)
# What a refusal's body holds beside the members of the error's shape, in lower case.
ENVELOPE = {"__type", "code", "type", "message", "requestid", "hostid"}


class Unknown(Exception):
    """The request is none that the models have."""


@functools.cache
def model(service):
    """A service's model."""
    return botocore.session.get_session().get_service_model(service)


def body(message):
    """The bytes of a body as the journal writes it."""
    text = message["body"]
    return base64.b64decode(text[7:]) if text.startswith("base64:") else text.encode()


def locate(pair):
    """The protocol, the service's model and the operation's model of a request."""
    request = pair["request"]
    target = request["headers"].get("x-amz-target")
    rpc = re.fullmatch(r"/service/([^/]+)/operation/([^/]+)", request["uri"])
    if rpc or target:
        prefix, name = rpc.groups() if rpc else target.rsplit(".", 1)
        for service in map(model, SERVICES):
            known_as = service.metadata.get("targetPrefix", "")
            if prefix == (known_as.rsplit(".", 1)[-1] if rpc else known_as):
                return ("smithy-rpc-v2-cbor" if rpc else "json"), service, operation(service, name)
        raise Unknown(f"no service {prefix}")
    if pair["service"] in ("s3", "lambda"):
        service = model(pair["service"])
        return service.metadata["protocol"], service, by_path(service, request)
    fields = dict(form(body(request).decode("utf-8", "replace")))
    for service in map(model, SERVICES):
        if service.metadata["protocol"] == "query" and service.api_version == fields.get("Version"):
            return "query", service, operation(service, fields.get("Action", ""))
    raise Unknown(f"no service for {request['method']} {request['uri']}")


def operation(service, name):
    """An operation by its name."""
    if name not in service.operation_names:
        raise Unknown(f"{service.service_name} has no operation {name!r}")
    return service.operation_model(name)


@functools.cache
def routes(service_name):
    """The operations of a REST service with their methods, paths and fixed query names, most particular first."""
    service, found = model(service_name), []
    for name in service.operation_names:
        one = service.operation_model(name)
        if one.deprecated:
            # GetBucketLifecycle and its like share method and path with what took their place.
            continue
        path, _, query = one.http["requestUri"].partition("?")
        pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", re.escape(path))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        required = [
            (inner.serialization["location"], inner.serialization["name"].lower())
            for member, inner in (one.input_shape.members.items() if one.input_shape else ())
            if member in one.input_shape.required_members and inner.serialization.get("location") in ("header", "querystring")
        ]
        fixed = urllib.parse.parse_qsl(query, keep_blank_values=True)
        found.append((one, re.compile(pattern.rstrip("/") + "/?"), fixed, required))
    return sorted(found, key=lambda route: -(len(route[2]) + len(route[3])))


def by_path(service, request):
    """The operation of a REST request."""
    path, _, query = request["uri"].partition("?")
    asked = dict(form(query))
    lower = {name.lower() for name in asked}
    for one, pattern, fixed, required in routes(service.service_name):
        if one.http["method"] != request["method"] or not pattern.fullmatch(path):
            continue
        if any(asked.get(name) != value for name, value in fixed):
            continue
        if all(name in (request["headers"] if place == "header" else lower) for place, name in required):
            return one
    raise Unknown(f"{service.service_name} has no operation for {request['method']} {path}?{query}")


# --- requests -----------------------------------------------------------------------------------------------------


def asked(protocol, service, one, request):
    """The input of a request, and what is wrong with how it is written."""
    shape, raw = one.input_shape, body(request)
    kind = request["headers"].get("content-type", "")
    if protocol == "json":
        wanted = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        reader = JsonReader()
        if kind != wanted:
            reader.problem(f"content type other than {wanted}", "", kind)
        value = json.loads(raw or b"{}")
    elif protocol == "smithy-rpc-v2-cbor":
        reader = JsonReader(cbor=True)
        if request["headers"].get("smithy-protocol") != "rpc-v2-cbor":
            reader.problem("no smithy-protocol rpc-v2-cbor", "", request["headers"].get("smithy-protocol"))
        if shape is not None and kind != "application/cbor":
            reader.problem("content type other than application/cbor", "", kind)
        value = cbor(raw)
    elif protocol == "query":
        reader = FormReader()
        pairs = form(raw.decode())
        value = form_tree([pair for pair in pairs if pair[0] not in ("Action", "Version")])
    else:
        return rest_request(protocol, one, request)
    if shape is None:
        for name in value:
            reader.problem("unknown member", name, value[name])
        return {}, reader.problems
    return reader.read(shape, value), reader.problems


def cbor(raw):
    """A CBOR item, read by botocore."""
    parser = create_parser("smithy-rpc-v2-cbor")
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(raw)) if raw else {}


def rest_request(protocol, one, request):
    """The input of a REST request, from its path, query, headers and body."""
    path, _, query = request["uri"].partition("?")
    reader, shape, found = XmlReader() if protocol == "rest-xml" else JsonReader(), one.input_shape, {}
    queries, headers = dict(form(query)), dict(request["headers"])
    route = next(route for route in routes(one.service_model.service_name) if route[0] is one)
    labels = route[1].fullmatch(path).groupdict()
    for name, value in route[2]:
        queries.pop(name)
    if queries.pop("x-id", one.name) != one.name:
        reader.problem("another operation in x-id", "x-id", query)
    for name, inner in shape.members.items() if shape else ():
        place, wire_name = inner.serialization.get("location"), inner.serialization.get("name", name)
        if place == "uri" and wire_name in labels:
            found[name] = reader.text(inner, urllib.parse.unquote(labels[wire_name]), name)
        elif place == "querystring":
            if inner.type_name == "list":
                values = [value for key, value in form(query) if key == wire_name]
                queries.pop(wire_name, None)
                if values:
                    found[name] = [reader.text(inner.member, value, f"{name}[]") for value in values]
            elif wire_name in queries:
                found[name] = reader.text(inner, queries.pop(wire_name), name, "iso8601")
        elif place in ("header", "headers"):
            from_headers(reader, inner, name, headers, found)
    for name, value in queries.items():
        if not name.startswith("X-Amz-"):
            reader.problem("unknown member", f"?{name}", value)
    # Any body may carry a checksum where the operation takes one at all (trait httpChecksum).
    checksums = r"x-amz-checksum-.*" if one.http_checksum else r"(?!)"
    unknown_headers(reader, headers, checksums)
    read_payload(reader, shape, body(request), found)
    return found, reader.problems


def from_headers(reader, shape, name, headers, found):
    """A member from a header, or from all headers with a prefix; takes them out."""
    wire_name = shape.serialization.get("name", name).lower()
    if shape.serialization["location"] == "headers":
        mine = [header for header in headers if header.startswith(wire_name)]
        if mine:
            found[name] = {header[len(wire_name) :]: headers.pop(header) for header in mine}
    elif wire_name in headers:
        value = headers.pop(wire_name)
        if shape.type_name == "list":
            found[name] = [reader.text(shape.member, part.strip(), f"{name}[]") for part in value.split(",")]
        else:
            found[name] = reader.text(shape, value, name, "rfc822")


def unknown_headers(reader, headers, allowed=r"(?!)"):
    """Headers of the x-amz kind that are left over."""
    for name, value in headers.items():
        if name.startswith(("x-amz-", "x-amzn-")) and not PLUMBING.fullmatch(name) and not re.fullmatch(allowed, name):
            reader.problem("unknown member", name, value)


def read_payload(reader, shape, raw, found):
    """What stands in the body of a REST message."""
    payload = shape.serialization.get("payload") if shape else None
    elsewhere = {name for name, inner in (shape.members.items() if shape else ()) if inner.serialization.get("location")}
    in_body = payload or (shape and set(shape.members) - elsewhere)
    if not in_body:
        if raw:
            reader.problem("body where none belongs", "", raw[:60])
        return
    inner = shape.members[payload] if payload else None
    if inner is not None and inner.type_name in ("blob", "string"):
        if raw or inner.type_name == "blob":
            found[payload] = raw if inner.type_name == "blob" else raw.decode()
        return
    if not raw:
        return
    if isinstance(reader, XmlReader):
        root = xml(raw)
        wanted = inner.serialization.get("name") if inner else None
        if wanted and tag(root) != wanted:
            reader.problem(f"root element other than {wanted}", payload, tag(root))
        if inner is None:
            found.update(reader.structure(shape, root, "", skip=elsewhere))
        else:
            found[payload] = reader.read(inner, root, payload)
        return
    value = reader.read(inner or shape, json.loads(raw), payload or "")
    if inner is not None:
        found[payload] = value
    elif value:
        found.update(value)


# --- replies ------------------------------------------------------------------------------------------------------


def answered(protocol, service, one, reply):
    """Everything wrong with a reply."""
    found = [] if reply["status"] < 300 else refused(protocol, service, one, reply)
    if reply["status"] >= 300:
        return found
    wanted = {one.http.get("responseCode", 200)} if protocol.startswith("rest") else {200}
    members = one.output_shape.members.values() if one.output_shape else ()
    # Where the status is a member of the output, as in Lambda's Invoke and DeleteFunction, it says what happened.
    free = any(member.serialization.get("location") == "statusCode" for member in members)
    if reply["status"] not in wanted and not free:
        found.append(Problem(f"status other than {', '.join(map(str, sorted(wanted)))}", "", str(reply["status"])))
    output, wrong = told(protocol, service, one, reply)
    found += wrong
    if one.output_shape is not None:
        found += problems(one.output_shape, output)
        found += second_opinion(protocol, one, reply, output if not wrong else None)
    return found


def told(protocol, service, one, reply):
    """The output of a reply, and what is wrong with how it is written."""
    shape, raw = one.output_shape, body(reply)
    if protocol == "query":
        return query_reply(one, raw)
    if protocol.startswith("rest"):
        reader, found, headers = XmlReader() if protocol == "rest-xml" else JsonReader(), {}, dict(reply["headers"])
        for name, inner in shape.members.items() if shape else ():
            if inner.serialization.get("location") == "statusCode":
                found[name] = reply["status"]
            elif inner.serialization.get("location") in ("header", "headers"):
                from_headers(reader, inner, name, headers, found)
        unknown_headers(reader, headers)
        read_payload(reader, shape, raw, found)
        return found, reader.problems
    is_cbor = protocol != "json"
    reader = JsonReader(cbor=is_cbor)
    wanted = "application/cbor" if is_cbor else f"application/x-amz-json-{service.metadata['jsonVersion']}"
    if reply["headers"].get("content-type") != wanted:
        reader.problem(f"content type other than {wanted}", "", reply["headers"].get("content-type"))
    value = cbor(raw) if is_cbor else json.loads(raw or b"{}")
    if shape is None:
        for name in value:
            reader.problem("unknown member", name, value[name])
        return {}, reader.problems
    return reader.read(shape, value), reader.problems


def query_reply(one, raw):
    """The output of a query operation: `<OpResponse><OpResult>…`."""
    reader, root, found = XmlReader(), xml(raw), {}
    if tag(root) != f"{one.name}Response":
        reader.problem(f"root element other than {one.name}Response", "", tag(root))
    wrapper = one.output_shape.serialization.get("resultWrapper") if one.output_shape else None
    for child in root:
        if tag(child) == wrapper:
            found = reader.read(one.output_shape, child)
        elif tag(child) != "ResponseMetadata":
            reader.problem("unknown member", tag(child), "")
    return found, reader.problems


def second_opinion(protocol, one, reply, output):
    """Whether botocore reads the same out of a reply."""
    try:
        # A body that streams is not read as text.
        answer = http(reply) | ({"body": io.BytesIO(body(reply))} if one.has_streaming_output else {})
        parsed = create_parser(protocol).parse(answer, one.output_shape)
    except (ResponseParserError, KeyError, TypeError, ValueError) as error:
        return [Problem("botocore cannot read the reply", "", str(error)[:80])]
    parsed.pop("ResponseMetadata", None)
    parsed = {name: inner.read() if isinstance(inner, io.BytesIO) else inner for name, inner in parsed.items()}
    parsed = {name: inner.encode() if isinstance(output and output.get(name), bytes) and isinstance(inner, str) else inner
              for name, inner in parsed.items()}  # fmt: skip
    if output is None:
        return []
    # botocore makes an empty map out of absent headers.
    differs = lambda name: parsed.get(name) != output.get(name) and (parsed.get(name) or output.get(name))
    names = sorted(name for name in parsed.keys() | output.keys() if differs(name))
    return [Problem("botocore reads something else", name, f"{parsed.get(name)} / {output.get(name)}") for name in names]


def http(reply):
    """A reply as botocore's parsers take it."""
    headers = HeadersDict(reply["headers"])
    return {"status_code": reply["status"], "headers": headers, "body": body(reply)}


def refused(protocol, service, one, reply):
    """Everything wrong with an error: its code, its status, its members."""
    try:
        error = create_parser(protocol).parse(http(reply), one.output_shape)["Error"]
        # SQS gives its older code in a header, which botocore puts first.
        code, message = error.get("QueryErrorCode", error["Code"]), error.get("Message") or ""
    except (ResponseParserError, KeyError, ValueError) as unreadable:
        return [Problem("botocore cannot read the error", "", str(unreadable)[:80])]
    root = {"query": "ErrorResponse", "rest-xml": "Error"}.get(protocol)
    if root and body(reply) and tag(xml(body(reply))) != root:
        return [Problem(f"root element other than {root}", "", tag(xml(body(reply))))]
    common = known.common_error(protocol, service.service_name, code, message)
    shape = next((shape for shape in one.error_shapes if shape.error_code == code), None)
    # The statuses of the few errors that S3's model declares stand in S3's documentation alone.
    if shape is not None and not (protocol == "rest-xml" and common):
        return declared(protocol, service.service_name, shape, reply)
    if common is None:
        return [Problem("error that neither the operation nor the service declares", "", code)]
    if common not in (reply["status"], reply["status"] // 100):
        wanted = common if common > 9 else f"{common}xx"
        return [Problem(f"status of {code} other than {wanted}", "", str(reply["status"]))]
    return []


def declared(protocol, service, shape, reply):
    """An error of the operation's own."""
    error, found, reader = shape.metadata.get("error", {}), [], JsonReader()
    status = error.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
    status = known.STATUSES.get((service, shape.name), status)
    if reply["status"] != status:
        found.append(Problem(f"status of {shape.name} other than {status}", "", str(reply["status"])))
    if protocol in ("json", "rest-json"):
        members = {name: value for name, value in json.loads(body(reply)).items() if name.lower() not in ENVELOPE}
        output = reader.read(shape, members)
        needed = [name for name in shape.required_members if name not in output and name.lower() not in ENVELOPE]
        found += [Problem("required member missing", f"{shape.name}.{name}", "") for name in needed]
    return found + reader.problems


def check(pair):
    """The operation of an exchange as `Service.Operation`, and the problems of its request and of its reply."""
    try:
        protocol, service, one = locate(pair)
    except Unknown as unknown:
        return (f"{pair['service']}.{pair['operation'] or '(none)'}", [Problem("unknown operation", "", str(unknown))], [])
    name = f"{service.service_name}.{one.name}"
    wrong_request, wrong_reply = [], []
    if pair["operation"] != one.name:
        wrong_request.append(Problem("the sandbox took it for another operation", "", pair["operation"]))
    try:
        value, written = asked(protocol, service, one, pair["request"])
        wrong_request += written
        if one.input_shape is not None:
            wrong_request += problems(one.input_shape, value)
    except (ValueError, SyntaxError) as error:
        wrong_request.append(Problem("request body is not readable", "", str(error)[:80]))
    try:
        wrong_reply += answered(protocol, service, one, pair["reply"]) if pair["reply"] else []
    except (ValueError, SyntaxError) as error:
        wrong_reply.append(Problem("reply body is not readable", "", str(error)[:80]))
    return name, wrong_request, wrong_reply
