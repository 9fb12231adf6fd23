"""AWS's replies about a function, its role and its secrets, validated by botocore's models."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import ParamValidator

from tests.fakes import ACCOUNT, FUNCTION_ARN, MAPPING_UUID, REGION, ROLE_ARN, TRUST_LAMBDA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from botocore.model import OperationModel, Shape

Grant = tuple[str, str]
"""An action and the resource on which it is allowed."""

Replies = dict[tuple[str, str], dict[str, Any]]
"""AWS's replies, by operation and by the parameter that names the resource."""

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
ROLE = "orders-role"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"

KEY_POLICY = {
    "Version": "2012-10-17",
    "Id": "key-default-1",
    "Statement": [
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}
"""The console's default key policy: it delegates to the IAM policies of the account."""


@dataclass
class Aws:
    """An account in which one function polls one source: its replies, and the operations that fail with a code.

    A call without a reply fails the test; `calls` lists all calls.
    """

    replies: Replies = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client of a service that gets these replies."""
        if service not in self.clients:
            self.clients[service] = _client(service)
            for event, handler in self._handlers():
                self.clients[service].meta.events.register(event, handler, unique_id=f"other-sources-{event}")
        return self.clients[service]

    def close(self) -> None:
        """Release the clients for the next account."""
        for client in self.clients.values():
            for event, handler in self._handlers():
                client.meta.events.unregister(event, handler, unique_id=f"other-sources-{event}")

    def _handlers(self) -> tuple[tuple[str, Any], ...]:
        return (("before-parameter-build", self._note), ("before-call", self._answer))

    def _note(self, params: dict[str, Any], context: dict[str, Any], **_more: Any) -> None:
        context["asked"] = {"", *map(str, params.values())}

    def _answer(self, model: OperationModel, context: dict[str, Any], **_more: Any) -> tuple[AWSResponse, Any]:
        self.calls.append(model.name)
        if code := self.refused.get(model.name):
            error = {"Code": code, "Message": f"{model.name} is refused"}
            return _reply(400 if "Throttling" in code else 403, {"Error": error})
        found = [self.replies[name] for name in self.replies if name[0] == model.name and name[1] in context["asked"]]
        assert len(found) == 1, f"{model.name} of {context['asked']} has {len(found)} replies"
        assert model.output_shape is not None
        _validate(model.output_shape, found[0])
        return _reply(200, deepcopy(found[0]))  # botocore decodes IAM's documents in place


def _reply(status: int, parsed: dict[str, Any]) -> tuple[AWSResponse, dict[str, Any]]:
    return AWSResponse("", status, HTTPHeaders(), None), {**parsed, "ResponseMetadata": {"HTTPStatusCode": status}}


@cache
def _client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def _validate(shape: Shape, reply: Any) -> None:
    """Validate a reply; botocore's validator checks names, types and required fields, but not enums.

    https://github.com/boto/botocore/blob/develop/botocore/validate.py
    """
    report = ParamValidator().validate(reply, shape)
    assert not report.has_errors(), report.generate_report()
    _validate_enums(shape, reply)


def _validate_enums(shape: Any, value: Any) -> None:
    if shape.type_name == "structure":
        for name, one in value.items():
            _validate_enums(shape.members[name], one)
    elif shape.type_name == "list":
        for one in value:
            _validate_enums(shape.member, one)
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum, f"{value} is none of {shape.enum}"


_MAPPING = {
    "UUID": MAPPING_UUID,
    "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{MAPPING_UUID}",
    "FunctionArn": FUNCTION_ARN,
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "LastModified": SINCE,
    "LastProcessingResult": "No records processed",
    "State": "Enabled",
    "StateTransitionReason": "USER_INITIATED",
    "DestinationConfig": {"OnFailure": {}},
}


def function(mapping: dict[str, Any]) -> Replies:
    """Return the replies about a function with one event source mapping; `mapping` has the mapping's own fields."""
    configuration = {
        "FunctionName": "orders",
        "FunctionArn": FUNCTION_ARN,
        "Runtime": "python3.13",
        "Role": ROLE_ARN,
        "Handler": "app.handler",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/orders"},
    }
    return {
        ("GetFunctionConfiguration", FUNCTION_ARN): configuration,
        ("ListFunctionEventInvokeConfigs", FUNCTION_ARN): {"FunctionEventInvokeConfigs": []},
        ("ListTags", FUNCTION_ARN): {"Tags": {}},
        ("ListEventSourceMappings", ""): {"EventSourceMappings": [{**_MAPPING, **mapping}]},
    }


def role(grants: Iterable[Grant]) -> Replies:
    """Return the replies about a role with one inline policy; IAM URL-encodes documents."""
    allowed = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in grants]
    document = {"Version": "2012-10-17", "Statement": allowed}
    role = {
        "Path": "/service-role/",
        "RoleName": ROLE,
        "RoleId": "AROAEXAMPLEEXAMPLEEXA",
        "Arn": ROLE_ARN,
        "CreateDate": SINCE,
        "AssumeRolePolicyDocument": quote(json.dumps(TRUST_LAMBDA)),
        "MaxSessionDuration": 3600,
    }
    policy = {"RoleName": ROLE, "PolicyName": "orders", "PolicyDocument": quote(json.dumps(document))}
    return {
        ("GetRole", ROLE): {"Role": role},
        ("ListAttachedRolePolicies", ROLE): {"AttachedPolicies": [], "IsTruncated": False},
        ("ListRolePolicies", ROLE): {"PolicyNames": ["orders"], "IsTruncated": False},
        ("GetRolePolicy", "orders"): policy,
    }


def secret(arn: str, key: str = "") -> Replies:
    """Return the replies about a secret without a policy, with an AWS managed or customer managed key."""
    named = {"ARN": arn, "Name": arn.rpartition(":")[2][:-7]}
    described = {
        "LastChangedDate": SINCE,
        "CreatedDate": SINCE,
        "VersionIdsToStages": {"6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d": ["AWSCURRENT"]},
    }
    return {
        ("DescribeSecret", arn): {**named, **described, **({"KmsKeyId": key} if key else {})},
        ("GetResourcePolicy", arn): named,
    }


def key(policy: dict[str, Any] = KEY_POLICY, *grants: dict[str, Any]) -> Replies:
    """Return the replies about a customer managed key."""
    metadata = {
        "AWSAccountId": ACCOUNT,
        "KeyId": KEY_ID,
        "Arn": KEY,
        "CreationDate": SINCE,
        "Enabled": True,
        "Description": "",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    return {
        ("DescribeKey", KEY): {"KeyMetadata": metadata},
        ("GetKeyPolicy", KEY): {"Policy": json.dumps(policy), "PolicyName": "default"},
        ("ListGrants", KEY): {"Grants": list(grants), "Truncated": False},
    }
