"""Maintain one OpsItem for each finding in AWS Systems Manager OpsCenter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.tickets.base import Mark, Ticket, mark_of
from permission_guard.delivery.tickets.ops_item import content as ops_item
from permission_guard.delivery.tickets.ops_item.summary import summary_content
from permission_guard.errors import DeliveryError, DeliveryLimitError, error_code
from permission_guard.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import OpsItemDataValueTypeDef, OpsItemSummaryTypeDef, UpdateOpsItemRequestTypeDef

    from permission_guard.delivery.tickets.ops_item.content import OpsItemContent
    from permission_guard.delivery.tickets.summary import Ticketed

_NOT_FOUND = "OpsItemNotFoundException"
_LIMIT = "OpsItemLimitExceededException"


class OpsItems:
    """The OpsItems of one account and region; a reference is an OpsItem's id.

    OpsCenter rejects a second OpsItem with the same deduplication string and resources while the first is Open or
    InProgress, so losing the record of the first does no harm even if the search does not show it yet.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html

    OpsItems have no comments: a comment is a value of the operational data.
    """

    name = "opsitem"

    def __init__(self, client: SSMClient) -> None:
        self._ssm = client

    def begin(self) -> None:
        """Do nothing: the client has its own time limits."""

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return an OpsItem, None when it was deleted, or is about something else.

        The reference comes from the deliveries table: another OpsItem must not be overwritten with it.
        """
        try:
            item = self._ssm.get_ops_item(OpsItemId=reference).get("OpsItem", {})
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == _NOT_FOUND:
                return None
            raise _failed("GetOpsItem", error) from error
        data = {key: value.get("Value", "") for key, value in item.get("OperationalData", {}).items()}
        if data.get("finding_id") != about.id:
            return None
        is_closed = item.get("Status") in ops_item.CLOSED
        return Ticket(reference=reference, is_closed=is_closed, mark=Mark.read(data), data=data)

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the OpsItem of this finding, None when there is none."""
        pair = json.dumps({"key": "finding_id", "value": about.id})
        pages = self._ssm.get_paginator("describe_ops_items").paginate(
            OpsItemFilters=[
                {"Key": "OperationalData", "Values": [pair], "Operator": "Equal"},
                {"Key": "Status", "Values": [*ops_item.UNRESOLVED, "Resolved"], "Operator": "Equal"},
            ],
        )
        try:
            found = sorted((summary for page in pages for summary in page["OpsItemSummaries"]), key=_rank)
        except (ClientError, BotoCoreError) as error:
            raise _failed("DescribeOpsItems", error) from error
        return self.read(found[-1]["OpsItemId"], about) if found else None

    def open(self, about: Ticketed) -> str:
        """Create the OpsItem, or update the existing one, and return its id."""
        new = _content(about)
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
        ticket = self.read(existing, about)
        if ticket is None:
            raise DeliveryError(
                f"the existing OpsItem {existing} was deleted before it could be updated, or is another"
            )
        self.update(ticket, about)
        return existing

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Update the OpsItem, and keep its status: a person may have set InProgress or Resolved."""
        self._write(ticket, about)

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:
        """Update the OpsItem, and set it to Resolved."""
        self._write(ticket, about, status="Resolved")

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Update the OpsItem, and set it to Open."""
        self._write(ticket, about, status="Open")

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:
        """Update the OpsItem with a comment in its operational data."""
        self._write(ticket, about, comment=text)

    def _write(
        self,
        ticket: Ticket,
        about: Ticketed,
        *,
        status: Literal["Open", "Resolved"] | None = None,
        comment: str = "",
    ) -> None:
        mark = Mark.of(about, has_comment=bool(comment)) if comment or status else mark_of(ticket, about)
        now = _content(about, ticket.data, mark=mark, comment=comment)
        request: UpdateOpsItemRequestTypeDef = {
            "OpsItemId": ticket.reference,
            "Title": now.title,
            "Description": now.description,
            "Severity": now.severity,
            "Priority": now.priority,
            "OperationalData": _operational_data(now),
        }
        if status is not None:
            request["Status"] = status
        try:
            self._ssm.update_ops_item(**request)
        except (ClientError, BotoCoreError) as error:
            raise _failed("UpdateOpsItem", error) from error


def _content(
    about: Ticketed,
    earlier: Mapping[str, str] | None = None,
    *,
    mark: Mark | None = None,
    comment: str = "",
) -> OpsItemContent:
    if isinstance(about, Finding):
        return ops_item.content(about, earlier, mark=mark, comment=comment)
    return summary_content(about, earlier, mark=mark, comment=comment)


def _rank(summary: OpsItemSummaryTypeDef) -> tuple[bool, str, str]:
    """Return what sorts the OpsItem to use last: an unresolved one, then the newest."""
    created = summary.get("CreatedTime")
    return summary.get("Status") in ops_item.UNRESOLVED, created.isoformat() if created else "", summary["OpsItemId"]


def _operational_data(content: OpsItemContent) -> dict[str, OpsItemDataValueTypeDef]:
    return {
        key: {"Value": value, "Type": "SearchableString" if key in content.searchable else "String"}
        for key, value in content.data.items()
    }


def _failed(operation: str, error: ClientError | BotoCoreError) -> DeliveryError:
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    message = f"OpsCenter did not accept the ticket: {operation} failed with {code}"
    # The quota of OpsItems is per month. It does not apply to updates, whose error has the same code for other limits.
    return (DeliveryLimitError if (operation, code) == ("CreateOpsItem", _LIMIT) else DeliveryError)(message)
