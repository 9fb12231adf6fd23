"""The condition keys of a call that is made with a Lambda function's execution role.

Which keys go along depends on who makes the call. `lambda:SourceFunctionArn` is there when the function's own code
calls, and for Lambda's logs, traces and file system mounts; it is not there when Lambda polls an event source, makes
network interfaces or decrypts environment variables. A policy restricted by it therefore does not serve an event source
mapping. See "Using source function ARN to control function access behavior" in the Lambda Developer Guide.
"""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam.context import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from permission_guard.iam.context import ContextValue

SOURCE_FUNCTION_ARN: Final = "lambda:SourceFunctionArn"

_FUNCTION_ARN_PARTS: Final = 7


class LambdaCall(StrEnum):
    """Who calls with the execution role, and why."""

    POLL = "poll"
    """Lambda reads an event source, for an event source mapping."""
    NETWORK_INTERFACE = "network-interface"
    """Lambda makes or removes the network interfaces of a function or of a mapping."""
    ENVIRONMENT_KEY = "environment-key"
    """Lambda has KMS decrypt the environment variables."""
    DESTINATION = "destination"
    """Lambda sends to a dead-letter queue or a destination. AWS does not say whether the source function goes along."""
    CODE = "code"
    """The function's own code."""
    LOGS = "logs"
    """Lambda writes the function's logs."""
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
) -> Context:
    """Return what is known of the condition keys of a call with an execution role.

    `tags` are the role's; None says that they were not read. `known` and `absent` add keys, or replace them. What AWS
    would send and nobody here can know (source address, VPC, resource tags, time) is unknown.
    """
    keys: dict[str, ContextValue | None] = {
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalAccount": account,
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": False,
        "aws:RequestedRegion": region,
        "aws:SecureTransport": True,
    }
    gone = ["aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:username", "aws:PrincipalServiceName"]
    if resource_account is not None:
        keys["aws:ResourceAccount"] = resource_account
    if organization is not None:
        keys["aws:PrincipalOrgID"] = organization
    if tags is not None:
        keys.update({f"aws:PrincipalTag/{name}": value for name, value in tags.items()})
        gone.append("aws:PrincipalTag/")
    if call in _WITH_FUNCTION:
        if function_arn is not None:
            keys[SOURCE_FUNCTION_ARN] = _unqualified(function_arn)
    elif call is not LambdaCall.DESTINATION:
        gone.append(SOURCE_FUNCTION_ARN)
    added = dict(known or {})
    spelled = {name.lower() for name in added}
    keys = {name: value for name, value in keys.items() if name.lower() not in spelled}
    removed = {name.lower() for name in absent}
    keys = {name: value for name, value in keys.items() if name.lower() not in removed}
    return Context({**keys, **added}, absent=(*gone, *absent))


def _unqualified(function_arn: str) -> str:
    return ":".join(function_arn.split(":")[:_FUNCTION_ARN_PARTS])
