"""What waits for a digest of an alert channel, because the channel got as many messages as its limit allows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from permission_guard.delivery.text import cut
from permission_guard.model.documents import known_fields
from permission_guard.model.findings import Status, Transition
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from permission_guard.config.document import AlertLimit
    from permission_guard.delivery.ledger import Claim
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

_TEXT: Final = 300
_TRANSITIONS: Final = 3
"""How many transitions of a finding that waits are remembered besides the first one: the last ones."""


@record(kw_only=True)
class WaitingFinding:
    """A finding that waits: its newest revision, and the `transitions` since it began to wait, the oldest first.

    It is what a digest shows of it. `title` is cut.
    """

    id: str
    revision: int
    severity: Severity
    rule_id: str
    rule_name: str
    account: str
    region: str
    title: str
    status: Status
    transitions: tuple[Transition, ...]
    owner: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the finding needs no attention any more."""
        return self.status is not Status.OPEN or self.transitions[-1:] == (Transition.FIX_APPLIED,)

    def to_document(self) -> dict[str, JSON]:
        """Return it as JSON values."""
        return {
            **asdict(self),
            "severity": str(self.severity),
            "status": str(self.status),
            "transitions": [str(one) for one in self.transitions],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a document. One of UNREADABLE if it is invalid; unknown fields are ignored."""
        fields = known_fields(cls, document)
        fields["severity"] = Severity(fields["severity"])
        fields["status"] = Status(fields["status"])
        fields["transitions"] = tuple(map(Transition, fields["transitions"]))
        if len(fields["transitions"]) > _TRANSITIONS + 1:  # a longer line would leave no room for the others
            raise ValueError("more transitions than are remembered")
        return cls(**fields)


def waiting_finding(finding: Finding, before: WaitingFinding | None) -> WaitingFinding:
    """Return what waits of a finding. `before` is what waits of it already: the newest revision replaces it."""
    earlier = before.transitions if before else ()
    return WaitingFinding(
        id=finding.id,
        revision=finding.revision,
        severity=finding.severity,
        rule_id=cut(finding.rule_id, _TEXT),
        rule_name=cut(finding.rule_name, _TEXT),
        account=cut(finding.account, _TEXT),
        region=cut(finding.region, _TEXT),
        title=cut(finding.title, _TEXT),
        status=finding.status,
        owner=cut(finding.owner, _TEXT),
        transitions=(*earlier[:1], *(*earlier[1:], finding.transition)[-_TRANSITIONS:]),
    )


@record(kw_only=True)
class WaitingItem:
    """Something that waits, by its id: a finding, or a digest.

    `finding` is None for a digest, and for a finding whose item cannot be read. `stored` is the document as the table
    has it, None if it has none: only what has not changed since is removed.
    """

    id: str
    stored: Any
    finding: WaitingFinding | None = None


class WaitingMessages(Protocol):
    """What waits for the digests of each channel. The deployed one is in `aws/tables/waiting_for_digests.py`."""

    def item(self, channel: str, identifier: str) -> WaitingItem | None:
        """Return what waits of a finding or a digest, None if nothing does."""

    def items(self, channel: str) -> Sequence[WaitingItem]:
        """Return everything that waits for a channel."""

    def postpone(self, claim: Claim, finding: WaitingFinding | None, expires_at: datetime | None) -> None:
        """Let what is claimed wait, and record its delivery: both or neither.

        `finding` is None for a digest. `expires_at` is when the record of the delivery may be deleted, None for never.
        ConflictError if another claim took the lock.
        """

    def sent(self, claim: Claim, items: Sequence[WaitingItem]) -> None:
        """Remove what a message of a channel has reported, all of it at once, but what has changed since it was read.

        `claim` is that of the channel's digests. ConflictError if another claim took its lock.
        """


class MessageQuota(Protocol):
    """Counts the messages of each channel. The deployed one is in `aws/tables/quotas.py`."""

    def take(self, channel: str, limit: AlertLimit, now: datetime, *, spare: int) -> bool:
        """Count a message that is about to be sent, unless only `spare` more are allowed now. Return whether it was.

        A message whose sending failed counts, too: it may have arrived. ConflictError if others were faster each time.
        """
