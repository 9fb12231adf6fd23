"""The rules as the configuration document sets them: some disabled, some with another severity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.iam import TrustSet
from permission_guard.model.verdicts import Outcome
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.config.document import GuardConfig, Trust
    from permission_guard.model.state import Snapshot
    from permission_guard.model.verdicts import Verdict


def configured(rules: Iterable[type[Rule]], config: GuardConfig) -> tuple[Rule, ...]:
    """Create the rules, with the trusted accounts and organizations.

    A disabled rule remains in the list: it evaluates nothing, and a check resolves its open findings.
    """
    trust = trust_set(config.trust)
    return tuple(_configured(rule, config)(trust) for rule in rules)


def trust_set(trust: Trust) -> TrustSet:
    """Return the trusted accounts and organizations for the rules."""
    return TrustSet(accounts=frozenset(trust.accounts), organizations=frozenset(trust.organizations))


def _configured(rule: type[Rule], config: GuardConfig) -> type[Rule]:
    given = config.rules.get(rule.id)
    if given is None:
        return rule
    if not given.enabled:
        resolution = f"The rule {rule.id} is disabled in the configuration."
        return type(rule.__name__, (_Disabled, rule), {"resolution": resolution})
    if given.severity is not None:
        return type(rule.__name__, (_Overridden, rule), {"severity": given.severity})
    return rule


class _Disabled(Rule):
    """A rule that evaluates nothing."""

    full_check_only = False
    of_denied_calls = False
    of_function_state = False
    of_inventories = False

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:  # noqa: ARG002 - nothing is evaluated
        """Yield nothing."""
        yield from ()


class _Overridden(Rule):
    """A rule whose findings all have the severity of the configuration."""

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield the verdicts of the rule."""
        for verdict in super().check(snapshot):  # type: ignore[safe-super] # of the rule, which is the next class
            is_problem = verdict.outcome is Outcome.VIOLATION
            yield replace(verdict, severity=self.severity) if is_problem else verdict
