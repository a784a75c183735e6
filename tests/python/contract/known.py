"""What is right although the operation's model does not say so: errors that any operation of a service may give, and
departures of the real services from their own models. Each line has its source or its reason; nothing else is let by.
"""

import dataclasses
import re

# "Common error types" in each service's API reference (JSON services), "Common Errors" (query services). These services
# answer 400 where the newer pages say 403; the SDKs look at the code alone. 4 and 5 stand for the class of the status.
_JSON = {
    "AccessDeniedException": 4,
    "ExpiredTokenException": 4,
    "IncompleteSignatureException": 4,
    "InternalFailure": 5,
    "InternalServerError": 5,
    "MissingAuthenticationTokenException": 4,
    "SerializationException": 4,
    "ServiceUnavailable": 5,
    "ServiceUnavailableException": 5,
    "ThrottlingException": 4,
    "UnknownOperationException": 4,
    "UnrecognizedClientException": 4,
}
_QUERY = {
    "AccessDenied": 4,
    "ExpiredToken": 4,
    "IncompleteSignature": 4,
    "InternalFailure": 5,
    "InvalidAction": 4,
    "InvalidClientTokenId": 4,
    "InvalidParameterValue": 4,
    "MissingAuthenticationToken": 4,
    "MissingParameter": 4,
    "ServiceUnavailable": 5,
    "Throttling": 4,
    "ValidationError": 4,
}
# "List of error codes" in Amazon S3's "Error responses": S3's model declares hardly any of them. The numbers are
# statuses; a reply to HEAD has no body, and the status is then the code.
_S3 = {
    "304": 304, "400": 400, "403": 403, "404": 404, "412": 412, "416": 416, "503": 503,
    "AccessDenied": 403,
    "BadDigest": 400,
    "BucketNotEmpty": 409,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "ExpiredToken": 400,
    "IllegalLocationConstraintException": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidBucketState": 409,
    "InvalidDigest": 400,
    "InvalidLocationConstraint": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidTag": 400,
    "KeyTooLongError": 400,
    "MalformedPolicy": 400,
    "MalformedTrailerError": 400,
    "MalformedXML": 400,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "OwnershipControlsNotFoundError": 404,
    "PermanentRedirect": 301,
    "PreconditionFailed": 412,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400,
}  # fmt: skip

_COMMON = {"json": _JSON, "smithy-rpc-v2-cbor": _JSON, "rest-json": _JSON, "query": _QUERY, "rest-xml": _S3}

# What one service answers although its operations do not declare it.
_OF_SERVICE = {
    # For what does not exist, and for what cannot be asked now: DescribeProject and its like declare no errors at all
    # (terraform-provider-aws, internal/service/sagemaker, which looks for this code and the words "does not exist").
    ("sagemaker", "ValidationException"): 4,
    # DeleteRule of a rule that has targets (API reference of DeleteRule: remove the targets first).
    ("events", "ValidationException"): 4,
    # Parameters that lack or cannot be: LocalStack's snapshots of AWS's answers (tests/aws/services/sqs).
    ("sqs", "InvalidParameterValueException"): 4,
    ("sqs", "MissingRequiredParameterException"): 4,
}
# Statuses that botocore's model leaves out: `httpError` in the Smithy model of SQS, and the same snapshots.
STATUSES = {
    ("sqs", "PurgeQueueInProgress"): 403,
    ("sqs", "ResourceNotFoundException"): 404,
}
# What the framework of the JSON services answers before an operation sees a request that breaks its model.
_BROKEN_MODEL = re.compile(r"\d+ validation errors? detected: .*", re.DOTALL)


def common_error(protocol, service, code, message):
    """The status of an error that the operation need not declare, or its class (4, 5); None where it must."""
    if code == "ValidationException" and protocol != "query" and _BROKEN_MODEL.fullmatch(message):
        return 4
    return _COMMON[protocol].get(code) or _OF_SERVICE.get((service, code))


@dataclasses.dataclass(frozen=True)
class Departure:
    """Where the real service departs from its own model as well. The first four are regular expressions that must match
    the whole; `operation` is `service.Operation`."""

    operation: str
    kind: str
    member: str
    value: str
    reason: str

    def covers(self, operation, problem):
        """Whether this is it."""
        pairs = ((self.operation, operation), (self.kind, problem.kind), (self.member, problem.member), (self.value, problem.value))
        return all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in pairs)


DEPARTURES = [
    Departure(
        r"iam\.CreateRole",
        r"error that neither the operation nor the service declares",
        r"",
        r"NoSuchEntity",
        "the service answers so for a permissions boundary that is no policy, in the words Scope ARN … does not exist or is not "
        "attachable (real runs of `rosa create operator-roles` and of Terraform)",
    ),
    Departure(
        r"iam\.(CreateRole|GetRole)",
        r"not in the enumeration",
        r"Role\.PermissionsBoundary\.PermissionsBoundaryType",
        r"Policy",
        "the service gives Policy where the model has PermissionsBoundaryPolicy "
        "(aws-cli, examples/iam/create-user, the example with a permissions boundary)",
    ),
    Departure(
        r"servicecatalog\.(DescribeProductAsAdmin|CreateProduct|UpdateProduct|SearchProductsAsAdmin)",
        r"not in the enumeration",
        r".*ProductViewDetail(s\[\])?\.Status",
        r"CREATED",
        "the service gives CREATED for a product that is there, which the model does not have "
        "(terraform-provider-aws, internal/service/servicecatalog/wait.go)",
    ),
    Departure(
        r"cloudformation\.DescribeStackEvents",
        r"not in the enumeration",
        r"StackEvents\[\]\.ResourceStatus",
        r"UPDATE_(ROLLBACK_)?COMPLETE_CLEANUP_IN_PROGRESS",
        "an event of the stack itself carries the stack's own status, for which the model has another enumeration "
        "(real events in github.com/ansible/ansible/issues/32396 and pull/26225)",
    ),
    Departure(
        r"s3\.(GetObject|HeadObject)",
        r"status other than 200",
        r"",
        r"206",
        "the service answers 206 Partial Content for a range or a part (API reference of GetObject, `Range` and `PartNumber`)",
    ),
    Departure(
        r"lambda\.GetFunctionCodeSigningConfig",
        r"required member missing",
        r"CodeSigningConfigArn|FunctionName",
        r".*",
        "the service answers with no members where the function has no such configuration (github.com/localstack/localstack, "
        "whose tests of it are held against the service; github.com/aquasecurity/cloudsploit/pull/1967 relies on it)",
    ),
    Departure(
        r"s3\.(PutBucketPolicy|PutBucketTagging)",
        r"status other than 200",
        r"",
        r"204",
        "the service answers 204 (corrected so in github.com/localstack/localstack, spec-patches.json)",
    ),
]
