"""A published version with the same problem as the function itself has no finding of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.checks.checker import Checker
from permission_guard.config.document import ExceptionEntry, GuardConfig
from permission_guard.findings.lifecycle import suppressed
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.findings import Status
from permission_guard.model.state import ResourcePolicy, Snapshot
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.targets import Direction
from permission_guard.rules.invoke_policy.public_invoke import PublicInvoke
from tests.fakes import FUNCTION_ARN, NOW, TARGET, Clock, InMemoryFindings, InMemoryState, a_function

SUPPRESSION = Suppression(by=SuppressedBy.PERSON, reason="Known.", owner="jo", until="2026-12-01T00:00:00+00:00")


def policy_of(qualifier: str = "", **more: Any) -> ResourcePolicy:
    """Return a policy that allows anyone to invoke a function, a version or an alias."""
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    statement = {"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn}
    return ResourcePolicy(
        arn, qualifier or None, parse_policy({"Version": "2012-10-17", "Statement": [{**statement, **more}]})
    )


class Account:
    """A function with policies."""

    def __init__(self, *policies: ResourcePolicy) -> None:
        self.store = InMemoryFindings()
        self.state = InMemoryState(Snapshot(TARGET, a_function(), resource_policies=policies))

    def check(self, config: GuardConfig | None = None) -> dict[str, Status]:
        """Check the function; return the status of its findings that are not resolved, by their ARN."""
        scope, rules = Direction.INVOKE_POLICY, [PublicInvoke(TrustSet(frozenset()))]
        checker = Checker(
            scope, rules, self.state, self.store, Clock(), users=self.store, config=config, grace_period=False
        )
        checker.check(TARGET, checker.start(TARGET))
        found = self.store.findings_of(TARGET).findings
        return {finding.function_arn: finding.status for finding in found if finding.status is not Status.RESOLVED}


def test_versions_with_the_same_statement_are_named_by_the_finding_of_the_function() -> None:
    """Aliases have their own: other callers use them."""
    account = Account(policy_of(), policy_of("3"), policy_of("4"), policy_of("live"))
    assert set(account.check()) == {FUNCTION_ARN, f"{FUNCTION_ARN}:live"}
    (finding,) = (one for one in account.store.findings_of(TARGET).findings if one.function_arn == FUNCTION_ARN)
    assert finding.reason.endswith("Published versions have the same problem: 3, 4.")
    assert finding.evidence["versions"] == ["3", "4"]


@pytest.mark.parametrize("more", [{"Action": "lambda:*"}, {"Sid": "other"}, {"Principal": {"AWS": "*"}}])
def test_a_version_with_another_statement_has_a_finding_of_its_own(more: dict[str, Any]) -> None:
    """It is another problem."""
    assert set(Account(policy_of(), policy_of("3", **more)).check()) == {FUNCTION_ARN, f"{FUNCTION_ARN}:3"}


def test_the_finding_of_a_version_opens_when_only_that_of_the_function_was_solved() -> None:
    """And is resolved when the function gets the same problem again."""
    account = Account(policy_of(), policy_of("3"))
    assert set(account.check()) == {FUNCTION_ARN}
    account.state.state = replace(account.state.state, resource_policies=(policy_of("3"),))
    assert set(account.check()) == {f"{FUNCTION_ARN}:3"}
    account.state.state = replace(account.state.state, resource_policies=(policy_of(), policy_of("3")))
    assert set(account.check()) == {FUNCTION_ARN}


def test_versions_keep_their_findings_beside_one_that_was_suppressed_by_itself() -> None:
    """By a person, or by an exception for a qualifier: they did not mean the versions."""
    account = Account(policy_of(), policy_of("3"))
    account.check()
    account.store.put_finding(suppressed(account.store.one(), SUPPRESSION, NOW))
    found = {FUNCTION_ARN: Status.SUPPRESSED, f"{FUNCTION_ARN}:3": Status.OPEN}
    assert account.check() == found
    entry = ExceptionEntry(
        id="known",
        rules=("PG101",),
        functions=("orders",),
        qualifiers=("$LATEST",),
        reason="Known.",
        owner="web",
        expires=Clock().now.replace(year=2027),
    )
    assert Account(policy_of(), policy_of("3")).check(GuardConfig(exceptions=(entry,))) == found


def test_many_versions_are_counted() -> None:
    """A function can have thousands."""
    account = Account(policy_of(), *(policy_of(str(number)) for number in range(1, 31)))
    account.check()
    finding = account.store.one()
    assert finding.reason.endswith("19, 20, 10 more.")
    assert (len(finding.evidence["versions"]), finding.evidence["version_count"]) == (20, 30)
