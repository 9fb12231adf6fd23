"""Fixing: an event of the bus leads to the attached policy and the recorded fix."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws import clients
from permission_guard.aws.senders import signed_requests
from permission_guard.bootstrap import configuration
from permission_guard.config.document import Fixes, GuardConfig, RuleConfig
from permission_guard.config.settings import FixMode
from permission_guard.errors import ConfigurationUnavailableError
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes.decisions import DecisionKind, DecisionRequest
from permission_guard.model.findings import FixRecord, FixResult, Status, Transition
from tests import sts
from tests.fakes import FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, SQS_POLICY_ARN, TARGET, a_finding, allow
from tests.integration.conftest import DECISIONS, LOGS_POLICY_ARN, cloudtrail, detached, sqs_event

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.integration.conftest import Account


@pytest.fixture
def broken(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a finding: a function's role is no longer allowed to read its queue."""
    account.make_role()
    account.make_function(team="orders")
    account.attach_new_policy(allow("logs:*"))
    account.iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    account.map_queue()
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    account.iam.detach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    account.run("check_execution_role", sqs_event(detached()))
    monkeypatch.setenv("FIX_MODE", "auto")
    return account


@pytest.fixture
def never_allowed(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a finding: a function's role was never allowed to read its queue."""
    account.make_role()
    account.make_function()
    account.map_queue()
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    monkeypatch.setenv("FIX_MODE", "auto")
    return account


def decide(account: Account, command: str) -> dict[str, Any]:
    """Run a command of a proposal, as a person does; return the answer of decide_fix."""
    words = shlex.split(command)
    assert words[:2] == ["permission-guard", "fixes"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    request = DecisionRequest(
        kind=DecisionKind(words[2]),
        finding_id=words[3],
        function_arn=options["--function-arn"],
        revision=int(options["--revision"]),
        plan_hash=options["--plan"],
        nonce="f" * 32,
    )
    signature = signed_requests._signature(
        boto3.Session(region_name="us-east-1"), "us-east-1", request.digest(options["--decide-fix"])
    )
    answer: dict[str, Any] = account.run("decide_fix", {**asdict(request), "signature": signature}).answer
    return answer


def event(finding: Finding, detail_type: str | None = None) -> dict[str, Any]:
    """Return the event of a finding, as the bus delivers it."""
    return {
        "source": "permission-guard",
        "detail-type": detail_type or finding.transition,
        "detail": finding.to_document(),
    }


def fix_of(account: Account) -> FixRecord:
    """Return the record of the fix."""
    assert account.finding.fix is not None
    return account.finding.fix


def test_the_policy_is_attached_and_the_finding_has_the_fix(broken: Account) -> None:
    """With the state before and after, and the undo command; then a check resolves the finding."""
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert run.failed == []
    assert sorted(broken.attached()) == sorted([*before, SQS_POLICY_ARN])
    fix = fix_of(broken)
    assert fix.result is FixResult.APPLIED
    assert (fix.before["attached_policies"], fix.after["attached_policies"]) == (before, sorted(broken.attached()))
    assert broken.finding.transition is Transition.FIX_APPLIED
    assert fix.summary.startswith(f"attach {SQS_POLICY_ARN} to {ROLE_ARN}. It restores what was removed by arn:aws:")
    line = run.line(fix.summary)
    assert (line["result"], line["undo"], line["finding_id"]) == ("applied", fix.undo, broken.finding.id)
    assert run.counts == {"MessagesReceived": 1, "FixesApplied": 1}
    broken.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    assert broken.finding.status is Status.RESOLVED
    assert broken.finding.fix == fix


def test_attaching_is_the_only_write_to_iam(broken: Account) -> None:
    """The other calls are the reads of the plan and of the verification, and the writes to the table."""
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    writes = [call for call in run.calls if not call.split(":")[1].startswith(("Get", "List", "Query"))]
    assert writes == [
        "dynamodb:UpdateItem",
        "dynamodb:TransactWriteItems",
        "iam:AttachRolePolicy",
        "dynamodb:TransactWriteItems",
    ]


LOST = "Lambda does not have required permissions to access the queue (sqs:ReceiveMessage)."


@pytest.fixture
def disabled(broken: Account) -> Account:
    """Return the account after AWS disabled the mapping. moto has one reason for every state."""
    (mapping,) = broken.lambda_.list_event_source_mappings()["EventSourceMappings"]
    broken.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    def say_why(parsed: Any, **_more: Any) -> None:
        for one in parsed.get("EventSourceMappings", [parsed]):
            if one.get("State") == "Disabled":
                one["StateTransitionReason"] = LOST

    for operation in ("ListEventSourceMappings", "GetEventSourceMapping"):
        clients.client("lambda").meta.events.register(f"after-call.lambda.{operation}", say_why)
    simulate([])  # a check asks what the organization denies, where AWS has disabled a mapping
    broken.config = replace(broken.config, fixes=Fixes(enable_mappings=True))
    return broken


def simulate(results: list[Any]) -> None:
    """Have IAM's policy simulator answer. moto has none."""

    def answer(**_more: Any) -> Any:
        return SimpleNamespace(status_code=200), {"EvaluationResults": results}

    clients.client("iam").meta.events.register("before-call.iam.SimulatePrincipalPolicy", answer)


def test_a_mapping_that_aws_disabled_is_enabled_after_the_attachment(disabled: Account) -> None:
    """Both writes name the finding. The finding resolves at the next check."""
    named: list[str] = []

    def keep(request: Any, **_more: Any) -> None:
        agent = request.headers["User-Agent"]
        agent = agent.decode() if isinstance(agent, bytes) else agent
        named.append(agent.partition(" permission-guard-finding/")[2])

    for service in ("iam", "lambda"):
        clients.client(service).meta.events.register_first(f"before-send.{service}", keep)
    run = disabled.run("apply_fix", sqs_event(event(disabled.finding)))
    assert (run.failed, fix_of(disabled).result) == ([], FixResult.APPLIED)
    assert [call for call in run.calls if call in ("iam:AttachRolePolicy", "lambda:UpdateEventSourceMapping")] == [
        *("iam:AttachRolePolicy", "lambda:UpdateEventSourceMapping"),
    ]
    (mapping,) = disabled.lambda_.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["State"] == "Enabled"
    assert (fix_of(disabled).before["mapping_state"], fix_of(disabled).after["mapping_state"]) == (
        *("Disabled", "Enabled"),
    )
    assert "The check does not pass yet" not in fix_of(disabled).summary
    assert [text.partition(" ")[0] for text in named if text] == [disabled.finding.id] * 2
    disabled.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    assert disabled.finding.status is Status.RESOLVED


def test_without_the_key_the_mapping_stays_disabled(disabled: Account) -> None:
    """Lambda is not written to at all, and the finding stays open."""
    disabled.config = replace(disabled.config, fixes=Fixes())
    run = disabled.run("apply_fix", sqs_event(event(disabled.finding)))
    assert fix_of(disabled).result is FixResult.APPLIED
    assert "lambda:UpdateEventSourceMapping" not in run.calls
    disabled.run("check_execution_role", sqs_event(cloudtrail("attach_role_policy", roleName="orders-role")))
    assert (disabled.finding.status, disabled.finding.title) == (
        *(Status.OPEN, "AWS disabled the event source mapping of orders"),
    )


def test_the_simulators_answer_is_in_the_summary(broken: Account) -> None:
    """Here the organization denies it. The fix is applied, and the finding stays open until the next check."""
    result = {"EvalActionName": "sqs:ReceiveMessage", "EvalDecision": "implicitDeny", "EvalResourceName": QUEUE_ARN}
    simulate([{**result, "OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}])
    broken.config = replace(broken.config, fixes=Fixes(simulate=True))
    broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert fix_of(broken).result is FixResult.APPLIED
    said = (
        f"IAM's policy simulator denies sqs:ReceiveMessage on {QUEUE_ARN} (the organization's policies do not allow it)"
    )
    assert said in fix_of(broken).summary


def test_the_undo_command_detaches_the_policy(broken: Account) -> None:
    """Split as a shell splits it, it has the role and the policy."""
    before = broken.attached()
    broken.run("apply_fix", sqs_event(event(broken.finding)))
    words = shlex.split(fix_of(broken).undo)
    assert words[:3] == ["aws", "iam", "detach-role-policy"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    broken.iam.detach_role_policy(RoleName=options["--role-name"], PolicyArn=options["--policy-arn"])
    assert broken.attached() == before


def test_a_repeated_event_in_one_batch_applies_one_fix(broken: Account) -> None:
    """The recorded finding decides, not the event."""
    opened = event(broken.finding)
    run = broken.run("apply_fix", sqs_event(opened, opened))
    assert run.failed == []
    assert run.calls.count("iam:AttachRolePolicy") == 1
    assert run.counts["FixesApplied"] == 1
    assert "result" not in run.line("already handled: Fix Applied")


@pytest.mark.parametrize("mode", ["off", "plan", "approve"])
def test_nothing_is_attached_without_mode_auto_or_an_approval(
    broken: Account, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Mode off does nothing; the other two propose the fix."""
    monkeypatch.setenv("FIX_MODE", mode)
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert broken.attached() == before
    assert "iam:AttachRolePolicy" not in run.calls
    assert (broken.finding.fix is None) is (mode == "off")


def approved(account: Account) -> dict[str, Any]:
    """Return the event that the publisher puts on the bus after an approval."""
    assert account.finding.transition is Transition.FIX_APPROVED
    return event(account.finding)


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_a_person_approves_with_the_command_of_the_proposal(
    never_allowed: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The record says who it was, as AWS STS proved it. Repeated events apply one fix."""
    monkeypatch.setenv("FIX_MODE", mode)
    account = never_allowed
    for _ in range(2):
        account.run("apply_fix", sqs_event(event(account.finding)))
    assert fix_of(account).result is FixResult.PROPOSED
    answer = decide(account, fix_of(account).approve)
    assert (answer["recorded"], answer["decided_by"]) == (True, sts.CALLER)
    run = account.run("apply_fix", sqs_event(approved(account), approved(account)))
    assert run.failed == []
    assert run.calls.count("iam:AttachRolePolicy") == 1
    assert SQS_POLICY_ARN in account.attached()
    assert (fix_of(account).result, fix_of(account).decided_by) == (FixResult.APPLIED, sts.CALLER)
    assert account.table.transition(TARGET, account.finding.id, 3) is not None


def test_a_decision_that_cannot_be_read_is_no_approval(
    never_allowed: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message goes to the dead-letter queue, where people see it; the others of the batch are handled."""
    monkeypatch.setenv("FIX_MODE", "approve")
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    proposed, command = account.finding, fix_of(account).approve
    decide(account, command)
    key: Any = {"finding_id": {"S": proposed.id}, "revision": {"N": str(proposed.revision)}}
    dynamodb = boto3.client("dynamodb")
    dynamodb.update_item(TableName=DECISIONS, Key=key, UpdateExpression="REMOVE decided_by")
    messages = [approved(account)]
    other = a_finding(id="f" * 32, subject="event-source-mapping/other")
    account.table.put_finding(Change(other, None))
    run = account.run("apply_fix", sqs_event(*messages, event(other)))
    assert run.failed == ["m0"]
    assert account.attached() == [LOGS_POLICY_ARN]
    assert run.line("the problem no longer exists")["finding_id"] == other.id
    answer = decide(account, command)
    assert answer == {
        "recorded": False,
        "reason": "the finding, or a decision about it, is recorded but cannot be read",
    }


def test_a_person_rejects_a_proposal(never_allowed: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is attached, and the bot does not ask again."""
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    command = fix_of(account).approve
    answer = decide(account, command.replace(" approve ", " reject "))
    assert (answer["recorded"], account.finding.transition) == (True, Transition.FIX_REJECTED)
    assert decide(account, command)["recorded"] is False
    account.run("apply_fix", sqs_event(event(account.finding)))
    assert SQS_POLICY_ARN not in account.attached()


def test_a_rule_that_is_only_planned_takes_no_approval(never_allowed: Account, server: sts.Sts) -> None:
    """A document that was deployed after the proposal counts, for who decides and for the fix."""
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    proposed = account.finding
    account.config = GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.PLAN)})
    answer = decide(account, fix_of(account).approve)
    assert answer == {"recorded": False, "reason": "rules.PG201.fix is plan: no fix of PG201 is applied"}
    assert account.finding == proposed


def test_without_a_configuration_no_decision_is_recorded(
    never_allowed: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the rule takes approvals. The caller is told what to do."""
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    proposed = account.finding

    def read() -> None:
        raise ConfigurationUnavailableError("AppConfig could not be read: denied")

    monkeypatch.setattr(configuration, "_deployed", lambda _settings: SimpleNamespace(read=read))
    assert decide(account, fix_of(account).approve) == {
        "recorded": False,
        "reason": "the stack's configuration cannot be read: run the command again in a minute",
    }
    assert account.finding == proposed


def test_without_a_proof_of_who_decided_nothing_is_recorded(never_allowed: Account, server: sts.Sts) -> None:
    """It is counted, for the alarm."""
    account = never_allowed
    account.run("apply_fix", sqs_event(event(account.finding)))
    proposed = account.finding
    request = {
        "kind": "approve",
        "finding_id": proposed.id,
        "function_arn": proposed.function_arn,
        "revision": proposed.revision,
        "plan_hash": fix_of(account).plan_hash,
        "nonce": "f" * 32,
    }
    for signature in (None, {}, {"authorization": "x", "x-amz-date": "y"}):
        run = account.run("decide_fix", {**request, "signature": signature})
        assert (run.answer["recorded"], run.counts) == (False, {"CallersUnproven": 1})
    assert account.finding == proposed
    assert server.requests == []


def test_in_mode_auto_a_role_gets_nothing_that_it_never_had(never_allowed: Account) -> None:
    """Whatever events come, and however often: the proposal waits for an approval."""
    account = never_allowed
    opened = event(account.finding)
    account.run("apply_fix", sqs_event(opened))
    assert "no check of the last day saw the role's own policies allow" in fix_of(account).summary
    for transition in Transition:
        account.run("apply_fix", sqs_event({**opened, "detail-type": transition}, event(account.finding)))
    account.run("check_execution_role", sqs_event(detached(policy=LOGS_POLICY_ARN)))
    account.run("apply_fix", sqs_event(opened, event(account.finding)))
    assert account.attached() == [LOGS_POLICY_ARN]
    assert account.finding.transition is Transition.FIX_PROPOSED


def test_an_event_cannot_choose_the_policy_or_the_role(broken: Account) -> None:
    """Only the names come from the event; the plan is made from the table and from AWS."""
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
def test_a_fix_that_a_tag_forbids_is_refused_with_the_reason(
    broken: Account, tags: dict[str, str], reason: str
) -> None:
    """The tags are read when the fix is planned."""
    broken.lambda_.tag_resource(Resource=FUNCTION_ARN, Tags=tags)
    before = broken.attached()
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert run.failed == []
    assert broken.attached() == before
    assert broken.finding.transition is Transition.FIX_REFUSED
    assert reason in fix_of(broken).summary
    assert run.counts["FixesRefused"] == 1


def test_a_problem_that_was_fixed_meanwhile_needs_no_fix(broken: Account) -> None:
    """A person attached the policy first."""
    broken.iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    run = broken.run("apply_fix", sqs_event(event(broken.finding)))
    assert "result" not in run.line("the problem no longer exists")
    assert "iam:AttachRolePolicy" not in run.calls
    assert broken.finding.fix is None


def test_an_interrupted_fix_is_finished_by_the_retry(broken: Account) -> None:
    """The intent is in the table; the message is delivered again."""
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
    """Events on the bus can be forged."""
    detail = {"id": "0" * 32, "function_arn": FUNCTION_ARN, "revision": 1}
    forged = {"source": "permission-guard", "detail-type": "Fix Approved", "detail": detail}
    nonsense = {**forged, "detail": {"id": "x", "function_arn": "orders"}}
    run = broken.run("apply_fix", sqs_event(forged, nonsense))
    assert run.failed == ["m1"]
    assert run.line("the finding does not exist")["finding_id"] == "0" * 32
    assert "iam:AttachRolePolicy" not in run.calls
