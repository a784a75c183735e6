"""The check finds what it is there for: each row seeds one violation in a good exchange."""

import base64
import copy
import io
import json
import pathlib
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import check
import known
import pairs
import shapes

JSON = {"content-type": "application/x-amz-json-1.1"}
STACKS = (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
    "<member><StackName>s</StackName><CreationTime>2026-01-05T09:00:00Z</CreationTime><Capabilities><member>"
    "CAPABILITY_IAM</member></Capabilities><StackStatus>CREATE_COMPLETE</StackStatus></member></Stacks>"
    "</DescribeStacksResult><ResponseMetadata><RequestId>i</RequestId></ResponseMetadata></DescribeStacksResponse>"
)
VERSIONS = (
    "<ListVersionsResult><IsTruncated>false</IsTruncated><MaxKeys>1000</MaxKeys><Version><Key>k</Key><Size>3</Size>"
    "<LastModified>2026-01-05T09:00:00.000Z</LastModified></Version></ListVersionsResult>"
)
CBOR_GET = base64.b64encode(b"\xa1\x6dConnectionArn\x78\x3carn:aws:codeconnections:eu-west-1:111122223333:connection/c-1234").decode()


def exchange(service, operation, method, uri, headers, asked, status, answer_headers, answered):
    """A recorded exchange."""
    request = {"method": method, "uri": uri, "headers": headers, "body": asked}
    reply = {"status": status, "headers": answer_headers, "body": answered}
    return {"service": service, "operation": operation, "fault": None, "request": request, "reply": reply}


def json_exchange(service, target, operation, asked, answered, status=200):
    """An exchange in awsJson 1.1."""
    headers = JSON | {"x-amz-target": f"{target}.{operation}"}
    return exchange(service, operation, "POST", "/", headers, json.dumps(asked), status, JSON, json.dumps(answered))


