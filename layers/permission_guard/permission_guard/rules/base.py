"""What every rule is: one class whose attributes are its metadata and whose docstring is its documentation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from permission_guard.errors import UnknownStateError
from permission_guard.model.state import Snapshot, Unread
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.model.targets import JSON, Direction


T = TypeVar("T")


class Rule(ABC):
    """A question about a function's permissions.

    The docstring has the sections *What it flags*, *Why it matters*, *How to fix*, *Fix safety*, *Limits* and
    *References*; `docs/rules/` is generated from them. `reads` names the IAM actions that the rule depends on.
    `offline` is false where policies alone are not enough: the rule reads what else exists in the account.
    `grace_period` is true where a violation right after a change may be only a step of a deployment, or IAM that has
    not propagated yet: it is reported when it is still there after the grace period. `full_check_only` is true where
    the rule reads other functions: it is skipped in checks that a change of this function alone has caused.
    `of_denied_calls` is true where the rule is about calls that AWS denied: their function may not exist.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    direction: ClassVar[Direction]
    offline: ClassVar[bool] = True
    grace_period: ClassVar[bool] = False
    full_check_only: ClassVar[bool] = False
    of_denied_calls: ClassVar[bool] = False
    reads: ClassVar[frozenset[str]]

    def __init__(self, trust: TrustSet) -> None:
        self.trust = trust

    @abstractmethod
    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each subject of the function, which exists, unless the rule is `of_denied_calls`.

        A subject that is not mentioned does not exist. UnknownStateError when the subjects cannot be listed.
        """

    def violation(
        self,
        *,
        function_arn: str,
        subject: str,
        title: str,
        reason: str,
        impact: str,
        evidence: Mapping[str, JSON],
        remedies: tuple[Remedy, ...],
        severity: Severity | None = None,
    ) -> Verdict:
        """Return the verdict that something is wrong; `severity` where it is not the rule's own."""
        return Verdict(
            rule_id=self.id,
            function_arn=function_arn,
            subject=subject,
            outcome=Outcome.VIOLATION,
            title=title,
            reason=reason,
            impact=impact,
            evidence=evidence,
            remedies=remedies,
            severity=severity,
        )

    def passed(self, function_arn: str, subject: str, reason: str) -> Verdict:
        """Return the verdict that a subject is all right."""
        return Verdict(
            rule_id=self.id,
            function_arn=function_arn,
            subject=subject,
            outcome=Outcome.PASS,
            reason=reason,
        )

    def unknown(self, function_arn: str, subject: str | None, reason: str) -> Verdict:
        """Return the verdict that nobody can tell; without a subject it speaks of all of them."""
        return Verdict(
            rule_id=self.id,
            function_arn=function_arn,
            subject=subject,
            outcome=Outcome.UNKNOWN,
            reason=reason,
        )


def known(part: T | Unread) -> T:
    """Return a part of the snapshot that was read; UnknownStateError when it was not."""
    if isinstance(part, Unread):
        raise UnknownStateError(str(part))
    return part
