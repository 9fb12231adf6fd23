"""Maintain each finding in AWS Security Hub."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.delivery.tickets.base import Mark, Ticket, mark_of
from permission_guard.delivery.tickets.security_hub import content as asff
from permission_guard.errors import DeliveryError, error_code
from permission_guard.model.findings import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.delivery.tickets.summary import Ticketed
    from permission_guard.model.targets import JSON

_AUTHOR = "permission-guard"
_WRITTEN_AGAIN = timedelta(days=60)
"""Security Hub deletes an active finding 90 days after its last update, and with it what people set."""


class SecurityHubFindings:
    """The findings of one account and region; a reference is an id in Security Hub.

    An id exists once: importing it again updates it, so there are no duplicates. People resolve or suppress a finding
    by its workflow status, which an import does not change. Security Hub itself sets a resolved one to `NEW` when an
    archived finding becomes active. One that a person suppressed stays suppressed.
    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """

    name = "securityhub"

    def __init__(self, client: Any, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._securityhub = client
        self._clock = clock

    def begin(self) -> None:
        """Do nothing: the client has its own time limits."""

    def read(self, reference: str, about: Ticketed) -> Ticket | None:
        """Return the finding in Security Hub, None if it has expired, or the reference is another one's."""
        return self.find(about) if reference == asff.finding_id(about) else None

    def find(self, about: Ticketed) -> Ticket | None:
        """Return the finding in Security Hub, None when there is none."""
        filters = {
            "Id": [{"Value": asff.finding_id(about), "Comparison": "EQUALS"}],
            "ProductArn": [{"Value": asff.product_arn(about), "Comparison": "EQUALS"}],
        }
        try:
            found = self._securityhub.get_findings(Filters=filters)["Findings"]
        except (ClientError, BotoCoreError) as error:
            raise _failed("GetFindings", error) from error
        for document in found:
            mark = asff.marked(document, about)
            if mark is not None:
                return Ticket(
                    reference=document["Id"],
                    is_closed=asff.is_closed(document),
                    mark=mark,
                    expires_soon=asff.is_older(document, _WRITTEN_AGAIN, self._clock()),
                )
        return None

    def open(self, about: Ticketed) -> str:
        """Import the finding and return its id."""
        self._import(about, Mark.of(about))
        return asff.finding_id(about)

    def update(self, ticket: Ticket, about: Ticketed) -> None:
        """Import the finding again. Its workflow status stays."""
        self._import(about, mark_of(ticket, about))

    def resolve(self, ticket: Ticket, about: Ticketed) -> None:  # noqa: ARG002 - the protocol's parameters
        """Import the finding as archived."""
        self._import(about, Mark.of(about))

    def reopen(self, ticket: Ticket, about: Ticketed) -> None:
        """Import the finding as active.

        Security Hub resets the workflow status of what was archived. So it is archived first if its end was skipped.
        """
        if ticket.mark.status is Status.OPEN and isinstance(about, Finding):
            ended = replace(about, status=Status.RESOLVED)
            self._import(ended, Mark.of(ended))
        self._import(about, Mark.of(about))

    def comment(self, ticket: Ticket, about: Ticketed, text: str) -> None:  # noqa: ARG002 - as above
        """Set the note of the finding, then import it. A finding has one note: that of a person is replaced."""
        identifier = {"Id": asff.finding_id(about), "ProductArn": asff.product_arn(about)}
        note = {"Text": asff.note(text), "UpdatedBy": _AUTHOR}
        try:
            reply = self._securityhub.batch_update_findings(FindingIdentifiers=[identifier], Note=note)
        except (ClientError, BotoCoreError) as error:
            raise _failed("BatchUpdateFindings", error) from error
        _require_done("BatchUpdateFindings", reply.get("UnprocessedFindings"))
        self._import(about, Mark.of(about, has_comment=True))

    def _import(self, about: Ticketed, mark: Mark) -> None:
        document = asff.document(about, mark, self._clock())
        try:
            reply = self._securityhub.batch_import_findings(Findings=[document])
        except (ClientError, BotoCoreError) as error:
            raise _failed("BatchImportFindings", error) from error
        _require_done("BatchImportFindings", reply.get("FailedFindings"))


def _require_done(operation: str, failed: list[Mapping[str, JSON]] | None) -> None:
    """Raise DeliveryError if a finding in a batch was refused: the reply has status 200 all the same."""
    if failed:
        codes = ", ".join(sorted({str(one.get("ErrorCode")) for one in failed}))
        raise DeliveryError(f"Security Hub did not accept the finding: {operation} failed with {codes}")


def _failed(operation: str, error: ClientError | BotoCoreError) -> DeliveryError:
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    hint = ". Is Security Hub enabled in this region?" if code == "InvalidAccessException" else ""
    return DeliveryError(f"Security Hub did not accept the finding: {operation} failed with {code}{hint}")