GOOD = {
    "portfolio": json_exchange(
        "servicecatalog",
        "AWS242ServiceCatalogService",
        "CreatePortfolio",
        {"DisplayName": "ml", "ProviderName": "us", "IdempotencyToken": "t", "Tags": [{"Key": "a", "Value": "b"}]},
        {"PortfolioDetail": {"Id": "port-1", "CreatedTime": 1767603600.5}, "Tags": []},
    ),
    "search": json_exchange(
        "servicecatalog", "AWS242ServiceCatalogService", "SearchProductsAsAdmin", {"PageSize": 20}, {"ProductViewDetails": []}
    ),
    "product": json_exchange(
        "servicecatalog",
        "AWS242ServiceCatalogService",
        "DescribeProductAsAdmin",
        {"Id": "prod-1"},
        {"ProductViewDetail": {"Status": "AVAILABLE"}},
    ),
    "project": json_exchange(
        "sagemaker", "SageMaker", "DescribeProject", {"ProjectName": "p"},
        {"__type": "ValidationException", "message": "Project p does not exist"}, 400,
    ),
    "stacks": exchange(
        "cloudformation", "DescribeStacks", "POST", "/", {}, "Action=DescribeStacks&Version=2010-05-15&StackName=s",
        200, {}, STACKS,
    ),
    "stack": exchange(
        "cloudformation", "CreateStack", "POST", "/", {},
        "Action=CreateStack&Version=2010-05-15&StackName=s&Capabilities.member.1=CAPABILITY_IAM&Parameters="
        "&TimeoutInMinutes=5&Tags.member.1.Key=a&Tags.member.1.Value=b",
        200, {}, "<CreateStackResponse><CreateStackResult><StackId>i</StackId></CreateStackResult></CreateStackResponse>",
    ),
    "role": exchange(
        "iam", "GetRole", "POST", "/", {}, "Action=GetRole&Version=2010-05-08&RoleName=r", 404, {},
        "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>",
    ),
    "versions": exchange(
        "s3", "ListObjectVersions", "GET", "/bucket?versions&max-keys=1000", {}, "", 200, {"x-amz-request-id": "i"}, VERSIONS
    ),
    "versioning": exchange(
        "s3", "PutBucketVersioning", "PUT", "/bucket?versioning", {"x-amz-checksum-crc32": "AAAAAA=="},
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", 200, {}, "",
    ),
    "object": exchange(
        "s3", "PutObject", "PUT", "/bucket/a/key?x-id=PutObject", {"x-amz-meta-sha": "1", "x-amz-storage-class": "STANDARD"},
        "text", 200, {"etag": '"1"', "x-amz-server-side-encryption": "AES256"}, "",
    ),
    "download": exchange(
        "s3", "GetObject", "GET", "/bucket/a/key.zip", {}, "", 200, {"etag": '"1"', "content-length": "4"},
        "base64:" + base64.b64encode(b"PK\xbe\xfc").decode(),
    ),
    "connection": exchange(
        "codeconnections", "GetConnection", "POST", "/service/CodeConnections_20231201/operation/GetConnection",
        {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}, f"base64:{CBOR_GET}", 200,
        {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"},
        "base64:" + base64.b64encode(b"\xa1\x6aConnection\xa1\x70ConnectionStatus\x69AVAILABLE").decode(),
    ),
    "function": exchange(
        "lambda", "GetFunctionConfiguration", "GET", "/2015-03-31/functions/f/configuration", {}, "", 404,
        {"x-amzn-errortype": "ResourceNotFoundException"}, '{"Type":"User","Message":"no"}',
    ),
}  # fmt: skip


def asked(**members):
    """Changes members of a JSON request; None takes one out."""
    return lambda pair: pair["request"].update(body=changed(pair["request"]["body"], members))


def told(**members):
    """Changes members of a JSON reply."""
    return lambda pair: pair["reply"].update(body=changed(pair["reply"]["body"], members))


def changed(text, members):
    """A JSON object with other members."""
    value = json.loads(text) | members
    return json.dumps({name: inner for name, inner in value.items() if inner is not None})


def swapped(side, part, old, new):
    """Replaces text in a part of the request or the reply."""

    def mutate(pair):
        assert old in pair[side][part], f"{old} is not in the good exchange"
        pair[side][part] = pair[side][part].replace(old, new)

    return mutate


def header(side, name, value):
    """Sets a header of the request or the reply."""
    return lambda pair: pair[side].update(headers=pair[side]["headers"] | {name: value})


def status(code):
    """Sets the status of the reply."""
    return lambda pair: pair["reply"].update(status=code)


# A sentence, the good exchange, what is done to it, and the violation: side, beginning of its kind, member.
ROWS = [
    ("an operation that the service does not have", "portfolio", header("request", "x-amz-target", "SageMaker.Fly"), "request", "unknown operation", ""),
    ("a service that is not AWS's", "portfolio", header("request", "x-amz-target", "Nobody.Fly"), "request", "unknown operation", ""),
    ("a path that no S3 operation has", "object", lambda pair: pair["request"].update(method="PATCH"), "request", "unknown operation", ""),
    ("an operation that the sandbox mistook", "object", lambda pair: pair.update(operation="CopyObject"), "request", "the sandbox took it", ""),
    ("JSON in another content type", "portfolio", header("request", "content-type", "application/json"), "request", "content type", ""),
    ("a body that is no JSON", "portfolio", lambda pair: pair["request"].update(body="{"), "request", "request body is not readable", ""),
    ("a required member that is missing", "portfolio", asked(ProviderName=None), "request", "required member missing", "ProviderName"),
    ("a required member missing in a list", "portfolio", asked(Tags=[{"Key": "a"}]), "request", "required member missing", "Tags[].Value"),
    ("an unknown member", "portfolio", asked(Colour="red"), "request", "unknown member", "Colour"),
    ("an unknown member in a list", "portfolio", asked(Tags=[{"Key": "a", "Value": "b", "key": "c"}]), "request", "unknown member", "Tags[].key"),
    ("a number for a string", "portfolio", asked(DisplayName=7), "request", "type string", "DisplayName"),
    ("a string for a number", "search", asked(PageSize="20"), "request", "type integer", "PageSize"),
    ("null for a string", "portfolio", swapped("request", "body", '"ml"', "null"), "request", "type string", "DisplayName"),
    ("a string that is too long", "portfolio", asked(ProviderName="x" * 51), "request", "length 1..50", "ProviderName"),
    ("a string that is too short", "portfolio", asked(Tags=[{"Key": "a", "Value": ""}]), "request", "length 1..256", "Tags[].Value"),
    ("a list that is too long", "portfolio", asked(Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(21)]), "request", "length 0..20", "Tags"),
    ("text that breaks a pattern", "portfolio", asked(IdempotencyToken="a token"), "request", "pattern", "IdempotencyToken"),
    ("a value that the enumeration lacks", "search", asked(SortOrder="UP"), "request", "not in the enumeration", "SortOrder"),
    ("a number out of range", "search", asked(PageSize=21), "request", "range 0..20", "PageSize"),
    ("an unknown member in a reply", "portfolio", told(Colour="red"), "reply", "unknown member", "Colour"),
    ("a timestamp as text in JSON", "portfolio", told(PortfolioDetail={"CreatedTime": "2026-01-05T09:00:00Z"}), "reply", "type timestamp", "PortfolioDetail.CreatedTime"),
    ("an enumeration's value broken in a reply", "product", told(ProductViewDetail={"Status": "Ready"}), "reply", "not in the enumeration", "ProductViewDetail.Status"),
    ("a JSON reply in another content type", "portfolio", header("reply", "content-type", "text/xml"), "reply", "content type", ""),
    ("a success with another status", "portfolio", status(201), "reply", "status other than 200", ""),
    ("an error that the operation does not declare", "project", told(__type="ResourceInUse"), "reply", "error that neither", ""),
    ("an error of another service", "product", lambda pair: pair.update(reply=GOOD["project"]["reply"]), "reply", "error that neither", ""),
    ("a known error with another status", "project", status(500), "reply", "status of ValidationException", ""),
    ("a declared error with another status", "role", status(400), "reply", "status of NoSuchEntityException other than 404", ""),
    ("an undeclared error in XML", "role", swapped("reply", "body", "NoSuchEntity", "NoSuchRole"), "reply", "error that neither", ""),
    ("an error in another envelope", "role", swapped("reply", "body", "ErrorResponse>", "X>"), "reply", "root element other than ErrorResponse", ""),
    ("an error without a code", "role", swapped("reply", "body", "Code>", "Cod>"), "reply", "botocore cannot read the error", ""),
    ("an error of Lambda with a member unknown to it", "function", told(Colour="red"), "reply", "unknown member", "Colour"),
    ("an unknown form field", "stack", swapped("request", "body", "TimeoutInMinutes", "Timeout"), "request", "unknown member", "Timeout"),
    ("text for a number in a form", "stack", swapped("request", "body", "InMinutes=5", "InMinutes=five"), "request", "type integer", "TimeoutInMinutes"),
    ("a list that starts at 0", "stack", swapped("request", "body", "Tags.member.1", "Tags.member.0"), "request", "list not numbered from 1", "Tags"),
    ("a list without its member", "stack", swapped("request", "body", "Tags.member.1", "Tags.1"), "request", "list not written as member.N", "Tags"),
    ("an enumeration's value broken in a form", "stack", swapped("request", "body", "CAPABILITY_IAM", "CAPABILITY_ALL"), "request", "not in the enumeration", "Capabilities[]"),
    ("an API version that is none", "stack", swapped("request", "body", "2010-05-15", "2011-05-15"), "request", "unknown operation", ""),
    ("a required member missing in XML", "stacks", swapped("reply", "body", "<StackName>s</StackName>", ""), "reply", "required member missing", "Stacks[].StackName"),
    ("an unknown element", "stacks", swapped("reply", "body", "StackName>", "Name>"), "reply", "unknown member", "Stacks[].Name"),
    ("a list in XML without its member", "stacks", swapped("reply", "body", "<member>CAPABILITY_IAM</member>", "<item>CAPABILITY_IAM</item>"), "reply", "unknown member", "Stacks[].Capabilities.item"),
    ("a timestamp as a number in XML", "stacks", swapped("reply", "body", "2026-01-05T09:00:00Z", "1767603600"), "reply", "type timestamp", "Stacks[].CreationTime"),
    ("a reply to another operation", "stacks", swapped("reply", "body", "DescribeStacksResponse", "ListStacksResponse"), "reply", "root element other than", ""),
    ("a reply without its result", "stacks", swapped("reply", "body", "DescribeStacksResult", "ListStacksResult"), "reply", "unknown member", "ListStacksResult"),
    ("a reply that is no XML", "stacks", lambda pair: pair["reply"].update(body="<a>"), "reply", "reply body is not readable", ""),
    ("an unknown name in a query string", "versions", swapped("request", "uri", "max-keys", "page-size"), "request", "unknown member", "?page-size"),
    ("text for a number in a query string", "versions", swapped("request", "uri", "=1000", "=all"), "request", "type integer", "MaxKeys"),
    ("text for a number in S3's XML", "versions", swapped("reply", "body", "<Size>3<", "<Size>big<"), "reply", "type long", "Versions[].Size"),
    ("an unknown element in S3's XML", "versions", swapped("reply", "body", "<Size>3</Size>", "<Weight>3</Weight>"), "reply", "unknown member", "Versions[].Weight"),
    ("an element that is given twice", "versions", swapped("reply", "body", "<Size>3</Size>", "<Size>3</Size><Size>4</Size>"), "reply", "member given twice", "Versions[].Size"),
    ("S3's XML with another root", "versioning", swapped("request", "body", "VersioningConfiguration", "Versioning"), "request", "root element other than VersioningConfiguration", "VersioningConfiguration"),
    ("a body where none belongs", "versioning", lambda pair: pair["reply"].update(body="<a/>"), "reply", "body where none belongs", ""),
    ("an unknown header", "object", header("request", "x-amz-colour", "red"), "request", "unknown member", "x-amz-colour"),
    ("a header outside its enumeration", "object", header("request", "x-amz-storage-class", "COLD"), "request", "not in the enumeration", "StorageClass"),
    ("another operation in x-id", "object", swapped("request", "uri", "x-id=PutObject", "x-id=CopyObject"), "request", "another operation in x-id", "x-id"),
    ("an unknown header in a reply", "object", header("reply", "x-amz-colour", "red"), "reply", "unknown member", "x-amz-colour"),
    ("CBOR without its protocol's header", "connection", header("request", "smithy-protocol", "json"), "request", "no smithy-protocol", ""),
    ("a member unknown in CBOR", "connection", lambda pair: pair["request"].update(body="base64:" + base64.b64encode(b"\xa1\x61A\x61b").decode()), "request", "unknown member", "A"),
    ("a number for a string in CBOR", "connection", lambda pair: pair["request"].update(body="base64:" + base64.b64encode(b"\xa1\x6dConnectionArn\x07").decode()), "request", "type string", "ConnectionArn"),
    ("an enumeration's value broken in CBOR", "connection", lambda pair: pair["reply"].update(body="base64:" + base64.b64encode(b"\xa1\x6aConnection\xa1\x70ConnectionStatus\x65READY").decode()), "reply", "not in the enumeration", "Connection.ConnectionStatus"),
]  # fmt: skip


