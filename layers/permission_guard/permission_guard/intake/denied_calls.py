"""Read calls that AWS denied because the execution role lacks a permission.

Lambda checks the role when a mapping is created, when a function is created or configured, and when destinations of
asynchronous invocations are set. The error message names what is missing. These forms have been recorded; a message
names the service (`SQS`), or only an ARN.

    The function execution role does not have permissions to call GetQueueAttributes on SQS.
    The provided execution role does not have permissions to call CreateNetworkInterface on EC2
    The function's execution role does not have permissions to call Publish on arn:…
    Cannot access stream ARN. Please ensure the role can perform the GetRecords, … and ListStreams Actions on your …
    Cannot access cluster ARN. Please ensure the role can perform the DescribeClusterV2 (recommended) or … actions on …
    Cannot access secret manager, please ensure the role can perform the 'secretsmanager:GetSecretValue' action on …
    The role defined for the function cannot be assumed by Lambda.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import MalformedEventError
from permission_guard.model.arns import is_execution_role, parse_function_name
from permission_guard.model.names import (
    ARN,
    DESTINATION,
    QUEUE,
    SCHEMA_REGISTRY_URI,
    SERVER,
    SUBNET_ID,
    TARGET_ARN,
    TOPIC,
    URI,
    NameForm,
)
from permission_guard.model.state import DeniedCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.intake.cloudtrail_record import CloudTrailRecord
    from permission_guard.model.targets import JSON


_MOST_OF_A_MESSAGE: Final = 1_000
_MOST_OF_A_CONFIGURATION: Final = 4_096
_ABOUT_THE_ROLE: Final = re.compile(
    r"does not have permissions? to call|ensure (?:that )?the role can perform|cannot be assumed by Lambda",
    re.IGNORECASE,
)

# ── The parameters to keep ─────────────────────────────────────────────────────────────────────────────────────────

_Shape = NameForm | list[Any] | dict[str, Any]
"""The form of a string; a list: the shape of its items, and how many at most; or an object."""

_MOST_OF_A_NAME: Final = 512
_A_TYPE: Final = NameForm(r"[A-Z0-9_]+", 1, 64)
"""A type of access: the API lists the values, and AWS adds new ones."""

_KAFKA: Final = {
    "ConsumerGroupId": URI,
    "SchemaRegistryConfig": {
        "SchemaRegistryURI": SCHEMA_REGISTRY_URI,
        "AccessConfigs": [{"Type": _A_TYPE, "URI": ARN}, 22],
    },
}
_DESTINATIONS: Final[dict[str, _Shape]] = {
    "DestinationConfig": {"OnFailure": {"Destination": DESTINATION}, "OnSuccess": {"Destination": DESTINATION}}
}
_MAPPING: Final[dict[str, _Shape]] = {
    "EventSourceArn": ARN,
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [SERVER, 10]}},
    "Topics": [TOPIC, 1],
    "Queues": [QUEUE, 1],
    **_DESTINATIONS,
    "AmazonManagedKafkaEventSourceConfig": _KAFKA,
    "SelfManagedKafkaEventSourceConfig": _KAFKA,
    "SourceAccessConfigurations": [{"Type": _A_TYPE, "URI": URI}, 22],
}
_FUNCTION: Final[dict[str, _Shape]] = {
    "DeadLetterConfig": {"TargetArn": TARGET_ARN},
    "VpcConfig": {"SubnetIds": [SUBNET_ID, 16]},
}
_PARAMETERS: Final = {
    "CreateEventSourceMapping": _MAPPING,
    "CreateFunction": _FUNCTION,
    "UpdateFunctionConfiguration": _FUNCTION,
    "PutFunctionEventInvokeConfig": _DESTINATIONS,
    "UpdateFunctionEventInvokeConfig": _DESTINATIONS,
}
"""By API: the parameters that permissions depend on, named as the Lambda API names them."""


def denied_call_of(record: CloudTrailRecord) -> DeniedCall | None:
    """Return the call that AWS denied because of the execution role; None for any other record.

    Its parameters have the forms that the API accepts, and are bounded; others are left out. MalformedEventError where
    no function is named.
    """
    shape = _PARAMETERS.get(record.api) if record.event_source == "lambda.amazonaws.com" else None
    if shape is None or record.error_code != "InvalidParameterValueException":
        return None
    message = _cleaned(record.error_message)
    if not _ABOUT_THE_ROLE.search(message):
        return None
    function_arn, account = _function(record)
    role = record.request.get("role") if shape is _FUNCTION else None
    role_arn = role if isinstance(role, str) and is_execution_role(role, record.account) else ""
    # A role of another account cannot be read, and without a role nothing can be checked.
    is_role_unusable = (role is not None or record.api == "CreateFunction") and not role_arn
    if account != record.account or is_role_unusable:
        return None
    return DeniedCall(
        api=record.api,
        function_arn=function_arn,
        role_arn=role_arn,
        message=message,
        at=_time(record.time),
        configuration=_bounded(record.request, shape),
    )


def _cleaned(message: str) -> str:
    """Return a message in one line, without control characters, of bounded length."""
    text = message[: 2 * _MOST_OF_A_MESSAGE]
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MOST_OF_A_MESSAGE]


def _time(text: str) -> str:
    """Return a record's time in UTC as ISO-8601 with milliseconds, empty where it is invalid."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC).isoformat(timespec="milliseconds") if at.tzinfo else ""
    except (ValueError, OverflowError):  # OverflowError: the first and the last day that datetime knows
        return ""


