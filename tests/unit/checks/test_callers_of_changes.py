"""A check remembers who changed the function and its roles, so that a fix knows which tool manages them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.findings.callers import Caller
from permission_guard.intake.check_requests import check_request_body
from permission_guard.intake.messages import read_batch
from permission_guard.model.targets import Direction
from tests.fakes import NOW, TARGET
from tests.unit.checks.test_batch import Account, message, record

if TYPE_CHECKING:
    from tests.unit.conftest import Logged

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
SCOPE = Direction.EXECUTION_ROLE


def remembered(account: Account) -> list[Caller]:
    """Return the callers in the checkpoint of the function."""
    return list(account.store.checkpoint(TARGET, SCOPE).callers)


def test_who_changes_a_role_is_remembered_for_its_functions(logged: Logged) -> None:
    """Also all callers of one batch, and after a sweep that no event led to."""
    account = Account(logged)
    by_code = record("put_role_policy", 1, roleName="orders-role")
    by_code["detail"]["userAgent"] = TERRAFORM
    by_hand = record("put_role_policy", 2, roleName="orders-role")
    account.handle(message(0, by_code), message(1, by_hand))
    jane = by_hand["detail"]["userIdentity"]["arn"]
    assert remembered(account) == [Caller(jane, "terraform", NOW[:10]), Caller(jane, "", NOW[:10])]
    account.handle(message(2, check_request_body([TARGET])))
    assert len(remembered(account)) == 2


def test_who_makes_a_denied_call_changes_nothing(logged: Logged) -> None:
    """Whoever AWS denies a call does not manage the function, and neither does its later check."""
    account = Account(logged)
    account.handle(message(0, record("create_event_source_mapping_denied_queue")))
    assert account.store.checkpoint(TARGET, SCOPE).denied_calls
    account.handle(message(1, check_request_body([TARGET], changed_by="arn:aws:iam::123456789012:user/jane")))
    assert remembered(account) == []


def test_a_requested_check_has_the_callers_of_the_change_that_led_to_it() -> None:
    """Only a tool, a change of a role, or one of IAM says that something was changed."""
    bodies = [
        check_request_body([TARGET], tool="terraform"),
        check_request_body([TARGET], iam_change=True),
        check_request_body([TARGET], changed_by="arn:aws:iam::123456789012:user/jane"),
    ]
    event = {"Records": [message(number, body) for number, body in enumerate(bodies)]}
    assert [each.is_change for each in read_batch(event, SCOPE)] == [True, True, False]
