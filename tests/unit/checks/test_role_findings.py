"""A finding about a role is recorded by the checks of its first function, and resolved when none uses the role."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest
from permission_guard.config.document import ExceptionEntry, Exclusion, GuardConfig
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.findings import Finding, Status
from permission_guard.model.state import Snapshot
from permission_guard.model.targets import Direction, FunctionTarget, NamedRole, RoleTarget
from permission_guard.rules.execution_role.role_shared import RoleShared
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad
from tests.fakes import (
    ACCOUNT,
    DENIED,
    ROLE_ARN,
    ROLE_TARGET,
    TARGET,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_function,
    a_role,
)

if TYPE_CHECKING:
    from permission_guard.checks.requests import CheckResult
    from permission_guard.model.state import Role

FIRST, SECOND, THIRD = (replace(TARGET, name=name) for name in ("alpha", "beta", "gamma"))
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/other"
ANYONE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Open", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
BROAD = replace(a_role(), trust_policy=parse_policy(ANYONE))


class Account:
    """An account in which functions use roles."""

    def __init__(self, config: GuardConfig | None = None, *, is_complete: bool = True) -> None:
        self.store = InMemoryFindings(is_complete=is_complete)
        self.role: Role = BROAD
        self.config = config or GuardConfig()
        self.ends_early = False
        """Whether checks end after they were recorded."""
        self.redelivered = False

    def check(self, target: FunctionTarget, role_arn: str = ROLE_ARN, *, full: bool = False) -> CheckResult:
        """Check a function that uses a role."""
        function = a_function(target, role_arn)
        role = self.role if role_arn == ROLE_ARN else a_role(arn=role_arn)
        snapshot = Snapshot(target, function, versions={target.arn: function}, roles={role_arn: role})
        return self.check_state(target, snapshot, full=full)

    def delete(self, target: FunctionTarget) -> CheckResult:
        """Check a function that was deleted."""
        return self.check_state(target, Snapshot(target, None))

    def check_state(self, target: FunctionTarget, snapshot: Snapshot, *, full: bool = False) -> CheckResult:
        """Check a function in a state."""
        rules = [rule(TrustSet(frozenset())) for rule in (RoleTrustTooBroad, RoleShared)]
        state = InMemoryState(snapshot)
        scope = Direction.EXECUTION_ROLE
        checker = Checker(
            scope, rules, state, self.store, Clock(), users=self.store, config=self.config, grace_period=False
        )
        request = CheckRequest(full=full, redelivered=self.redelivered)
        result = checker.check(target, checker.start(target), request)
        return result if self.ends_early else checker.resolve_unused_roles(result, request)

    def of_role(self, rule_id: str, role_arn: str = ROLE_ARN) -> Finding:
        """Return the only finding of a rule about a role."""
        findings = self.store.findings_of(NamedRole(role_arn)).findings
        (found,) = [finding for finding in findings if finding.rule_id == rule_id]
        return found


def test_each_role_has_one_finding_whatever_the_order_of_the_checks() -> None:
    """It is that of the role, and names its functions."""
    account = Account()
    for target in (SECOND, FIRST, THIRD):
        related = account.check(target).related
        for other in related:
            account.check(other, full=True)
    assert {arn for arn, _ in account.store.documents} == {ROLE_ARN}
    assert account.of_role("PG208").status is Status.OPEN
    shared = account.of_role("PG209")
    assert (shared.functions, shared.function_count) == ((FIRST.arn, SECOND.arn, THIRD.arn), 3)
    assert shared.function_arn == ""


def test_the_check_of_another_function_reads_no_finding_of_the_role() -> None:
    """The first one records it; an unchanged check of that one reads none either."""
    account = Account()
    account.check(FIRST)
    account.check(SECOND)
    account.check(FIRST, full=True)
    before = account.store.queries
    for target in (FIRST, SECOND):
        for full in (True, False, True):
            account.check(target, full=full)
    assert account.store.queries == before


def test_a_change_of_the_role_is_recorded_by_its_first_function() -> None:
    """The event of the role leads to checks of all its functions."""
    account = Account()
    for target in (FIRST, SECOND):
        account.check(target)
    account.role = a_role()
    account.check(SECOND)
    assert account.of_role("PG208").status is Status.OPEN
    account.check(FIRST)
    assert account.of_role("PG208").status is Status.RESOLVED


def test_a_finding_stays_when_its_first_function_leaves_the_role() -> None:
    """The next function takes it over, with the same id."""
    account = Account()
    for target in (FIRST, SECOND, THIRD):
        account.check(target)
    account.check(FIRST, full=True)
    known = account.of_role("PG209").id
    left = account.check(FIRST, OTHER_ROLE)
    assert left.related == (SECOND,)
    account.check(SECOND, full=True)
    assert (account.of_role("PG209").id, account.of_role("PG209").status) == (known, Status.OPEN)
    assert account.of_role("PG209").functions == (SECOND.arn, THIRD.arn)
    account.role = a_role()
    account.check(SECOND)
    assert account.of_role("PG208").status is Status.RESOLVED


@pytest.mark.parametrize("is_complete", [True, False])
def test_findings_of_a_role_that_no_function_uses_are_resolved(*, is_complete: bool) -> None:
    """The last function was deleted, or has another role."""
    account = Account(is_complete=is_complete)
    account.check(FIRST, full=True)
    account.check(SECOND, full=True)
    account.check(FIRST, full=True)
    account.delete(FIRST)
    account.check(SECOND, full=True)
    assert account.of_role("PG208").status is Status.OPEN
    assert account.of_role("PG209").status is Status.RESOLVED
    result = account.check(SECOND, OTHER_ROLE)
    assert account.of_role("PG208").resolution == "No function uses the role."
    assert [change.finding.rule_id for change in result.changes if change.finding.role_arn == ROLE_ARN] == ["PG208"]


def test_what_a_check_that_ended_early_did_not_resolve_the_next_one_does() -> None:
    """It had recorded that the function left the role. Whatever leads to the next check: once is enough."""
    account = Account()
    account.check(FIRST)
    account.ends_early = True
    account.delete(FIRST)
    assert account.of_role("PG208").status is Status.OPEN
    account.delete(FIRST)
    assert account.of_role("PG208").status is Status.RESOLVED
    queries = account.store.queries
    account.delete(FIRST)
    assert account.store.queries == queries


def test_a_role_that_a_function_left_and_uses_again_keeps_its_finding() -> None:
    """Its check ended early in between."""
    account = Account()
    account.check(FIRST)
    account.ends_early = True
    account.check(FIRST, OTHER_ROLE)
    account.ends_early = False
    account.check(FIRST)
    assert account.of_role("PG208").status is Status.OPEN


def test_a_redelivered_request_has_the_other_functions_of_its_role_checked() -> None:
    """An earlier try may have recorded that the function uses the role, and have ended before it requested that."""
    account = Account()
    account.check(FIRST)
    account.check(SECOND)
    assert account.check(SECOND).related == ()
    account.redelivered = True
    assert account.check(SECOND).related == (FIRST,)


def test_a_function_that_cannot_be_read_still_records_the_findings_of_its_role() -> None:
    """Its configuration was denied once; the next event of the role is recorded by it, as before."""
    account = Account()
    account.check(FIRST)
    account.check(SECOND)
    unread = Snapshot(FIRST, DENIED)
    account.check_state(FIRST, unread, full=True)
    assert account.of_role("PG208").status is Status.OPEN
    account.role = a_role()
    account.check(FIRST)
    assert account.of_role("PG208").status is Status.RESOLVED


def test_two_last_functions_that_leave_at_the_same_time_leave_no_finding() -> None:
    """Each is removed from the index before it looks for others."""
    account = Account()
    for target in (FIRST, SECOND):
        account.check(target)
    account.delete(SECOND)
    account.delete(FIRST)
    assert account.of_role("PG208").status is Status.RESOLVED
    assert account.store.users == {ROLE_TARGET: set()}


def test_an_excluded_function_does_not_record_the_findings_of_a_role_that_others_use() -> None:
    """Only if all of its functions are excluded is the role not evaluated."""
    excluded = GuardConfig(exclusions=(Exclusion(reason="A sandbox.", functions=("alpha",)),))
    account = Account(excluded)
    for target in (FIRST, SECOND):
        account.check(target, full=True)
    assert account.of_role("PG208").status is Status.OPEN
    account.config = GuardConfig(exclusions=(Exclusion(reason="A sandbox.", functions=("*a",)),))
    account.check(FIRST, full=True)
    assert account.of_role("PG208").resolution == "The configuration excludes the function: A sandbox."


def test_an_exclusion_of_the_first_function_hands_the_role_over_at_once() -> None:
    """Its next check, of whatever cause, resolves nothing that concerns the other functions."""
    account = Account()
    for target in (FIRST, SECOND):
        account.check(target, full=True)
    account.check(FIRST, full=True)
    account.config = GuardConfig(exclusions=(Exclusion(reason="A sandbox.", functions=("alpha",)),))
    result = account.check(FIRST)
    assert account.of_role("PG208").status is Status.OPEN
    assert result.related == (SECOND,)
    account.check(SECOND, full=True)
    account.role = a_role()
    account.check(SECOND)
    assert account.of_role("PG208").status is Status.RESOLVED


def test_a_finding_that_an_event_opens_names_the_functions_of_the_role() -> None:
    """So an exception for them applies from the start."""
    account = Account()
    account.role = a_role()
    for target in (FIRST, SECOND):
        account.check(target, full=True)
    account.check(FIRST, full=True)
    account.role = BROAD
    expires = datetime.fromisoformat("2026-12-31T00:00:00+00:00")
    entry = ExceptionEntry(
        id="known", rules=("PG208",), functions=("alpha", "beta"), reason="Known.", owner="web", expires=expires
    )
    account.config = GuardConfig(exceptions=(entry,))
    account.check(FIRST)
    assert account.of_role("PG208").functions == (FIRST.arn, SECOND.arn)
    assert account.of_role("PG208").status is Status.SUPPRESSED


def test_a_role_that_was_created_again_under_another_path_leaves_no_finding() -> None:
    """Events and the index name roles without their path."""
    account = Account()
    account.check(FIRST)
    account.check(SECOND)
    account.check(FIRST, full=True)
    account.check(FIRST, ROLE_ARN.replace("service-role/", ""))
    assert account.of_role("PG208").resolution == "No function uses the role."


def test_a_role_of_another_path_is_another_role() -> None:
    """Events name roles without their path, findings with it."""
    account = Account()
    account.check(FIRST)
    other = ROLE_ARN.replace("service-role/", "")
    account.check(SECOND, other)
    assert account.store.findings_of(NamedRole(other)).findings == ()
    assert account.store.users[RoleTarget(ACCOUNT, "orders-role")] == {FIRST, SECOND}
