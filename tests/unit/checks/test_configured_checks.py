"""What the configuration changes in a check: rules, severities, exclusions, exceptions and tags."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest, CheckResult
from permission_guard.config.destinations import Route
from permission_guard.config.document import ExceptionEntry, Exclusion, FunctionTags, GuardConfig, RuleConfig
from permission_guard.model.findings import Status
from permission_guard.model.state import Unread
from permission_guard.model.suppressions import SuppressedBy
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Severity
from permission_guard.rules.configured import configured
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import (
    SQS_POLICY,
    TARGET,
    Clock,
    InMemoryFindings,
    InMemoryState,
    a_role,
    polling,
)

EXCEPTION = ExceptionEntry(
    id="known",
    rules=("PG201",),
    reason="Known.",
    owner="team web",
    expires=datetime.fromisoformat("2026-12-31T00:00:00+00:00"),
    functions=("orders",),
)
BY_TAG = {"permission-guard:ignore": "PG201", "permission-guard:ignore-until": "2026-12-31"}
UNREAD = Unread("lambda:ListTags", "AccessDenied", "no", denied=True)


class Account:
    """A function that cannot read its queue."""

    def __init__(self) -> None:
        self.store, self.state = InMemoryFindings(), InMemoryState(polling(a_role()))
        self.tag_reads = 0

    def check(self, config: GuardConfig | None = None, **request: Any) -> CheckResult:
        """Check the function with a configuration."""
        config = config or GuardConfig()
        rules = configured([EventSourceReadMissing], config)
        scope, reads = Direction.EXECUTION_ROLE, self.state.tags

        def tags(target: Any) -> Any:
            self.tag_reads += 1
            return reads(target)

        self.state.tags = tags  # type: ignore[method-assign]
        checker = Checker(
            scope, rules, self.state, self.store, Clock(), users=self.store, config=config, grace_period=False
        )
        result = checker.check(TARGET, checker.start(TARGET), CheckRequest(**request))
        self.state.tags = reads  # type: ignore[method-assign]
        return result


def test_an_exception_suppresses_the_finding_and_its_removal_opens_it() -> None:
    """At the next check of the function, without its tags, which are read with the owner of a new finding."""
    account = Account()
    account.check(GuardConfig(exceptions=(EXCEPTION,)))
    assert (account.store.one().status, account.tag_reads) == (Status.SUPPRESSED, 1)
    account.check()
    assert (account.store.one().status, account.tag_reads) == (Status.OPEN, 1)


def test_a_function_s_tags_suppress_its_finding_where_the_configuration_allows_it() -> None:
    """They are read for a function with a violation, and only then; without this, for a new finding only."""
    account = Account()
    account.state.function_tags = BY_TAG
    allowed = GuardConfig(function_tags=FunctionTags(enabled=True))
    account.check()
    account.check()
    assert (account.store.one().status, account.tag_reads) == (Status.OPEN, 1)
    account.check(allowed)
    suppression = account.store.one().suppression
    assert suppression
    assert (suppression.by, account.tag_reads) == (SuppressedBy.FUNCTION_TAG, 2)
    account.state.function_tags = UNREAD
    account.check(allowed)
    assert account.store.one().status is Status.SUPPRESSED
    account.state.function_tags = {}
    account.check(allowed)
    assert account.store.one().status is Status.OPEN
    account.state.state = polling(a_role(SQS_POLICY))
    before = account.tag_reads
    account.check(allowed)
    assert account.tag_reads == before


def test_a_finding_records_the_tags_that_name_its_owner_and_those_of_routes() -> None:
    """As they are when it opens and at each full check. Unread ones, and checks that read none, change nothing."""
    account = Account()
    routed = GuardConfig(routes=(Route(id="prod", tags={"stage": "prod"}, channels=("sns",)),))
    account.state.function_tags = {"team": "shop", "stage": "prod", "cost": "7"}
    account.check(routed)
    assert account.store.one().tags == {"stage": "prod", "team": "shop"}
    assert account.store.one().owner == "shop"
    account.state.function_tags = {"owner": "alice@example.com", "team": "shop"}
    account.check(routed)
    assert (account.store.one().owner, account.tag_reads) == ("shop", 1)
    account.check(routed, full=True)
    assert account.store.one().tags == {"owner": "alice@example.com", "team": "shop"}
    account.state.function_tags = UNREAD
    assert account.check(routed, full=True).unread == (UNREAD,)
    assert (account.store.one().owner, account.store.one().revision) == ("alice@example.com", 1)
    account.state.function_tags = {}
    account.check(routed, full=True)
    assert account.store.one().owner == ""


def test_a_disabled_rule_is_not_evaluated_and_its_finding_is_resolved() -> None:
    """It opens again when the rule is enabled."""
    account = Account()
    account.check()
    account.check(GuardConfig(rules={"PG201": RuleConfig(enabled=False)}))
    assert account.store.one().resolution == "The rule PG201 is disabled in the configuration."
    account.check()
    assert account.store.one().status is Status.OPEN


def test_the_configured_severity_is_that_of_new_and_recorded_findings() -> None:
    """Whatever the rule says."""
    account = Account()
    for severity in (Severity.CRITICAL, Severity.LOW):
        account.check(GuardConfig(rules={"PG201": RuleConfig(severity=severity)}))
        assert account.store.one().severity is severity
    assert account.store.one().revision == 1


def test_while_the_tags_that_could_exclude_a_function_are_unread_nothing_changes() -> None:
    """The message stays in the queue, and what is recorded stays as it is."""
    account = Account()
    account.check()
    account.state.function_tags = UNREAD
    account.state.state = polling(a_role(SQS_POLICY))
    result = account.check(GuardConfig(exclusions=(Exclusion(reason="A test.", tags={"stage": "dev"}),)))
    assert (result.report.verdicts, result.unread) == ((), (UNREAD,))
    assert account.store.one().status is Status.OPEN


def test_tags_that_an_exception_needs_and_cannot_be_read_are_read_again() -> None:
    """The finding is recorded, and the message stays in the queue."""
    account = Account()
    account.state.function_tags = UNREAD
    result = account.check(GuardConfig(function_tags=FunctionTags(enabled=True)))
    assert (result.unread, account.store.one().status) == ((UNREAD,), Status.OPEN)


@pytest.mark.parametrize(
    "exclusion", [Exclusion(reason="A test.", functions=("ord*",)), Exclusion(reason="A test.", tags={"stage": "dev"})]
)
def test_an_excluded_function_is_not_evaluated(exclusion: Exclusion) -> None:
    """Its findings are resolved with the reason, and its role stays in the index."""
    account = Account()
    account.state.function_tags = {"stage": "dev"}
    account.check()
    result = account.check(GuardConfig(exclusions=(exclusion,)))
    assert result.report.verdicts == ()
    assert account.store.one().resolution == "The configuration excludes the function: A test."
    assert any(TARGET in users for users in account.store.users.values())


def test_only_the_first_sweep_s_checks_open_findings_of_the_baseline() -> None:
    """Those of an event do not."""
    account = Account()
    account.check(baseline=True)
    assert account.store.one().baseline
    other = Account()
    other.check()
    assert not other.store.one().baseline


def test_a_finding_names_who_changed_it_from_where_and_with_what() -> None:
    """The first question of a developer."""
    account = Account()
    account.check(
        changed_by="arn:aws:iam::123456789012:user/jo", changed_from="203.0.113.7", changed_with="Terraform/1.9"
    )
    finding = account.store.one()
    assert (finding.changed_from, finding.changed_with) == ("203.0.113.7", "Terraform/1.9")
    assert finding.history[-1].by == "arn:aws:iam::123456789012:user/jo"