class Contract(unittest.TestCase):
    def test_good_exchanges_have_nothing_wrong(self):
        for name, pair in GOOD.items():
            with self.subTest(name):
                _, wrong_request, wrong_reply = pairs.check(pair)
                self.assertEqual((wrong_request, wrong_reply), ([], []))

    def test_each_seeded_violation_is_found(self):
        for sentence, name, mutate, side, kind, member in ROWS:
            with self.subTest(sentence):
                pair = copy.deepcopy(GOOD[name])
                mutate(pair)
                _, wrong_request, wrong_reply = pairs.check(pair)
                found = wrong_request if side == "request" else wrong_reply
                hits = [problem for problem in found if problem.kind.startswith(kind) and problem.member == member]
                self.assertTrue(hits, f"found only {found}")

    def test_a_known_departure_covers_its_case_and_no_other(self):
        for status_seen, covered in (("CREATED", True), ("MADE", False)):
            with self.subTest(status_seen):
                pair = copy.deepcopy(GOOD["product"])
                told(ProductViewDetail={"Status": status_seen})(pair)
                name, _, wrong = pairs.check(pair)
                problem = next(problem for problem in wrong if problem.kind == "not in the enumeration")
                self.assertEqual(any(one.covers(name, problem) for one in known.DEPARTURES), covered)

    def test_patterns_are_read_as_java_reads_them(self):
        surrogates = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*"
        rows = [
            ("letters of any script", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe ٣", True),
            ("no other signs", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "a#b", False),
            ("the whole text, not its beginning", r"^[a-zA-Z0-9_\-]*", "port 1", False),
            ("\\w in a class means ASCII letters", r"[\w-]+", "Größe", False),
            ("\\s and \\S together mean everything", r"[\s\S]*", "ö\u00a0\n😀", True),
            ("\\d means ASCII digits", r"\d+", "٣", False),
            ("surrogates mean the planes above", surrogates, "a😀", True),
        ]
        for sentence, pattern, text, expected in rows:
            with self.subTest(sentence):
                self.assertEqual(shapes.matches(pattern, text), expected)

    def test_sensitive_values_stay_out_of_the_report(self):
        shape = pairs.model("cloudformation").shape_for("StackName")
        shape.metadata["sensitive"] = True
        self.assertEqual(shapes.shown(shape, "secret"), "(sensitive)")

    def test_the_exit_status_tells_what_was_found(self):
        bad = copy.deepcopy(GOOD["portfolio"])
        asked(Colour="red")(bad)
        rows = [
            ("nothing recorded", [], 2, "0 distinct pairs"),
            ("good exchanges, one twice", [GOOD["portfolio"], GOOD["stack"], GOOD["stack"]], 0, "4 calls, 2 distinct pairs"),
            ("a bad one among them", [GOOD["stack"], bad], 1, "CreatePortfolio request: unknown member: Colour: 'red'"),
        ]
        for sentence, recorded, expected, line in rows:
            with self.subTest(sentence), tempfile.TemporaryDirectory() as folder:
                for number, pair in enumerate(recorded):
                    (pathlib.Path(folder) / f"{number}.jsonl").write_text(json.dumps(pair) + "\n")
                    (pathlib.Path(folder) / f"{number}.count").write_text("2" if number == 0 else "1")
                printed = io.StringIO()
                with redirect_stdout(printed), redirect_stderr(io.StringIO()):
                    exit_status = check.main([folder])
                self.assertEqual(exit_status, expected)
                self.assertIn(line, printed.getvalue())


if __name__ == "__main__":
    unittest.main()
