"""boto3 clients, created at first use."""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from permission_guard import __version__
from permission_guard.aws.time_limit import TimeLimit
from permission_guard.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_config import ConfigServiceClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=10,
    user_agent_extra=f"permission-guard/{__version__}",
)
"""The configuration of all clients: measured in decision 20.

Lambda's control plane allows 15 calls a second per account for all callers together. Between its attempts a throttled
call waits 15 seconds in total at most (1, 2, 4 and 8, each times a random share). A connection that hangs five times
takes longer than a checker has: `TIME_LIMIT` then ends the call, and the message returns to its queue.
"""

_PROMPT = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=5))
"""At most 17 seconds for a call: two attempts of 8, and the wait between them."""

_CREATING = Lock()
"""boto3's default session is not safe for threads that create clients at the same time."""

TIME_LIMIT = TimeLimit()
"""The time limit of all clients. The checkers set it for each batch."""


@overload
def client(service: Literal["apigateway"]) -> APIGatewayClient: ...
@overload
def client(service: Literal["apigatewayv2"]) -> ApiGatewayV2Client: ...
@overload
def client(service: Literal["cloudformation"]) -> CloudFormationClient: ...
@overload
def client(service: Literal["cloudwatch"]) -> CloudWatchClient: ...
@overload
def client(service: Literal["cognito-idp"]) -> CognitoIdentityProviderClient: ...
@overload
def client(service: Literal["config"]) -> ConfigServiceClient: ...
@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["elbv2"]) -> ElasticLoadBalancingv2Client: ...
@overload
def client(service: Literal["events"]) -> EventBridgeClient: ...
@overload
def client(service: Literal["iam"]) -> IAMClient: ...
@overload
def client(service: Literal["iot"]) -> IoTClient: ...
@overload
def client(service: Literal["kinesis"]) -> KinesisClient: ...
@overload
def client(service: Literal["lambda"]) -> LambdaClient: ...
@overload
def client(service: Literal["logs"]) -> CloudWatchLogsClient: ...
@overload
def client(service: Literal["organizations"]) -> OrganizationsClient: ...
@overload
def client(service: Literal["s3"]) -> S3Client: ...
@overload
def client(service: Literal["secretsmanager"]) -> SecretsManagerClient: ...
@overload
def client(service: Literal["sns"]) -> SNSClient: ...
@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["ssm"]) -> SSMClient: ...
@overload
def client(service: Literal["sts"]) -> STSClient: ...
@overload
def client(service: str) -> Any: ...
def client(service: str) -> Any:
    """Return the client of a service, one per execution environment."""
    return _client(service)


def client_in(service: str, region: str) -> Any:
    """Return the client of a service in a region, one per execution environment."""
    own = _client(service)
    return own if own.meta.region_name == region else _client_in(service, region)


def patient_client(service: str, seconds: int) -> Any:
    """Return a client that waits up to `seconds` for an answer, and makes each call once."""
    return _patient_client(service, seconds)


def prompt_client(service: str) -> Any:
    """Return a client whose calls take at most 17 seconds, one per execution environment."""
    return _prompt_client(service)


def client_as(service: str, *, profile: str | None, region: str | None) -> Any:
    """Return a client with the credentials of a profile, or of the environment, for the command line.

    An empty region in the environment counts as none. Without a region, the client is one of the partition `aws`, which
    suits a global service. ConfigurationError if no client can be created.
    """
    try:
        session = boto3.Session(profile_name=profile)
        found = region or os.environ.get("AWS_REGION") or session.region_name or "us-east-1"
        return session.client(service, region_name=found, config=CONFIG)  # type: ignore[call-overload]
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"boto3 cannot create a client for {service}: {error}") from error


@cache
def _client(service: str) -> Any:
    return _created(service, CONFIG)


@cache
def _prompt_client(service: str) -> Any:
    return _created(service, _PROMPT)


@cache
def _client_in(service: str, region: str) -> Any:
    return _created(service, CONFIG.merge(Config(region_name=region)))


@cache
def _patient_client(service: str, seconds: int) -> Any:
    return _created(service, CONFIG.merge(Config(read_timeout=seconds, retries={"total_max_attempts": 1})))


def _created(service: str, config: Config) -> Any:
    try:
        with _CREATING:
            created = boto3.client(service, config=config)  # type: ignore[call-overload]
    except BotoCoreError as error:
        raise ConfigurationError(f"boto3 cannot create a client for {service}: {error}") from error
    created.meta.events.register_first("before-send", TIME_LIMIT.refuse)
    return created
