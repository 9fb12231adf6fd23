"""`permission-guard scan --show-policy` and `--check-access`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from permission_guard.model.access import Access, Decision
from tests.fake_scans import FakeAccounts
from tests.fakes import ACCOUNT

if TYPE_CHECKING:
    from typing import Any

MEMBER = "111122223333"


def policy(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """Return the actions of the policy that is printed."""
    accounts = FakeAccounts(problem=AssertionError("AWS was called"), region="")
    done = accounts.scan(monkeypatch, "--show-policy", *words)
    assert done.exit_code == 0
    (statement,) = json.loads(done.stdout)["Statement"]
    return statement["Action"]


def test_the_selected_rules_decide_what_the_policy_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials and without a region."""
    few, all_of_them = policy(monkeypatch, "--rule", "PG102"), policy(monkeypatch)
    assert "lambda:GetPolicy" in few
    assert "iam:GetAccountAuthorizationDetails" not in few
    assert "iam:GetAccountAuthorizationDetails" in all_of_them
    assert set(few) < set(all_of_them)
    assert few == sorted(few)


def test_all_regions_and_plans_need_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 lists the regions; plans find out who owns a role."""
    few = policy(monkeypatch, "--rule", "PG102")
    assert set(policy(monkeypatch, "--rule", "PG102", "--region", "all")) - set(few) == {"ec2:DescribeRegions"}
    assert "cloudformation:DescribeStackResources" in policy(monkeypatch, "--rule", "PG102", "--plan")


def test_no_action_of_the_policy_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every option."""
    actions = policy(monkeypatch, "--full", "--plan", "--region", "all")
    verbs = ("Describe", "Get", "List", "Simulate", "GET")
    assert [one for one in actions if not one.partition(":")[2].startswith(verbs)] == []


def test_what_the_caller_of_a_role_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the policy of the role."""
    done = FakeAccounts().scan(monkeypatch, "--show-policy", "--organization", "--role-name", "audit")
    assert (
        "The caller needs sts:AssumeRole on arn:aws:iam::*:role/audit, and organizations:ListAccounts." in done.stderr
    )


@pytest.mark.parametrize(("decision", "code"), [(Decision.DENIED, 1), (Decision.UNKNOWN, 3), (Decision.ALLOWED, 0)])
def test_what_the_caller_lacks_is_named(monkeypatch: pytest.MonkeyPatch, decision: Decision, code: int) -> None:
    """Unknown is not allowed."""
    lacking = Access("lambda:GetPolicy", decision, "no policy allows it on all resources")
    accounts = FakeAccounts(access={"lambda:GetPolicy": lacking})
    done = accounts.scan(monkeypatch, "--check-access", "--rule", "PG102")
    assert done.exit_code == code
    line = f"{ACCOUNT}: {decision}: lambda:GetPolicy: no policy allows it on all resources"
    assert (line in done.stdout) == (decision is not Decision.ALLOWED)
    assert accounts.scanned == []


def test_each_account_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose role cannot be assumed is unknown."""
    accounts = FakeAccounts(members=(MEMBER, ACCOUNT), no_role=frozenset({MEMBER}))
    done = accounts.scan(monkeypatch, "--check-access", "--organization", "--role-name", "audit")
    assert done.exit_code == 3
    assert done.stderr == f"{MEMBER}: AWS denied sts:AssumeRole on arn:aws:iam::{MEMBER}:role/audit\n"
    assert f"{ACCOUNT}: " in done.stdout
