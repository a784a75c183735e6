"""Which operations the sandbox knows, found by asking: each with the least that its model lets it be asked with. It stands
alone since paginators and waiters both go by it; it must ask for reads alone, since it asks in earnest.
"""

import contextlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from serving import serving
from steps_prerequisites import REGION

SERVICES = (
    "cloudformation", "codebuild", "codeconnections", "codestar-connections", "events", "iam", "lambda", "s3",
    "sagemaker", "secretsmanager", "servicecatalog", "sqs", "sts",
)  # fmt: skip
# What a service says to an operation that it does not have.
UNKNOWN = {"InvalidAction", "NotImplemented", "UnknownOperationException"}


class Asker:
    """A sandbox that is asked with as little as its operations let themselves be asked with."""

    def __init__(self, endpoint):
        self.endpoint, self.clients, self.known = endpoint, {}, {}

    def client(self, service):
        """A client that sends what the model does not allow as well; made once, since that takes long."""
        if service not in self.clients:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            keys = {"aws_access_key_id": "AKIAWALKTHROUGH", "aws_secret_access_key": "none"}
            self.clients[service] = boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, config=config, **keys)
        return self.clients[service]

    def knows(self, service, operation):
        """Whether the sandbox knows an operation, by its name in the model."""
        if (service, operation) not in self.known:
            self.known[(service, operation)] = self.ask(service, operation)
        return self.known[(service, operation)]

    def ask(self, service, operation):
        """Asks once."""
        client = self.client(service)
        method = next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)
        shape = client.meta.service_model.operation_model(operation).input_shape
        try:
            getattr(client, method)(**(least(shape) if shape else {}))
        except ClientError as error:
            return error.response["Error"]["Code"] not in UNKNOWN
        return True


@contextlib.contextmanager
def asking(server):
    """A second sandbox of the same program, which is not recorded, since no client asks so."""
    with serving(server.program, recorded=False) as other:
        yield Asker(other.endpoint)


def least(shape):
    """A value of that shape with no more than it must have."""
    lowest = max(1, shape.metadata.get("min", 1)) if shape.metadata else 1
    values = {
        "structure": lambda: {name: least(shape.members[name]) for name in shape.required_members},
        "list": lambda: [least(shape.member)],
        "map": dict,
        "string": lambda: (shape.enum or ["x" * lowest])[0],
        "boolean": bool,
        "blob": bytes,
    }
    return values.get(shape.type_name, lambda: lowest)()
