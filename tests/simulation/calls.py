"""Calls of AWS, and the answers of the services of which the simulation has next to nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import REGION
from tests.in_memory.errors import RejectedError
from tests.owned_policies import TAG

if TYPE_CHECKING:
    from collections.abc import Callable

_SENDS: Final = frozenset({"sns:Publish", "slack:Post", "ssm:CreateOpsItem", "ssm:UpdateOpsItem"})
_READS: Final = ("GET ", "Get", "List", "Describe", "Query", "BatchGet", "Head", "Scan", "StartConfiguration")


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the service, the operation as AWS spells it, and its parameters."""

    service: str
    operation: str
    params: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.operation.startswith(_READS)

    @property
    def is_request(self) -> bool:
        """Whether it is an HTTP request to a ticket system, which no SDK sends again."""
        return "request" in self.params

    @property
    def is_send(self) -> bool:
        """Whether people get something by it."""
        return str(self) in _SENDS

    @property
    def is_record(self) -> bool:
        """Whether it records that something was sent."""
        return any(
            one.get("TableName") == "DeliveriesTable" and "SET revision" in one.get("UpdateExpression", "")
            for one in (
                self.params,
                *(one for action in self.params.get("TransactItems", ()) for one in action.values()),
            )
        )


def answer_of_others(call: Call, document: str) -> dict[str, Any]:
    """Answer a call of a service that has nothing, but for the configuration `document`."""
    if known := _ANSWERS.get(str(call)):
        return known(call, document)
    if call.operation.startswith(("List", "Describe")):
        return _NoItems()
    raise RejectedError("ResourceNotFoundException", f"{call} finds nothing", status=404)


class _NoItems(dict[str, Any]):
    """A reply whose lists are empty."""

    def __missing__(self, _key: str) -> list[Any]:
        return []


def _configuration(_call: Call, document: str) -> dict[str, Any]:
    return {"Configuration": BytesIO(document.encode()), "NextPollConfigurationToken": "t"}


def _no_stack(_call: Call, _document: str) -> dict[str, Any]:
    raise RejectedError("ValidationError", "Stack for the resource does not exist")


def _no_policy(_call: Call, _document: str) -> dict[str, Any]:
    raise RejectedError("PolicyNotFoundException", "The resource has no policy.")


def _tagged(call: Call, _document: str) -> dict[str, Any]:
    """Return that every resource has the tag of those that the stack's own policies are for."""
    key, _, value = TAG.partition("=")
    tags = [{"Key": key, "Value": value}]
    return {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn in call.params["ResourceARNList"]]}


_NOTHING_ALLOWED: Final = {"Version": "2012-10-17", "Statement": []}

_ANSWERS: Final[dict[str, Callable[[Call, str], dict[str, Any]]]] = {
    "appconfigdata:GetLatestConfiguration": _configuration,
    "appconfigdata:StartConfigurationSession": lambda _call, _document: {"InitialConfigurationToken": "t"},
    "cloudformation:DescribeStackResources": _no_stack,
    "dynamodb:DescribeTable": lambda _call, _document: {"Table": {"TableStatus": "ACTIVE"}},
    "dynamodb:GetResourcePolicy": _no_policy,
    "ec2:DescribeRegions": lambda _call, _document: {"Regions": [{"RegionName": REGION}]},
    "efs:DescribeAccessPoints": lambda _call, _document: {"AccessPoints": [{"FileSystemId": "fs-0a1b2c3d"}]},
    "efs:DescribeFileSystemPolicy": lambda _call, _document: {"Policy": json.dumps(_NOTHING_ALLOWED)},
    "kinesis:DescribeStreamSummary": lambda _call, _document: {"StreamDescriptionSummary": {"EncryptionType": "NONE"}},
    "kinesis:GetResourcePolicy": lambda _call, _document: {"Policy": "{}"},
    "mq:DescribeBroker": lambda _call, _document: {"PubliclyAccessible": True},
    "resourcegroupstaggingapi:GetResources": _tagged,
    "s3:HeadBucket": lambda _call, _document: {},
    "secretsmanager:DescribeSecret": lambda _call, _document: {},
    "secretsmanager:GetResourcePolicy": lambda _call, _document: {},
    "sns:GetTopicAttributes": lambda _call, _document: {"Attributes": {}},
}
