"""Which findings a person asks for: by status, rule, severity, and the name of the function or role."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from permission_guard.cli.rule_options import rule_named, rules_named
from permission_guard.iam.arn import function_name
from permission_guard.iam.glob import compile_glob
from permission_guard.model.findings import Status
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.model.findings import Finding

_RULE_ID = re.compile(r"PG\d{3}", re.ASCII)
_LONGEST_PATTERN = 200


class Statuses(StrEnum):
    """The statuses that a list has."""

    OPEN = "open"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"
    ALL = "all"


@record
class Filters:
    """What findings must match. `rules` are ids, none for every rule."""

    status: Statuses
    rules: frozenset[str]
    severity: Severity
    function: Callable[[str], bool] | None
    role: Callable[[str], bool] | None

    @classmethod
    def of(
        cls, status: Statuses, rules: Sequence[str], severity: Severity, function: str | None, role: str | None
    ) -> Self:
        """Return the filters that options name. ValueError in plain words if one is not valid."""
        if function is not None and role is not None:
            raise ValueError("--function and --role exclude each other: a finding is about a function or about a role")
        return cls(
            status,
            frozenset(map(_rule_id, rules)),
            severity,
            _matcher("--function", function),
            _matcher("--role", role),
        )

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses to read."""
        return tuple(Status) if self.status is Statuses.ALL else (Status(self.status),)

    @property
    def what(self) -> str:
        """The findings that are asked for, as a plural."""
        kind = "" if self.status is Statuses.ALL else f"{self.status} "
        is_narrower = self.rules or self.severity is not Severity.LOW or self.function or self.role
        return f"{kind}findings{' that match' if is_narrower else ''}"

    def matches(self, finding: Finding) -> bool:
        """Return whether a finding is asked for."""
        severities = list(Severity)
        return (
            finding.status in self.statuses
            and (not self.rules or finding.rule_id in self.rules)
            and severities.index(finding.severity) >= severities.index(self.severity)
            and (self.function is None or any(map(self.function, _functions(finding))))
            and (self.role is None or self.role(finding.role_arn.rpartition("/")[2]))
        )


def _functions(finding: Finding) -> Sequence[str]:
    """Return the names of the functions that a finding is about, or that use its role."""
    arns = finding.functions if finding.role_arn else (finding.function_arn,)
    return [function_name(arn) for arn in arns if ":function:" in arn]


def _rule_id(text: str) -> str:
    if rule_named(text) is None and _RULE_ID.fullmatch(text.upper()):
        return text.upper()  # of another version
    (found,) = rules_named("--rule", [text])
    return found


def _matcher(option: str, pattern: str | None) -> Callable[[str], bool] | None:
    if pattern is None:
        return None
    if not pattern or len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"{option} requires a name, or a pattern with * and ?, of 1 to {_LONGEST_PATTERN} characters")
    return compile_glob(pattern).matches
