"""Fixing: from an event of the bus to the policy that is attached, and to the finding that says so."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import FixRecord, FixResult, Status, Transition
from tests.fakes import FUNCTION_ARN, ROLE_ARN, SQS_POLICY_ARN, allow
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account


@pytest.fixture
def broken(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account in which a function may not read its queue, and in which that was found."""
    account.make_role()
    account.make_function(team="orders")
    account.attach_new_policy(allow("logs:*"))
    account.map_queue()
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    monkeypatch.setenv("FIX_MODE", "auto")
    return account


def event(finding: Finding, detail_type: str | None = None) -> dict[str, Any]:
    """Return the event of the bus that tells of a finding."""
    return {
        "source": "permission-guard",
        "detail-type": detail_type or finding.transition,
        "detail": finding.to_document(),
    }


def fix_of(account: Account) -> FixRecord:
    """Return what is recorded of the fix."""
    assert account.finding.fix is not None
    return account.finding.fix


def test_the_policy_is_attached_and_the_finding_says_what_was_done(broken: Account) -> None:
    """Before, after, and the way back; then the checker resolves it."""
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert run.failed == []
    assert sorted(broken.attached()) == sorted([*before, SQS_POLICY_ARN])
    fix = fix_of(broken)
    assert fix.result is FixResult.APPLIED
    assert (fix.before["attached_policies"], fix.after["attached_policies"]) == (before, sorted(broken.attached()))
    assert broken.finding.transition is Transition.FIX_APPLIED
    line = run.line(f"attach {SQS_POLICY_ARN} to {ROLE_ARN}")
    assert (line["result"], line["undo"], line["finding_id"]) == ("applied", fix.undo, broken.finding.id)
    assert run.counts == {"MessagesReceived": 1, "FixesApplied": 1}
    broken.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    assert broken.finding.status is Status.RESOLVED
    assert broken.finding.fix == fix


def test_attaching_is_the_only_write_to_iam(broken: Account) -> None:
    """One, and the reads that the plan and its verification take."""
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    writes = [call for call in run.calls if not call.split(":")[1].startswith(("Get", "List", "Query"))]
    assert writes == ["dynamodb:UpdateItem", "dynamodb:PutItem", "iam:AttachRolePolicy", "dynamodb:PutItem"]


def test_the_undo_command_takes_it_back(broken: Account) -> None:
    """Read as a shell reads it, it names the role and the policy."""
    before = broken.attached()
    broken.run("apply_fix", sqs_event(event(broken.finding)))
    words = shlex.split(fix_of(broken).undo)
    assert words[:3] == ["aws", "iam", "detach-role-policy"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    broken.iam.detach_role_policy(RoleName=options["--role-name"], PolicyArn=options["--policy-arn"])
    assert broken.attached() == before


def test_the_same_event_twice_in_one_batch_is_one_fix(broken: Account) -> None:
    """What the event says is not asked again: the table knows."""
    logged = event(broken.finding)
    run = broken.run("apply_fix", sqs_event(logged, logged))
    assert run.failed == []
    assert run.calls.count("iam:AttachRolePolicy") == 1
    assert run.counts["FixesApplied"] == 1
    assert "result" not in run.line("it was handled before: Fix Applied")


@pytest.mark.parametrize("mode", ["off", "plan", "approve"])
def test_nothing_is_attached_unless_the_mode_or_a_person_says_so(
    broken: Account, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Off says nothing, the other two say what would be done."""
    monkeypatch.setenv("FIX_MODE", mode)
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert broken.attached() == before
    assert "iam:AttachRolePolicy" not in run.calls
    assert (broken.finding.fix is None) is (mode == "off")


def test_a_person_approves_with_the_command_that_the_proposal_has(
    broken: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event that the command puts is what the function takes."""
    monkeypatch.setenv("FIX_MODE", "approve")
    broken.run("apply_fix", sqs_event(event(broken.finding)))
    words = shlex.split(fix_of(broken).approve)
    (entry,) = json.loads(words[words.index("--entries") + 1])
    approval = {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
    }
    run = broken.run("apply_fix", sqs_event(approval))
    assert run.failed == []
    assert SQS_POLICY_ARN in broken.attached()
    assert fix_of(broken).result is FixResult.APPLIED


def test_an_event_cannot_say_what_is_to_be_attached_or_to_which_role(broken: Account) -> None:
    """Of the event only the names are used; the plan comes from the table and from AWS."""
    forged = event(broken.finding)
    forged["detail"]["evidence"] = {
        "role_arn": "arn:aws:iam::123456789012:role/admin",
        "managed_policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess",
    }
    broken.run("apply_fix", sqs_event(forged))
    assert SQS_POLICY_ARN in broken.attached()
    assert "arn:aws:iam::aws:policy/AdministratorAccess" not in broken.attached()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"permission-guard:fix": "never"}, "is tagged permission-guard:fix=never"),
        ({"aws:cloudformation:stack-name": "shop"}, "belongs to the CloudFormation stack shop"),
    ],
)
def test_what_a_tag_forbids_is_refused_and_said(broken: Account, tags: dict[str, str], reason: str) -> None:
    """The tag is read at the moment of the fix."""
    broken.lambda_.tag_resource(Resource=FUNCTION_ARN, Tags=tags)
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert run.failed == []
    assert broken.attached() == before
    assert broken.finding.transition is Transition.FIX_REFUSED
    assert reason in fix_of(broken).summary
    assert run.counts["FixesRefused"] == 1


def test_what_was_mended_meanwhile_is_left_alone(broken: Account) -> None:
    """Somebody was quicker."""
    broken.iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert "result" not in run.line("it is right already")
    assert "iam:AttachRolePolicy" not in run.calls
    assert broken.finding.fix is None


def test_a_fix_that_was_interrupted_is_finished_by_the_next_try(broken: Account) -> None:
    """The intent is in the table; the message comes again."""
    found = broken.finding
    intent = FixRecord(
        name="attach-managed-policy",
        result=FixResult.APPLYING,
        summary="attach it",
        at=found.opened_at,
        attempts=1,
        change={"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN},
        before={"role_arn": ROLE_ARN, "attached_policies": broken.attached()},
        undo="aws iam detach-role-policy",
    )
    broken.table.put_finding(Change(replace(found, fix=intent), found.revision))
    assert broken.run("apply_fix", sqs_event(event(found))).failed == []
    assert SQS_POLICY_ARN in broken.attached()
    assert (fix_of(broken).result, fix_of(broken).attempts) == (FixResult.APPLIED, 2)
    assert fix_of(broken).before == intent.before


def test_an_event_of_a_finding_that_does_not_exist_changes_nothing(broken: Account) -> None:
    """Anybody may put an event on the bus."""
    detail = {"id": "0" * 32, "function_arn": FUNCTION_ARN, "revision": 1}
    forged = {"source": "permission-guard", "detail-type": "Fix Approved", "detail": detail}
    nonsense = {**forged, "detail": {"id": "x", "function_arn": "orders"}}
    run = broken.run("apply_fix", sqs_event(forged, nonsense))
    assert run.failed == ["m1"]
    assert run.line("there is no such finding")["finding_id"] == "0" * 32
    assert "iam:AttachRolePolicy" not in run.calls
