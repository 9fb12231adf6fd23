"""What a finding offers to paste: it can be pasted as it is, but for what only a person knows."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import yaml

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import ResourcePolicy, Snapshot
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.invoke_policy.source_missing import SourceMissing
from tests.fakes import (
    FUNCTION_ARN,
    MAPPING_UUID,
    QUEUE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    a_function,
    a_mapping,
    a_role,
    polling,
)

NOBODY = TrustSet(frozenset())


def open_to_s3(sid: str | None, qualifier: str | None = None) -> Verdict:
    """Return the finding of a statement that lets every bucket in."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
    }
    if sid is not None:
        statement["Sid"] = sid
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    document = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    policy = ResourcePolicy(arn, qualifier, "r1", document)
    (verdict,) = evaluate(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [SourceMissing(NOBODY)]).verdicts
    assert verdict.outcome is Outcome.VIOLATION
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return one cure."""
    return next(item.text for item in verdict.remedies if item.kind == kind)


def options(command: str) -> dict[str, str]:
    """Read a command line's options; what follows is joined by `&&`, so that it waits for success."""
    words = shlex.split(command.removesuffix(" &&"))[3:]
    return dict(zip(words[::2], words[1::2], strict=True))


def put(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the statements of the policy that the only command puts in the place of the present one."""
    (command,) = remedy(verdict, "aws-cli").splitlines()
    assert command.startswith("aws lambda put-resource-policy ")
    statements: list[dict[str, Any]] = json.loads(options(command)["--policy"])["Statement"]
    return statements


def test_the_narrow_statement_is_added_before_the_broad_one_is_removed() -> None:
    """No event is lost in between."""
    add, remove = remedy(open_to_s3("uploads"), "aws-cli").splitlines()
    assert add.startswith("aws lambda add-permission ")
    assert options(add) == {
        "--function-name": "orders",
        "--statement-id": "uploads-scoped",
        "--action": "lambda:InvokeFunction",
        "--principal": "s3.amazonaws.com",
        "--source-arn": "arn:aws:s3:::BUCKET-NAME",
        "--source-account": "123456789012",
    }
    assert remove.startswith("aws lambda remove-permission ")
    assert options(remove) == {"--function-name": "orders", "--statement-id": "uploads"}


def test_an_alias_s_policy_is_changed_at_the_alias() -> None:
    """Both commands name it."""
    add, remove = remedy(open_to_s3("uploads", "live"), "aws-cli").splitlines()
    assert options(add)["--qualifier"] == "live"
    assert options(remove) == {"--function-name": "orders", "--qualifier": "live", "--statement-id": "uploads"}
    assert 'qualifier      = "live"' in remedy(open_to_s3("uploads", "live"), "terraform")


def test_the_broad_statement_goes_only_when_the_narrow_one_is_there() -> None:
    """A paste does not run on after a failure."""
    add, remove = remedy(open_to_s3("uploads"), "aws-cli").splitlines()
    assert add.endswith(" &&")
    assert not remove.endswith("&&")


@pytest.mark.parametrize("sid", [None, "", "a; rm -rf $HOME", "Straße", "-uploads", "a" * 101])
def test_a_statement_that_cannot_be_removed_by_name_is_replaced_with_the_whole_policy(sid: str | None) -> None:
    """RemovePermission takes no such name, and what stands in a policy may be anybody's text."""
    verdict = open_to_s3(sid)
    (statement,) = put(verdict)
    assert statement["Condition"]["StringEquals"] == {"AWS:SourceAccount": "123456789012"}
    words = options(remedy(verdict, "aws-cli"))
    assert words["--resource-arn"] == FUNCTION_ARN
    assert words["--revision-id"] == "r1"


@pytest.mark.parametrize("sid", ["uploads", "a" * 100, "dots.and.dots"])
def test_the_suggested_sid_is_one_that_aws_takes(sid: str) -> None:
    """RemovePermission takes dots, AddPermission does not."""
    add = remedy(open_to_s3(sid), "aws-cli").splitlines()[0]
    assert re.fullmatch(r"[a-zA-Z0-9-_]{1,93}-scoped", options(add)["--statement-id"], re.ASCII)


@pytest.mark.parametrize("sid", [None, "", "Straße", "-uploads", "a; rm -rf $HOME", "a" * 101])
def test_the_sid_of_a_statement_that_is_put_is_one_that_can_be_removed_by_name(sid: str | None) -> None:
    """Whatever the present one is called: PutResourcePolicy takes any Sid."""
    (statement,) = put(open_to_s3(sid))
    assert re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9-_]{0,92}-scoped", statement["Sid"], re.ASCII)


