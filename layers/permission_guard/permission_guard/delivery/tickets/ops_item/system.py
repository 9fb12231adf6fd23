"""Maintain one OpsItem for each finding in AWS Systems Manager OpsCenter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.tickets.ops_item import content as ops_item
from permission_guard.errors import DeliveryError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import OpsItemDataValueTypeDef, UpdateOpsItemRequestTypeDef

    from permission_guard.delivery.tickets.ops_item.content import OpsItemContent
    from permission_guard.model.findings import Finding

    T = TypeVar("T")

_NOT_FOUND = "OpsItemNotFoundException"


class OpsItems:
    """The OpsItems of one account and region; a reference is an OpsItem's id.

    OpsCenter rejects a second OpsItem with the same deduplication string and resources while the first is Open or
    InProgress, so losing the record of the first does no harm.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """

    name = "opsitem"

    def __init__(self, client: SSMClient) -> None:
        self._ssm = client

    def open(self, finding: Finding) -> str:
        """Create the OpsItem, or update the existing one, and return its id."""
        new = ops_item.content(finding)
        try:
            return self._ssm.create_ops_item(
                Title=new.title,
                Description=new.description,
                Source=ops_item.SOURCE,
                Category=ops_item.CATEGORY,
                Severity=new.severity,
                Priority=new.priority,
                OperationalData=_operational_data(new),
                Tags=[{"Key": key, "Value": value} for key, value in new.tags.items()],
            )["OpsItemId"]
        except self._ssm.exceptions.OpsItemAlreadyExistsException as error:
            response: Mapping[str, Any] = error.response
            existing: str = response.get("OpsItemId", "")
            if not existing:
                raise DeliveryError("OpsCenter reported an existing OpsItem without its id") from error
        except (ClientError, BotoCoreError) as error:
            raise _failed("CreateOpsItem", error) from error
        if not self._write(existing, finding):
            raise DeliveryError(
                f"the existing OpsItem {existing} was deleted before it could be updated, or is another"
            )
        return existing

    def update(self, reference: str, finding: Finding) -> str:
        """Update the OpsItem, and reopen it if it was resolved along with the finding.

        Create another OpsItem if this one was deleted, or is about something else.
        """
        return reference if self._write(reference, finding) else self.open(finding)

    def resolve(self, reference: str, finding: Finding) -> str:
        """Set the OpsItem to Resolved; do nothing if it was deleted, or is about something else."""
        self._write(reference, finding)
        return reference

    def find(self, finding: Finding) -> str | None:
        """Return the id of an unresolved OpsItem of this finding, None when there is none."""
        pair = json.dumps({"key": "finding_id", "value": finding.id})
        pages = self._ssm.get_paginator("describe_ops_items").paginate(
            OpsItemFilters=[
                {"Key": "OperationalData", "Values": [pair], "Operator": "Equal"},
                {"Key": "Status", "Values": ["Open", "InProgress"], "Operator": "Equal"},
            ],
        )
        try:
            found = (summary["OpsItemId"] for page in pages for summary in page["OpsItemSummaries"])
            return next(found, None)
        except (ClientError, BotoCoreError) as error:
            raise _failed("DescribeOpsItems", error) from error

    def _write(self, reference: str, finding: Finding) -> bool:
        """Update an OpsItem; return whether it exists and is about the finding.

        The reference comes from the deliveries table: another OpsItem must not be overwritten with it.
        """
        earlier = self._operational_data_of(reference)
        if earlier is None or earlier.get("finding_id") != finding.id:
            return False
        if ops_item.is_stale(finding, earlier):
            return True
        now = ops_item.content(finding, earlier)
        request: UpdateOpsItemRequestTypeDef = {
            "OpsItemId": reference,
            "Title": now.title,
            "Description": now.description,
            "Severity": now.severity,
            "Priority": now.priority,
            "OperationalData": _operational_data(now),
        }
        status = ops_item.status_to_set(finding, earlier)
        if status is not None:
            request["Status"] = status
        return self._unless_deleted("UpdateOpsItem", lambda: self._ssm.update_ops_item(**request)) is not None

    def _operational_data_of(self, reference: str) -> Mapping[str, str] | None:
        """Return the operational data of an OpsItem, None when it was deleted."""
        reply = self._unless_deleted("GetOpsItem", lambda: self._ssm.get_ops_item(OpsItemId=reference))
        if reply is None:
            return None
        data = reply.get("OpsItem", {}).get("OperationalData", {})
        return {key: value.get("Value", "") for key, value in data.items()}

    def _unless_deleted(self, operation: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == _NOT_FOUND:
                return None
            raise _failed(operation, error) from error


def _operational_data(content: OpsItemContent) -> dict[str, OpsItemDataValueTypeDef]:
    return {
        key: {"Value": value, "Type": "SearchableString" if key in content.searchable else "String"}
        for key, value in content.data.items()
    }


def _failed(operation: str, error: ClientError | BotoCoreError) -> DeliveryError:
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    return DeliveryError(f"OpsCenter did not accept the ticket: {operation} failed with {code}")
