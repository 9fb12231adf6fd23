"""Read all findings of a function or a role, consistently, for the messages about several of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from permission_guard.aws.tables.finding_items import FINDING_PREFIX, partition_key, read_finding
from permission_guard.errors import UNREADABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget


class TargetFindings:
    """Reads the findings of functions and roles."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def findings_of(self, target: FindingTarget) -> list[Finding]:
        """Return the findings of a function, with its versions and aliases, or of a role.

        One that cannot be read is left to its own event, which reports that.
        """
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": partition_key(target)}, ":prefix": {"S": FINDING_PREFIX}},
            ConsistentRead=True,
        )
        found: list[Finding] = []
        for item in (item for page in pages for item in page["Items"]):
            with suppress(*UNREADABLE):
                found.append(read_finding(item))
        return found
