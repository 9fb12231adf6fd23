"""What a bulk evaluation did not read or evaluate, named once. Pure."""

from __future__ import annotations

from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Outcome
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.model.state import Unread
    from permission_guard.model.verdicts import Verdict


class GapKind(StrEnum):
    """Why something was not evaluated."""

    NOT_SELECTED = "not evaluated"
    """The options exclude it: the scan is complete."""
    UNREAD = "unknown"
    """It could not be read: a denied call, an error, or out of time. Exit code 3."""
    STOPPED = "stopped"
    """The scan was stopped before its end: incomplete. Exit code 3."""


@record(kw_only=True)
class Gap:
    """What was not read or not evaluated for all functions at once, named here once and not in each report.

    `what` is for sentences: `the triggers of logs.amazonaws.com`. `reason` is a sentence, and `remedy` what to do,
    empty if nothing helps. `action` is the IAM action that failed, empty if none did; `is_denied` is true if AWS denied
    it. `rules` are the ids of the rules that it concerns, sorted. `functions` is the number of functions concerned,
    None if that is all functions, or unknown.
    """

    kind: GapKind
    what: str
    reason: str
    remedy: str = ""
    action: str = ""
    is_denied: bool = False
    rules: tuple[str, ...] = ()
    functions: int | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether the scan is incomplete because of it: exit code 3."""
        return self.kind is not GapKind.NOT_SELECTED


@record
class SharedUnread:
    """A part that all functions share and that could not be read.

    `what` is for sentences. An unknown verdict is about it if its reason has the text of `unread`, and its subject
    begins with `subject`. `rules` are those that depend on it, also if they have no verdict then.
    """

    what: str
    unread: Unread
    subject: str = ""
    rules: frozenset[str] = frozenset()


class SharedUnknowns:
    """Collects the unknown verdicts that are the same for all functions. Several threads use it."""

    def __init__(self, shared: Callable[[], Iterable[SharedUnread]]) -> None:
        self._shared = shared
        self._lock = Lock()
        self._rules: dict[SharedUnread, set[str]] = {}
        self._functions: dict[SharedUnread, int] = {}

    def without(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """Return the verdicts of one function that are not about what all functions share."""
        shared = sorted(self._shared(), key=lambda one: -len(one.subject))  # the one that says most first
        kept: list[Verdict] = []
        concerned: set[SharedUnread] = set()
        for verdict in verdicts:
            about = next((one for one in shared if _is_about(verdict, one)), None)
            if about is None:
                kept.append(verdict)
                continue
            concerned.add(about)
            with self._lock:
                self._rules.setdefault(about, set()).add(verdict.rule_id)
        with self._lock:
            for one in concerned:
                self._functions[one] = self._functions.get(one, 0) + 1
        return tuple(kept)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read, also if no verdict depended on it."""
        with self._lock:
            return tuple(
                Gap(
                    kind=GapKind.UNREAD,
                    what=one.what,
                    reason=f"{one.unread}.".replace("..", "."),
                    remedy=f"Allow {one.unread.action}." if one.unread.denied and _is_denial(one.unread) else "",
                    action=one.unread.action,
                    is_denied=one.unread.denied and _is_denial(one.unread),
                    rules=tuple(sorted(self._rules.get(one, set()) | one.rules)),
                    functions=self._functions.get(one),
                )
                for one in self._shared()
            )


def _is_about(verdict: Verdict, shared: SharedUnread) -> bool:
    return (
        verdict.outcome is Outcome.UNKNOWN
        and str(shared.unread) in verdict.reason
        and (verdict.subject or "").startswith(shared.subject)
    )


def _is_denial(unread: Unread) -> bool:
    """Return whether a permission is missing: other permanent errors count as denied too."""
    return "denied" in unread.code.lower() or unread.code in ("UnauthorizedOperation", "AuthorizationError")
