"""The base class of the rules. A rule's class attributes are its metadata, and its docstring is its documentation."""

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
    """Check one kind of problem in a function's permissions.

    The docstring of a rule has the sections *What it flags*, *Why it matters*, *How to fix*, *Fix safety*, *Limits* and
    *References*; `docs/rules/` is generated from them. `reads` names the IAM actions that the rule needs.

    - `offline` is false if the rule reads more of the account than policies.
    - `grace_period` is true if a violation right after a change can be a step of a deployment, or an IAM change that
      has not propagated. Such a violation is reported only if it still exists after the grace period.
    - `full_check_only` is true if the rule reads other functions. It is skipped in a check that a change of this
      function alone has started.
    - `of_denied_calls` is true if the rule evaluates calls that AWS denied. Their function may not exist.
    - `of_function_state` is true if the rule evaluates what AWS reports of the function. While AWS creates or updates
      the function, it is skipped in a check that another one follows.
    - `of_role` is true if a finding is about a role: whichever of its functions is checked, it is the same finding.
    - `of_inventories` is true if the rule evaluates what is set up to invoke the function, or which sources exist. An
      inventory that was read before a finding was opened must not resolve it.
    - `resolution` says why all findings of the rule are resolved, whatever the state is. Only a disabled rule has one.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    direction: ClassVar[Direction]
    offline: ClassVar[bool] = True
    grace_period: ClassVar[bool] = False
    full_check_only: ClassVar[bool] = False
    of_denied_calls: ClassVar[bool] = False
    of_function_state: ClassVar[bool] = False
    of_inventories: ClassVar[bool] = False
    of_role: ClassVar[bool] = False
    resolution: ClassVar[str] = ""
    reads: ClassVar[frozenset[str]]

    def __init__(self, trust: TrustSet) -> None:
        self.trust = trust

    @abstractmethod
    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each subject of the function.

        The function exists, unless the rule is `of_denied_calls`. A subject without a verdict does not exist.
        Raises UnknownStateError if the subjects cannot be listed.
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
        role_arn: str = "",
    ) -> Verdict:
        """Return the verdict that a subject has a problem; `severity` overrides the severity of the rule.

        `role_arn` makes it the finding of a role, as for `passed` and `unknown`.
        """
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
            role_arn=role_arn,
        )

    def passed(self, function_arn: str, subject: str, reason: str, *, role_arn: str = "") -> Verdict:
        """Return the verdict that a subject has no problem."""
        return Verdict(
            rule_id=self.id,
            function_arn=function_arn,
            subject=subject,
            outcome=Outcome.PASS,
            reason=reason,
            role_arn=role_arn,
        )

    def unknown(self, function_arn: str, subject: str | None, reason: str, *, role_arn: str = "") -> Verdict:
        """Return the verdict that the outcome is unknown, for one subject or, with None, for all subjects."""
        return Verdict(
            rule_id=self.id,
            function_arn=function_arn,
            subject=subject,
            outcome=Outcome.UNKNOWN,
            reason=reason,
            role_arn=role_arn,
        )


def known(part: T | Unread) -> T:
    """Return a part of the snapshot; raise UnknownStateError if it could not be read."""
    if isinstance(part, Unread):
        raise UnknownStateError(str(part))
    return part