def test_a_statement_without_a_sid_is_named_by_what_it_says() -> None:
    """Subject and suggested Sid have the same name; a qualifier is another statement with another name."""
    verdict = open_to_s3(None)
    assert re.fullmatch(r"statement/[0-9a-f]{12}", str(verdict.subject))
    assert put(verdict)[0]["Sid"] == f"{str(verdict.subject).split('/')[1]}-scoped"
    assert open_to_s3("").subject != verdict.subject


def test_the_sam_resource_is_valid_yaml() -> None:
    """The account stays a text."""
    resource = yaml.safe_load(remedy(open_to_s3("uploads", "live"), "sam"))
    assert resource == {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": "orders:live",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::BUCKET-NAME",
            "SourceAccount": "123456789012",
        },
    }


def unreadable_queue(*statements: dict[str, Any], **mapping: str) -> Verdict:
    """Return the finding of a role that may not read its queue."""
    state = polling(a_role(*statements), mappings=(a_mapping(**mapping),))
    (verdict,) = evaluate(state, [EventSourceReadMissing(NOBODY)]).verdicts
    return verdict


BY_AWS = {"state": "Disabled", "state_transition_reason": "Lambda does not have required permissions"}
ENABLE = f"aws lambda update-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID} --enabled"


def test_a_mapping_that_aws_switched_off_is_enabled_and_nothing_else() -> None:
    """When the role may read again, no policy is offered."""
    verdict = unreadable_queue(SQS_POLICY, **BY_AWS)
    assert verdict.outcome is Outcome.VIOLATION
    assert [(remedy.kind, remedy.text) for remedy in verdict.remedies] == [("aws-cli", ENABLE)]


def test_a_mapping_that_aws_switched_off_is_enabled_after_the_policy_is_attached() -> None:
    """In the other order AWS would refuse, or switch it off again."""
    attach, enable = remedy(unreadable_queue(**BY_AWS), "aws-cli").splitlines()
    assert attach.startswith("aws iam attach-role-policy ")
    assert enable == ENABLE


def test_the_managed_policy_is_attached_to_the_role_by_its_name() -> None:
    """The role's path is no part of its name."""
    verdict = unreadable_queue()
    assert remedy(verdict, "aws-cli") == (
        f"aws iam attach-role-policy --role-name orders-role --policy-arn {SQS_POLICY_ARN}"
    )
    assert f'policy_arn = "{SQS_POLICY_ARN}"' in remedy(verdict, "terraform")
    assert 'role       = "orders-role"' in remedy(verdict, "terraform")


def test_the_policy_statement_has_what_is_missing_and_no_more_and_it_helps() -> None:
    """Pasted into a policy of the role, it makes the finding go away."""
    receive = {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": QUEUE_ARN}
    first = {"Version": "2012-10-17", "Statement": [receive]}
    statement = json.loads(remedy(unreadable_queue(first), "policy-statement"))
    assert statement == {
        "Effect": "Allow",
        "Action": ["sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": [QUEUE_ARN],
    }
    assert unreadable_queue(first, {"Version": "2012-10-17", "Statement": [statement]}).outcome is Outcome.PASS


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_the_evidence_holds_the_statement_as_it_stands(qualifier: str | None) -> None:
    """So that what is removed can be put back."""
    verdict = open_to_s3("uploads", qualifier)
    assert verdict.evidence["statement"]["Sid"] == "uploads"
    assert verdict.evidence["resource_arn"] == verdict.function_arn
