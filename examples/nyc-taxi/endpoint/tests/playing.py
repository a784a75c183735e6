"""What the tests share: a session whose clients are botocore's own, stubbed, so that AWS's model checks calls and answers."""

import boto3
from botocore.stub import Stubber

PACKAGE = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/fares-p-1/7"
ROLE = "arn:aws:iam::111122223333:role/models"
PROJECT_ARN = "arn:aws:sagemaker:eu-central-1:111122223333:project/fares"


class Session:
    """Hands out one stubbed client per service."""

    def __init__(self):
        self.clients, self.stubs = {}, {}

    def client(self, service):
        if service not in self.clients:
            secrets = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
            self.clients[service] = boto3.client(service, region_name="eu-central-1", **secrets)
            self.stubs[service] = Stubber(self.clients[service])
            self.stubs[service].activate()
        return self.clients[service]

    def answers(self, service, operation, answer, expected=None):
        """The next call of `service` is `operation`, is as `expected`, and is answered so."""
        self.client(service)
        self.stubs[service].add_response(operation, answer, expected)

    def refuses(self, service, operation, code, message):
        """The next call of `service` is `operation`, and is refused."""
        self.client(service)
        self.stubs[service].add_client_error(operation, code, message)

    def all_asked(self):
        """Fails unless every answer was asked for."""
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()
