"""What maintenance reads, writes and has sent. The deployed ones are in `aws/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.findings.baseline import Baselines
from permission_guard.maintenance.state import MaintenanceStates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from permission_guard.findings.checkpoint import StoredFindings
    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Status
    from permission_guard.model.targets import FindingTarget, FunctionTarget


class Findings(Protocol):
    """Reads and changes findings."""

    def keys_of(self, status: Status) -> Iterable[tuple[FindingTarget, str]]:
        """List the target and the id of each finding with a status."""

    def applied_since(self, since: str) -> Iterable[tuple[FindingTarget, str]]:
        """List the target and the id of each finding with a fix that was applied since a time."""

    def findings_of(self, target: FindingTarget) -> StoredFindings:
        """Return every recorded finding of a function or a role."""

    def put_finding(self, change: Change) -> None:
        """Write one finding. ConflictError if it changed since it was read."""


class FirstList(Protocol):
    """The functions that the first sweep has listed."""

    def functions(self) -> Sequence[FunctionTarget] | None:
        """Return the functions, in the order of their ARNs; None if the list is not complete yet."""


class MaintenanceStore(MaintenanceStates, Baselines, Protocol):
    """Stores the state, the baseline and digests; says which functions were checked."""

    def put_digest(self, digest: Digest) -> None:
        """Store a digest, unless one with its id is stored already."""

    def unchecked(self, functions: Sequence[FunctionTarget]) -> Sequence[FunctionTarget]:
        """Return which functions were not checked in both directions."""

    def unknowns(self, functions: Sequence[FunctionTarget]) -> Sequence[str]:
        """Return what the last checks of functions could not evaluate: each rule with its reason."""


class WaitingChannels(Protocol):
    """Says for which alert channels something waits."""

    def channels(self) -> Sequence[str]:
        """Return the names of the channels for which something waits."""


class DeadLetterCounts(Protocol):
    """Counts the messages of the stack's dead-letter queues."""

    def counts(self) -> Sequence[tuple[str, int]]:
        """Return the name of each queue, and about how many messages it has."""


class DigestSender(Protocol):
    """Has digests sent."""

    def send_waiting(self, channel: str) -> None:
        """Have what waits for an alert channel sent, as far as the channel's limit allows."""

    def send_digest(self, digest_id: str) -> None:
        """Have a stored digest sent; it is sent once, however often this is called."""