def _function(record: CloudTrailRecord) -> tuple[str, str]:
    """Return the ARN of the function that a call names, with its qualifier, and its account.

    The qualifier is in the name, or a parameter of its own; AWS rejects two that differ.
    """
    name = record.request.get("functionName")
    if not isinstance(name, str):
        raise MalformedEventError(f"{record.event_name} has no `functionName`")
    try:
        target, qualifier = parse_function_name(name, region=record.region, account=record.account)
        named = record.request.get("qualifier")
        if qualifier is None and named is not None:
            qualifier = parse_function_name(f"{target.arn}:{named}", region="", account="")[1]
    except ValueError as error:
        raise MalformedEventError(str(error)) from error
    is_qualified = qualifier is not None and qualifier != "$LATEST"
    return f"{target.arn}:{qualifier}" if is_qualified else target.arn, target.account


def _bounded(request: Mapping[str, JSON], shape: dict[str, _Shape]) -> dict[str, JSON]:
    """Return the parameters of a shape, in its order, as long as they are small in all."""
    kept: dict[str, JSON] = {}
    for name, part in shape.items():
        value = _shaped(_member(request, name), part)
        longer = {**kept, name: value}
        if value is not None and len(json.dumps(longer)) <= _MOST_OF_A_CONFIGURATION:
            kept = longer
    return kept


def _shaped(value: JSON, shape: _Shape) -> JSON:
    """Return the part of a value that has the shape, None where nothing has."""
    if isinstance(shape, NameForm):
        return value if isinstance(value, str) and shape.match(value) and _is_visible(value) else None
    if isinstance(shape, list):
        item, most = shape
        items = value[:most] if isinstance(value, list) else []
        return [found for found in (_shaped(each, item) for each in items) if found is not None] or None
    if not isinstance(value, dict):
        return None
    members = {name: _shaped(_member(value, name), part) for name, part in shape.items()}
    return {name: found for name, found in members.items() if found is not None} or None


def _is_visible(name: str) -> bool:
    """Return whether a name is short and printable. The API's patterns for ARNs and topics allow any character."""
    is_arn = name.startswith("arn:")
    return (
        0 < len(name) <= _MOST_OF_A_NAME and name.isprintable() and not (is_arn and (" " in name or not name.isascii()))
    )


def _member(value: Mapping[str, JSON], name: str) -> JSON:
    """Return a member by its name in the API: CloudTrail writes the first letter in lower case, except in map keys."""
    return value.get(name[0].lower() + name[1:], value.get(name))
