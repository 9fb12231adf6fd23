"""Read findings and their transitions from the findings table, always consistently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables.finding_items import finding_key, history_key, read_finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FindingTarget


class FindingReader:
    """Reads single findings. One of UNREADABLE if an item is not a finding."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def finding(self, target: FindingTarget, finding_id: str) -> Finding | None:
        """Return one recorded finding, None if there is none."""
        return self._read(finding_key(target, finding_id))

    def transition(self, target: FindingTarget, finding_id: str, revision: int) -> Finding | None:
        """Return a finding as its transition to a revision left it, None if there was none or it has expired."""
        return self._read(history_key(target, finding_id, revision))

    def _read(self, key: Any) -> Finding | None:
        reply = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return read_finding(reply["Item"]) if "Item" in reply else None
