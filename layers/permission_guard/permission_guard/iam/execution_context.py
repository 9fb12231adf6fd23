"""The condition keys of a call with a Lambda function's execution role.

They depend on the caller. `lambda:SourceFunctionArn` is present when the function's code calls, and when Lambda writes
logs, sends traces or mounts a file system. It is absent when Lambda polls an event source, creates network interfaces
or decrypts environment variables. Therefore a policy that requires this key does not allow an event source mapping.
See "Using source function ARN to control function access behavior" in the Lambda Developer Guide.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.arn import unqualified
from permission_guard.iam.context import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from permission_guard.iam.context import ContextValue

VIA_KEYS: Final = ("aws:ViaAWSService", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast")
"""The keys that say whether an AWS service calls another one with the caller's permissions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""
SOURCE_FUNCTION_ARN: Final = "lambda:SourceFunctionArn"


class LambdaCall(StrEnum):
    """The caller that uses the execution role, and its purpose."""

    POLL = "poll"
    """Lambda polls an event source for an event source mapping."""
    NETWORK_INTERFACE = "network-interface"
    """Lambda creates or deletes the network interfaces of a function or a mapping."""
    ENVIRONMENT_KEY = "environment-key"
    """Lambda decrypts the environment variables with KMS."""
    DESTINATION = "destination"
    """Lambda sends to a dead-letter queue or a destination. AWS does not document whether it sends the function ARN."""
    CODE = "code"
    """The function's own code."""
    LOGS = "logs"
    """Lambda writes the logs of the function."""
    TRACING = "tracing"
    """Lambda sends X-Ray segments."""
    FILE_SYSTEM = "file-system"
    """Lambda mounts a file system."""


_WITH_FUNCTION: Final = frozenset({LambdaCall.CODE, LambdaCall.LOGS, LambdaCall.TRACING, LambdaCall.FILE_SYSTEM})


def execution_role_context(
    call: LambdaCall,
    *,
    role_arn: str,
    account: str,
    region: str,
    function_arn: str | None = None,
    tags: Mapping[str, str] | None = None,
    resource_account: str | None = None,
    organization: str | None = None,
    known: Mapping[str, ContextValue | None] | None = None,
    absent: Iterable[str] = (),
    unknown: Iterable[str] = (),
) -> Context:
    """Return the condition keys of a call with an execution role.

    `tags` are the role's tags, None if they were not read. `known`, `absent` and `unknown` add or replace keys. The
    keys that AWS sends and that are not in the configuration are unknown: source address, VPC, resource tags, time.
    """
    keys: dict[str, ContextValue | None] = {
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalAccount": account,
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": False,
        "aws:RequestedRegion": region,
        "aws:SecureTransport": True,
        "aws:ViaAWSService": False,
    }
    absent_keys = ["aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:username", "aws:PrincipalServiceName"]
    absent_keys += VIA_KEYS[1:]
    if resource_account is not None:
        keys["aws:ResourceAccount"] = resource_account
    if organization is not None:
        keys["aws:PrincipalOrgID"] = organization
    if tags is not None:
        keys.update({f"aws:PrincipalTag/{name}": value for name, value in tags.items()})
        absent_keys.append("aws:PrincipalTag/")
    if call in _WITH_FUNCTION:
        if function_arn is not None:
            keys[SOURCE_FUNCTION_ARN] = unqualified(function_arn)
    elif call is not LambdaCall.DESTINATION:
        absent_keys.append(SOURCE_FUNCTION_ARN)
    added = dict(known or {})
    replaced = {name.lower() for name in (*added, *absent, *unknown)}
    keys = {name: value for name, value in keys.items() if name.lower() not in replaced}
    absent_keys = [name for name in absent_keys if name.lower() not in replaced]
    return Context({**keys, **added}, absent=(*absent_keys, *absent), unknown=unknown)
